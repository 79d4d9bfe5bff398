import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maestro, MAIN, makeFolder, start, type Started } from './support/maestro.js';
import { until } from './support/runtimes.js';

const RECEIVER = resolve(import.meta.dirname, '../fixtures/notify-socket.py');
const WATCHDOG_MS = 400;
const STEPS = `
import { existsSync, writeFileSync } from 'node:fs';
export function block() { writeFileSync('blocking', ''); while (!existsSync('go')); }
export function die() { process.kill(process.pid, 'SIGKILL'); }
`;
const BLOCK = `workflow: { id: block, name: Block }
nodes:
  - { id: block, name: block, type: custom, uses: './steps.mjs#block', isolation: inline }
`;
const DIE = `workflow: { id: die, name: Die }
nodes:
  - { id: die, name: die, type: custom, uses: './steps.mjs#die', isolation: process }
`;

let folder: ReturnType<typeof makeFolder>;
const started: Started[] = [];
beforeEach(() => (folder = makeFolder({ 'steps.mjs': STEPS, 'block.yaml': BLOCK, 'die.yaml': DIE })));
afterEach(async () => {
  for (const { child, finished } of started.splice(0)) {
    child.kill('SIGKILL');
    await finished;
  }
  folder.remove();
});

// Where tests are what decides, a missing command is a failure and no reason to skip.
const has = (command: string) => spawnSync(command, ['--version']).status === 0 || process.env.CI === 'true';
const hasAnalyze = has('systemd-analyze');
const hasNotify = has('systemd-notify') && has('python3');

function analyze(...args: string[]) {
  // The manager of a user, which is played here too, wants a folder to run in.
  const env = { ...process.env, XDG_RUNTIME_DIR: folder.path };
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8', env });
  return { status, said: `${stdout}${stderr}` };
}

async function unit(...args: string[]): Promise<string> {
  const { code, out, err } = await maestro(['systemd', ...args], { cwd: folder.path });
  expect([code, err]).toEqual([0, '']);
  const path = join(folder.path, 'maestro-dag.service');
  writeFileSync(path, out);
  return path;
}

describe('the printed unit', () => {
  beforeEach((ctx) => {
    if (!hasAnalyze) ctx.skip('systemd-analyze is not installed; it is part of the Debian package systemd');
  });

  it.each([
    ['system', ['--store', 'lmdb:/var/lib/maestro']],
    [
      'system',
      ['--workflows', 'it is "50%" \\ $HOME', '--store', 'lmdb:/srv/50% of it', '--memory-max', '2G'],
    ],
    ['system', ['--store', 'memory:']],
    ['user', ['--user', '--port', '0']],
  ])('passes systemd-analyze verify without a word (%s, %j)', async (scope, args) => {
    const path = await unit(...args);
    expect(analyze('verify', `--${scope}`, '--man=no', path)).toEqual({ status: 0, said: '' });
  });

  it('names an executable in a folder with a name that needs escaping', async () => {
    const odd = join(folder.path, 'a 50%h $HOME ; {é}');
    mkdirSync(odd);
    symlinkSync(process.execPath, join(odd, 'node'));
    const path = join(folder.path, 'maestro-dag.service');
    const { out } = await maestro(['systemd', '--user'], {
      cwd: odd,
      // Node resolves links in execPath: the odd name is given by hand.
      command: [process.execPath, '--import', redirect(join(odd, 'node')), MAIN],
    });
    writeFileSync(path, out);
    expect(out).toContain('50%%h');
    expect(analyze('verify', '--user', '--man=no', path)).toEqual({ status: 0, said: '' });
    // The tool does look: without escaping it would not be found.
    writeFileSync(path, out.replaceAll('%%', '%'));
    expect(analyze('verify', '--user', '--man=no', path).said).not.toBe('');
  });

  it('leaves little exposed', async () => {
    const path = await unit('--store', 'lmdb:/var/lib/maestro');
    const { status, said } = analyze('security', '--offline=true', '--threshold=30', '--no-pager', path);
    expect(said).toMatch(/Overall exposure level for maestro-dag\.service: [0-2]\.\d/);
    expect(status).toBe(0);
  });
});

/** A module that makes `process.execPath` another. */
function redirect(execPath: string): string {
  const code = `import process from 'node:process'; process.execPath = ${JSON.stringify(execPath)};`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

async function serve(...args: string[]) {
  const socket = join(folder.path, 'notify');
  const receiver = start([], { cwd: folder.path, command: ['python3', RECEIVER, socket] });
  started.push(receiver);
  await receiver.until(/"bound"/);
  const heard: Record<string, string>[] = [];
  let rest = '';
  receiver.child.stdout!.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop()!;
    heard.push(...lines.map((line) => JSON.parse(line) as Record<string, string>));
  });
  const service = start(['serve', '--port', '0', ...args], {
    cwd: folder.path,
    env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) },
  });
  started.push(service);
  const [, url] = await service.until(/listening on (http:\/\/[\d.:]+)/);
  const signs = () => heard.filter(({ WATCHDOG }) => WATCHDOG === '1').length;
  const execute = (workflow: string) =>
    fetch(`${url}/api/workflows/${workflow}/execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
  return { service, url, heard, signs, execute };
}

/** No sign of life in many times the time of one, but for one that was on its way. */
async function expectSilence(signs: () => number): Promise<void> {
  const before = signs();
  await delay(WATCHDOG_MS * 5);
  expect(signs() - before).toBeLessThanOrEqual(1);
}

describe('what systemd is told', () => {
  beforeEach((ctx) => {
    if (!hasNotify) ctx.skip('systemd-notify or python3 is not installed');
  });

  it('is when the service is ready, that it lives, and that it stops', async () => {
    const { service, url, heard, signs } = await serve();
    await until(() => signs() >= 3, 'several signs of life came');
    service.child.kill('SIGTERM');
    const { code, err } = await service.finished;
    expect(code).toBe(0);
    expect(err).not.toContain('systemd cannot be told');
    await until(() => heard.some(({ STOPPING }) => STOPPING === '1'), 'it stops');
    const told = heard.filter((each) => !('BARRIER' in each) && !('WATCHDOG' in each));
    expect(told).toEqual([
      expect.objectContaining({
        READY: '1',
        MAINPID: String(service.child.pid),
        STATUS: `listening on ${url}`,
      }),
      expect.objectContaining({ STOPPING: '1', STATUS: 'running nodes finish' }),
    ]);
    expect(heard[0]).toHaveProperty('READY');
  });

  it('is nothing while the event loop does not turn', async () => {
    const { signs, execute } = await serve('--workflows', 'block.yaml');
    await until(() => signs() >= 1, 'a sign of life came');
    const answer = execute('block').catch(() => undefined);
    await until(() => existsSync(join(folder.path, 'blocking')), 'the loop is blocked');
    await expectSilence(signs);
    const before = signs();
    writeFileSync(join(folder.path, 'go'), '');
    await answer;
    await until(() => signs() > before + 1, 'signs of life come again');
  });

  it('is nothing when the runtime has died', async () => {
    const { url, signs, execute } = await serve('--workflows', 'die.yaml', '--max-restarts', '1/600');
    await until(() => signs() >= 1, 'a sign of life came');
    await execute('die');
    await execute('die');
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, 'the runtime has died');
    await expectSilence(signs);
  });
});
