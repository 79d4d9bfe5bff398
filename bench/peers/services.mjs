import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_SECONDS = 20;

/** Servers of the machine's own, started on loopback with data of their own; nothing is installed. */
export const SERVICES = {
  redis: {
    find: () => onPath('redis-server'),
    missing: 'there is no redis-server (Debian: apt install redis-server)',
    start: startRedis,
  },
  postgres: {
    find: () => onPath('postgres', postgresFolders()),
    missing: 'there is no postgres (Debian: apt install postgresql)',
    start: startPostgres,
  },
};

function onPath(name, more = []) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more];
  return folders.map((folder) => join(folder, name)).find(existsSync);
}

/** Where Debian has what its wrappers call. */
function postgresFolders() {
  const root = '/usr/lib/postgresql';
  return existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [];
}

async function startRedis(binary, folder, settings) {
  const port = await freePort();
  const durable = settings === 'fsync' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : [];
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, ...durable];
  const server = await started(binary, args, {}, port);
  const kind = settings === 'fsync' ? 'appended and forced to disk' : 'snapshots now and then, no fsync';
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(server, 'SIGTERM'), what: kind };
}

async function startPostgres(binary, folder) {
  const data = join(folder, 'data');
  mkdirSync(data);
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? idsOf('postgres') : {};
  if (user.uid !== undefined) {
    chmodSync(join(folder, '..'), 0o711);
    for (const path of [folder, data]) chownSync(path, user.uid, user.gid);
  }
  const initdb = join(binary, '../initdb');
  const args = ['-D', data, '-U', 'bench', '--auth=trust', '--encoding=UTF8', '--no-locale'];
  const made = spawnSync(initdb, args, { ...user, cwd: folder, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr}`);
  const port = await freePort();
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', max_connections: 200 };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = await started(binary, ['-D', data, ...options], { ...user, cwd: folder }, port);
  return {
    url: `postgresql://bench@127.0.0.1:${port}/bench`,
    // Fast shutdown: it does not wait for clients.
    stop: () => stop(server, 'SIGINT'),
    what: '',
  };
}

function idsOf(name) {
  const id = (flag) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout.trim() || NaN);
  const [uid, gid] = [id('-u'), id('-g')];
  if (Number.isNaN(uid)) throw new Error(`PostgreSQL does not run as root, and there is no user ${name}`);
  return { uid, gid };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** @throws what it said, when it does not listen soon */
async function started(binary, args, options, port) {
  const child = spawn(binary, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => (said = (said + text).slice(-2000)));
  let failed = false;
  child.once('error', (error) => ((failed = true), (said += error.message)));
  for (const endMs = performance.now() + START_SECONDS * 1000; performance.now() < endMs;) {
    if (failed || child.exitCode !== null) break;
    if (await listens(port)) return child;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`${binary} did not start: ${said.trim()}`);
}

async function listens(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function stop(child, signal) {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
