import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder, start, type Started } from './support/maestro.js';
import { until } from './support/runtimes.js';

/** Steps that end only when a file appears, and do not care whether they are asked to. */
const STUBBORN = `
import { appendFileSync, existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
const begun = (name) => appendFileSync('ran', name + '\\n');
export async function deaf() { begun('deaf'); while (!existsSync('go')) await delay(20); }
export function loop() { begun('loop'); while (!existsSync('go')); }
`;
const node = (id: string, rest: string) => `  - { id: ${id}, name: ${id}, type: custom, ${rest} }\n`;
/** Ignores SIGTERM, and leaves a process of its own beside it that does, too. */
const TRAP = `trap "" TERM; echo command >> ran; (while ! test -e go; do sleep 0.05; done) & echo $! > child; while ! test -e go; do sleep 0.05; done`;
const SPEC = `workflow: { id: stubborn, name: Stubborn }
nodes:
${node('deaf', 'uses: ./steps.mjs#deaf')}${node('loop', 'uses: ./steps.mjs#loop')}${node('command', `run: '${TRAP}'`)}${node('last', "dependencies: [deaf, loop, command], run: 'echo last >> ran'")}`;

let folder: ReturnType<typeof makeFolder>;
const services: Started[] = [];
const sockets: Socket[] = [];
beforeEach(() => (folder = makeFolder({ 'steps.mjs': STUBBORN, 'stubborn.yaml': SPEC })));
afterEach(async () => {
  writeFileSync(join(folder.path, 'go'), '');
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { child, finished } of services.splice(0)) {
    child.kill('SIGKILL');
    await finished;
  }
  folder.remove();
});

async function serve(...args: string[]) {
  const options = ['--port', '0', '--threads', '2', '--workflows', 'stubborn.yaml', '--mode', 'dag_parallel'];
  const service = start(['serve', ...options, ...args], { cwd: folder.path });
  services.push(service);
  const [, url] = await service.until(/listening on (http:\/\/[\d.:]+)/);
  return { service, url };
}

const read = (name: string) => {
  const path = join(folder.path, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};

async function begin(url: string): Promise<void> {
  const body = JSON.stringify({ execution_id: 'e1' });
  const headers = { 'content-type': 'application/json' };
  await fetch(`${url}/api/workflows/stubborn/execute`, { method: 'POST', headers, body });
  await until(() => read('ran').length === 3 && read('child').length === 1, 'all steps run');
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // Ended, and its parent has not asked: a zombie counts as ended.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** Lines of the service's log; every one is JSON. */
const logOf = (err: string) =>
  err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('SIGTERM', () => {
  it('is heard before the service listens, when what a dead one has left goes on already', async () => {
    // Nothing of it outlives its process.
    writeFileSync(
      join(folder.path, 'deaf.yaml'),
      `workflow: { id: deaf, name: Deaf }\nnodes:\n${node('deaf', 'uses: ./steps.mjs#deaf')}`,
    );
    const first = start(['run', 'deaf.yaml', '--id', 'e1'], { cwd: folder.path });
    services.push(first);
    await until(() => read('ran').length === 1, 'it runs');
    first.child.kill('SIGKILL');
    await first.finished;
    const next = start(['serve', '--port', '0', '--drain', '0.3s', '--grace', '0.3'], { cwd: folder.path });
    services.push(next);
    await next.until(/Resuming workflow execution e1/);
    next.child.kill('SIGTERM');
    expect((await next.finished).code).toBe(0);
  });

  it('ends steps and clients that would not, tells which nodes were cut off, and they run again', async () => {
    const { service, url } = await serve('--drain', '0.3s', '--grace', '0.3');
    await begin(url);
    // A client that has sent half a request.
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('POST /api/workflows HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{');
    service.child.kill('SIGTERM');
    const { code, err } = await service.finished;
    expect(code).toBe(0);
    const lines = logOf(err);
    const cut = lines.filter(({ msg }) => String(msg).startsWith('cut off'));
    expect(cut.map(({ node_id }) => node_id).sort()).toEqual(['command', 'deaf', 'loop']);
    for (const line of cut)
      expect(line).toMatchObject({
        level: 'warn',
        component: 'runtime',
        execution_id: 'e1',
        workflow_id: 'stubborn',
        attempt: 1,
      });
    expect(isAlive(Number(read('child')[0]))).toBe(false);

    writeFileSync(join(folder.path, 'go'), '');
    const next = await serve();
    await next.service.until(/Resuming workflow execution e1/);
    await until(() => read('ran').includes('last'), 'it goes on');
    expect(read('ran').sort()).toEqual(['command', 'command', 'deaf', 'deaf', 'last', 'loop', 'loop']);
  });

  it('the second ends everything at once, and leaves no command behind', async () => {
    const { service, url } = await serve();
    await begin(url);
    service.child.kill('SIGTERM');
    await service.until(/shutting down/);
    service.child.kill('SIGTERM');
    expect((await service.finished).code).toBe(130);
    expect(isAlive(Number(read('child')[0]))).toBe(false);
    writeFileSync(join(folder.path, 'go'), '');
    await (await serve()).service.until(/Resuming workflow execution e1/);
  });
});

describe('the log of the service', () => {
  it('is one JSON line for each event, by component, without secrets', async () => {
    const { service, url } = await serve(
      '--log-level',
      'info,server=debug',
      '--drain',
      '0.1s',
      '--grace',
      '0.1',
    );
    await begin(url);
    service.child.kill('SIGTERM');
    const lines = logOf((await service.finished).err);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ component: 'cli', msg: 'the service listens', url }),
        expect.objectContaining({
          component: 'events',
          msg: 'workflow started',
          execution_id: 'e1',
          workflow_id: 'stubborn',
        }),
        expect.objectContaining({ component: 'server', method: 'POST', status: 201, level: 'debug' }),
      ]),
    );
    expect(lines.filter(({ component, level }) => level === 'debug' && component !== 'server')).toEqual([]);
  });
});
