import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createPool, resolveStep, type Pool, type PoolSettings, type StepRef } from '../../src/pool/index.js';
import { poolContract } from '../contracts/pool.contract.js';
import { brief, PoolRecorder } from '../support/pool-recorder.js';

const baseDir = join(import.meta.dirname, '../fixtures/steps');
const uses = (text: string): StepRef =>
  resolveStep({ id: 'n', name: 'n', type: 'phase', uses: text }, { baseDir, functions: new Map() });
const step = (name: string): StepRef => uses(`./steps.js#${name}`);

poolContract('threads', {
  create: () => createPool({ threads: 2 }),
  steps: {
    quick: step('quick'),
    failing: step('throwNull'),
    wait: step('wait'),
    honour: step('honour'),
    ignore: step('ignore'),
  },
  runs: 8,
});

let recorder: PoolRecorder;
let pool: Pool | undefined;
const open = (settings: PoolSettings = {}): void => {
  pool = createPool({ threads: 2, ...settings });
  recorder = new PoolRecorder(pool);
};
afterEach(() => pool?.close(0));

describe('what a step on a thread is given', () => {
  it('is its call', async () => {
    open();
    const outcome = await recorder.run(step('echo'), { c: 1 }, { dependencyOutputs: '{"a":2}', attempt: 3 });
    expect(outcome.ok && JSON.parse(outcome.output)).toEqual({
      workflowId: 'w',
      executionId: 'e',
      nodeId: 'n1',
      nodeName: 'node 1',
      attempt: 3,
      idempotencyKey: 'e/n1/0',
      iteration: 1,
      previousOutput: null,
      nodeConfig: { c: 1 },
      dependencyOutputs: { a: 2 },
      dependencyArtifacts: {},
      globalContext: {},
    });
  });

  it('is its own call, in a batch of many', async () => {
    open();
    await recorder.run(step('echo'));
    const jobs = Array.from({ length: 300 }, (_, i) =>
      recorder.job(step('echo'), {
        nodeConfig: `{"i":${i}}`,
        attempt: (i % 3) + 1,
        executionId: `e${Math.floor(i / 50)}`,
        globalContext: i % 7 === 0 ? null : `{"g":${i % 2}}`,
      }),
    );
    const outcomes = await recorder.dispatch(jobs);
    for (const [i, { call }] of jobs.entries()) {
      const outcome = outcomes[i];
      expect(outcome.ok && JSON.parse(outcome.output)).toMatchObject({
        nodeId: call.nodeId,
        executionId: call.executionId,
        attempt: call.attempt,
        nodeConfig: { i },
        globalContext: i % 7 === 0 ? { kind: 'globalContext' } : { g: i % 2 },
      });
    }
  });

  it('answers its questions; the global context is fetched once per execution and worker', async () => {
    open({ threads: 1 });
    const call = { globalContext: null };
    for (let i = 0; i < 3; i++)
      expect(await recorder.run(step('ask'), {}, call)).toMatchObject({
        output:
          '{"outputs":{"kind":"allOutputs"},"artifacts":{"kind":"allArtifacts"},"globalContext":{"kind":"globalContext"}}',
      });
    expect(recorder.fetches.filter(({ kind }) => kind === 'globalContext')).toHaveLength(1);
    recorder.answer = () => Promise.reject(Object.assign(new Error('store is gone'), { code: 'GONE' }));
    expect(await recorder.run(step('askInVain'))).toMatchObject({
      kind: 'error',
      error: { message: 'store is gone', code: 'GONE' },
    });
  });

  it('passes on heartbeats and progress, but no flood of them', async () => {
    open();
    await recorder.run(step('report'));
    expect(recorder.heartbeats.length).toBeGreaterThanOrEqual(1);
    expect(recorder.heartbeats.length).toBeLessThan(1000);
    expect(recorder.reports[0]).toEqual({ jobId: 1, fraction: 0.25, message: 'a quarter' });
    expect(recorder.reports.at(-1)).toEqual({ jobId: 1, fraction: 1, message: 'over the top' });
  });

  it('creates the artifact folder when asked for', async () => {
    open();
    const root = mkdtempSync(join(tmpdir(), 'maestro-'));
    const artifactDir = join(root, 'w', 'e', 'n');
    await recorder.run(step('quick'), {}, { artifactRoot: root, nodeId: 'n' });
    expect(existsSync(artifactDir)).toBe(false);
    await recorder.run(step('folder'), {}, { artifactRoot: root, nodeId: 'n' });
    expect(existsSync(artifactDir)).toBe(true);
    rmSync(root, { recursive: true });
  });
});

