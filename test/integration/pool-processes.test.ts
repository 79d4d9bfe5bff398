import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createPool, resolveStep, type Pool, type PoolSettings, type StepRef } from '../../src/pool/index.js';
import { poolContract } from '../contracts/pool.contract.js';
import { brief, CANCELLED, PoolRecorder } from '../support/pool-recorder.js';
import { isRunning, mayRun } from '../support/running.js';
import { tempDirs } from '../support/temp-dir.js';
import { programs } from './support/program.js';

const tempDir = tempDirs('maestro-processes');
const startProgram = programs();
const baseDir = join(import.meta.dirname, '../fixtures/steps');
const step = (name: string, maxHeapMb?: number): StepRef =>
  resolveStep(
    {
      id: 'n',
      name: 'n',
      type: 'phase',
      uses: `./steps.js#${name}`,
      isolation: 'process',
      resources: { max_heap_mb: maxHeapMb },
    },
    { baseDir, functions: new Map() },
  );

poolContract('processes', {
  create: () => createPool({ processes: 2 }),
  steps: {
    quick: step('quick'),
    failing: step('throwNull'),
    wait: step('wait'),
    honour: step('honour'),
    ignore: step('ignore'),
  },
  runs: 4,
});

let recorder: PoolRecorder;
let pool: Pool | undefined;
const open = (settings: PoolSettings = {}): void => {
  pool = createPool({ processes: 1, echo: false, ...settings });
  recorder = new PoolRecorder(pool);
};
afterEach(() => pool?.close(0));

async function outputOf(name: string, config = {}, maxHeapMb?: number): Promise<unknown> {
  const outcome = await recorder.run(step(name, maxHeapMb), config);
  return outcome.ok ? JSON.parse(outcome.output) : outcome.error;
}