describe('what a step on a thread returns or throws', () => {
  it.each([
    ['nothing', { ok: true, output: 'null' }],
    ['withArtifacts', { ok: true, artifacts: ['a.txt', 'b.txt'] }],
    ['bigint', { error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['cycle', { error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['returnFunction', { error: { code: 'OUTPUT_NOT_SERIALIZABLE' } }],
    ['throwNull', { kind: 'error', error: { name: 'NonError', message: 'null' } }],
    ['throwString', { kind: 'error', error: { message: 'plain text' } }],
    ['throwHostile', { kind: 'error' }],
    [
      'throwRich',
      {
        kind: 'error',
        error: { name: 'TypeError', code: 'E_RICH', details: { at: 7 }, cause: { message: 'the cause' } },
      },
    ],
  ])('%s', async (name, expected) => {
    open();
    expect(await recorder.run(step(name))).toMatchObject(expected);
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
  });

  it('may be large, up to the limit', async () => {
    open();
    const outcome = await recorder.run(step('large'), { length: 40_000_000 });
    expect(brief(outcome)).toBe('error OUTPUT_TOO_LARGE');
    expect(brief(await recorder.run(step('large'), { length: 20_000_000 }))).toBe('ok');
  });
});

describe('step modules', () => {
  it('are named when they do not exist', async () => {
    open();
    const outcome = await recorder.run(uses('./nowhere.js#x'));
    expect(outcome).toMatchObject({
      kind: 'error',
      error: { code: 'STEP_NOT_FOUND', message: expect.stringContaining(join(baseDir, 'nowhere.js')) },
    });
  });

  it('are listed when an export does not exist or is no function', async () => {
    open();
    for (const name of ['missing', 'notAFunction', 'toString', '__proto__'])
      expect(await recorder.run(step(name))).toMatchObject({
        error: { code: 'STEP_NOT_FOUND', message: expect.stringContaining('asyncQuick') },
      });
  });

  it('fail with their own message when they cannot be loaded', async () => {
    open();
    const root = mkdtempSync(join(tmpdir(), 'maestro-'));
    writeFileSync(join(root, 'broken.mjs'), 'export const step = () => {');
    writeFileSync(join(root, 'needy.mjs'), 'import "./not-there.mjs";');
    const broken = await recorder.run(uses(join(root, 'broken.mjs#step')));
    expect(broken).toMatchObject({ error: { code: 'STEP_FAILED', cause: { name: 'SyntaxError' } } });
    const needy = await recorder.run(uses(join(root, 'needy.mjs#step')));
    expect(needy).toMatchObject({
      error: { code: 'STEP_FAILED', message: expect.stringContaining('not-there.mjs') },
    });
    rmSync(root, { recursive: true });
    expect(await recorder.run(uses('./throws-at-load.js#step'))).toMatchObject({
      error: { message: expect.stringContaining('not loadable today') },
    });
  });

  it('may have a default export, or be CommonJS', async () => {
    open();
    expect(await recorder.run(uses('./steps.js#default'))).toMatchObject({ output: '"default"' });
    expect(await recorder.run(uses('./common.cjs#computed'))).toMatchObject({ output: '"from CommonJS"' });
  });

  it('may be built in', async () => {
    open();
    expect(await recorder.run(uses('maestro:noop#task'))).toMatchObject({ output: '{}' });
    expect(await recorder.run(uses('maestro:sleep#task'))).toMatchObject({ output: '{}' });
    expect(await recorder.run(uses('maestro:sleep#task'), { seconds: 0.01 })).toMatchObject({ output: '{}' });
    expect(await recorder.run(uses('maestro:spin#task'), { microseconds: 50 })).toMatchObject({
      output: '{}',
    });
    const job = await recorder.start(uses('maestro:sleep#task'), { seconds: 3e6 });
    recorder.pool.cancel(job.id, { name: 'E', message: 'm', code: 'STEP_TIMEOUT' }, 60_000);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_TIMEOUT');
  });
});

describe('many jobs', () => {
  it('settle exactly once each', async () => {
    open();
    const outcomes = [];
    const noop = uses('maestro:noop#task');
    for (let left = 10_000; left > 0;) {
      const jobs = Array.from({ length: Math.min(left, recorder.pool.room(noop)) }, () => recorder.job(noop));
      outcomes.push(...(await recorder.dispatch(jobs)));
      left -= jobs.length;
    }
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(10_000);
    expect(recorder.outcomes.size).toBe(10_000);
    expect(recorder.twice).toEqual([]);
    expect(recorder.pool.busy).toBe(0);
  });

  it('never wait long behind a neighbour that turns out slow', async () => {
    open();
    for (const name of ['usuallyShort', 'usuallyShortBlock']) {
      for (let i = 0; i < 30; i++) await recorder.run(step(name));
      const slow = recorder.job(step(name), { nodeConfig: '{"ms":5000}' });
      const others = Array.from({ length: 40 }, () => recorder.job(step(name)));
      const settled = recorder.dispatch([slow, ...others]);
      await Promise.all(others.map(({ id }) => recorder.settledOf(id)));
      expect(recorder.outcomes.has(slow.id)).toBe(false);
      recorder.pool.cancel(slow.id, { name: 'E', message: 'm' }, 0);
      await settled;
    }
    expect(recorder.twice).toEqual([]);
  });
});