describe('a step in a child process', () => {
  it('is given its call, and asks for more', async () => {
    open();
    expect(await recorder.run(step('echo'), { c: 1 }, { dependencyOutputs: '{"a":2}' })).toMatchObject({
      output: expect.stringContaining('"nodeConfig":{"c":1},"dependencyOutputs":{"a":2}'),
    });
    const call = { globalContext: null };
    for (let i = 0; i < 2; i++)
      expect(await recorder.run(step('ask'), {}, call)).toMatchObject({
        output:
          '{"outputs":{"kind":"allOutputs"},"artifacts":{"kind":"allArtifacts"},"globalContext":{"kind":"globalContext"}}',
      });
    expect(recorder.fetches.filter(({ kind }) => kind === 'globalContext')).toHaveLength(1);
    recorder.answer = () => Promise.reject(Object.assign(new Error('store is gone'), { code: 'GONE' }));
    expect(await outputOf('askInVain')).toMatchObject({ message: 'store is gone', code: 'GONE' });
  });

  it('reports heartbeats and progress', async () => {
    open();
    await recorder.run(step('report'));
    expect(recorder.heartbeats.length).toBeGreaterThanOrEqual(1);
    expect(recorder.reports.at(-1)).toEqual({ jobId: 1, fraction: 1, message: 'over the top' });
  });

  it('has what it prints passed on before it settles, also from processes it starts', async () => {
    open();
    for (const text of ['a', 'b']) {
      await recorder.run(step('print'), { text });
      expect(recorder.texts.stdout).toBe(`out ${text}\nfrom a grandchild\n`);
      expect(recorder.texts.stderr).toBe(`err ${text}\n`);
      recorder.texts.stdout = recorder.texts.stderr = '';
    }
  });

  it.each([
    ['nothing', { ok: true, output: 'null' }],
    ['withArtifacts', { ok: true, artifacts: ['a.txt', 'b.txt'] }],
    ['bigint', { kind: 'error', error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['cycle', { kind: 'error', error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['returnFunction', { kind: 'error', error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['throwRich', { kind: 'error', error: { code: 'E_RICH', cause: { message: 'the cause' } } }],
    ['missing', { kind: 'error', error: { code: 'STEP_NOT_FOUND' } }],
    ['babble', { ok: true, output: '"said it"' }],
  ])('may return or throw anything: %s', async (name, expected) => {
    open();
    expect(await recorder.run(step(name))).toMatchObject(expected);
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
  });

  it('may return much, up to the limit', async () => {
    open({ maxOutputBytes: 5_000_000 });
    expect(brief(await recorder.run(step('large'), { length: 6_000_000 }))).toBe('error OUTPUT_TOO_LARGE');
    expect(brief(await recorder.run(step('large'), { length: 4_000_000 }))).toBe('ok');
  });

  it('shares its process with later jobs, and not with the host', async () => {
    open();
    const pid = await outputOf('pid');
    expect(pid).not.toBe(process.pid);
    expect([await outputOf('pid'), await outputOf('pid')]).toEqual([pid, pid]);
  });

  it('has a process with its own limit, and there are no more processes than allowed', async () => {
    open();
    const free = await outputOf('pid');
    const limited = await outputOf('pid', {}, 64);
    expect(limited).not.toBe(free);
    expect(await outputOf('execArguments', {}, 64)).toContain('--max-old-space-size=64');
    expect(await outputOf('pid', {}, 64)).toBe(limited);
    await expect.poll(() => isRunning(String(free))).toBe(false);
  });
});

describe('a step that ends its process', () => {
  it.each([
    ['exit', 'exit code 3'],
    ['throwOutside', 'outside'],
    ['rejectOutside', 'nobody caught me'],
    ['abort', 'SIGABRT'],
    ['disconnect', 'SIGKILL'],
  ])('has crashed, and the pool heals: %s', async (name, message) => {
    open();
    for (let i = 0; i < 2; i++) {
      const outcome = await recorder.run(step(name));
      expect(brief(outcome)).toBe('crashed WORKER_LOST');
      expect(outcome).toMatchObject({
        error: { message: `the step ended its worker process: ${message}` },
      });
      expect(brief(await recorder.run(step('quick')))).toBe('ok');
    }
    expect(recorder.failures).toEqual([]);
  });

  it('is told what it threw', async () => {
    open();
    expect(await outputOf('throwOutside')).toMatchObject({ cause: { name: 'Error', message: 'outside' } });
  });

  it('by taking more memory than it may, leaves the host and others alone', async () => {
    open({ processes: 2 });
    const other = recorder.dispatch([recorder.job(step('wait'), { nodeConfig: '{"ms":1500}' })]);
    expect(await outputOf('hoard', {}, 32)).toMatchObject({
      code: 'WORKER_LOST',
      message: 'the step ended its worker process: out of memory (SIGABRT, max_heap_mb is 32)',
    });
    expect((await other).map(brief)).toEqual(['ok']);
    expect(await outputOf('quick', {}, 32)).toEqual({ done: true });
  });

  it.each(['exitLater', 'throwLater', 'rejectLater'])(
    'after its result was sent, does not make the next job guilty: %s',
    async (name) => {
      open();
      expect(brief(await recorder.run(step(name), { ms: 60 }))).toBe('ok');
      expect(brief(await recorder.run(step('wait'), { ms: 20_000 }))).toBe('lost WORKER_LOST');
      expect(brief(await recorder.run(step('quick')))).toBe('ok');
    },
  );

  it('too often, stops the pool with a clear error', async () => {
    open({ processes: 2, restart: { maxRestarts: 1, withinMs: 600_000 } });
    const waiting = await recorder.start(step('ignore'));
    for (let i = 0; i < 2; i++) expect(brief(await recorder.run(step('exit')))).toBe('crashed WORKER_LOST');
    expect(brief(await recorder.settledOf(waiting.id))).toBe('lost POOL_STOPPED');
    expect(recorder.failures).toMatchObject([
      {
        code: 'POOL_STOPPED',
        message: 'worker processes keep dying (more than 1 within 600 s), the last of: exit code 3',
      },
    ]);
    expect(recorder.pool.room(step('quick'))).toBe(0);
    expect(brief(await recorder.run(step('quick')))).toBe('lost POOL_STOPPED');
    expect(recorder.twice).toEqual([]);
  });

  it('too often while idle, stops the pool too', async () => {
    open({ restart: { maxRestarts: 1, withinMs: 600_000 } });
    for (let i = 0; i < 2; i++) {
      const pid = await outputOf('pid');
      expect(brief(await recorder.run(step('abortLater'), { ms: 5 }))).toBe('ok');
      await expect.poll(() => isRunning(String(pid))).toBe(false);
      if (i === 0) await expect.poll(() => recorder.pool.room(step('quick'))).toBe(1);
    }
    await expect.poll(() => recorder.failures).toMatchObject([{ code: 'POOL_STOPPED' }]);
  });
});

describe('cancelling a step in a child process', () => {
  it.each(['honour', 'returnOnAbort'])(
    'fires its signal, and its process is not used again: %s',
    async (name) => {
      open();
      const pid = await outputOf('pid');
      const job = await recorder.start(step(name));
      recorder.pool.cancel(job.id, { ...CANCELLED, code: 'STEP_HEARTBEAT' }, 60_000);
      expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_HEARTBEAT');
      expect(isRunning(String(pid))).toBe(false);
      expect(await outputOf('pid')).not.toBe(pid);
    },
  );

  it.each(['loop', 'ignore', 'blockedInChild'])('ends a process that does not listen: %s', async (name) => {
    open({ processes: 2, restart: { maxRestarts: 0, withinMs: 600_000 } });
    const other = recorder.dispatch([recorder.job(step('wait'), { nodeConfig: '{"ms":1000}' })]);
    const job = await recorder.start(step(name));
    recorder.pool.cancel(job.id, CANCELLED, 20);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    expect((await other).map(brief)).toEqual(['ok']);
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
    expect(recorder.failures).toEqual([]);
  });

  it.each(['ignore', 'honour'])(
    'ends what the step has started, however deaf that is; the step: %s',
    async (then) => {
      open();
      const folder = tempDir();
      const [file, pidFile] = [join(folder, 'survivor'), join(folder, 'pid')];
      const job = await recorder.start(step('parent'), { file, pidFile, then });
      await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '').toBe(true);
      recorder.pool.cancel(job.id, CANCELLED, 50);
      expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
      expect(mayRun(readFileSync(pidFile, 'utf8').trim())).toBe(false);
      await delay(2_100);
      expect(existsSync(file)).toBe(false);
    },
  );

  it('leaves no process at close', async () => {
    open({ processes: 2 });
    const pid = await outputOf('pid');
    const busy = await recorder.start(step('loop'));
    await recorder.pool.close(10);
    expect(isRunning(String(pid))).toBe(false);
    expect(recorder.outcomes.has(busy.id)).toBe(false);
  });
});

describe('a host that is killed', () => {
  it.each(['loop', 'ignore', 'blockedInChild'])(
    'leaves no process behind, whatever it does: %s',
    async (name) => {
      open();
      const host = startProgram('process-step', name);
      const { pid } = await host.until((fact) => fact.pid !== undefined);
      await host.until((fact) => fact.began !== undefined);
      expect(isRunning(String(pid))).toBe(true);
      await host.kill();
      await expect.poll(() => isRunning(String(pid)), { timeout: 20_000 }).toBe(false);
    },
  );
});
