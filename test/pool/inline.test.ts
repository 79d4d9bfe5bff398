import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { StepFunction } from '../../src/base/step.js';
import { createPool } from '../../src/pool/index.js';
import type { Pool, StepRef } from '../../src/pool/port.js';
import { poolContract } from '../contracts/pool.contract.js';
import { brief, CANCELLED, PoolRecorder } from '../support/pool-recorder.js';

const step = (fn: StepFunction): StepRef => ({ kind: 'inline', key: 'test', fn });

poolContract('inline', {
  create: () => createPool({ inline: 3 }),
  steps: {
    quick: step(() => ({ done: true })),
    failing: step(() => {
      throw new Error('no');
    }),
    wait: step(({ nodeConfig }) => delay(nodeConfig.ms as number)),
    honour: step(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('x')))),
    ),
    ignore: step(() => new Promise(() => {})),
  },
  runs: 60,
});

describe('inline steps', () => {
  let pool: Pool | undefined;
  const open = (inline = 100): PoolRecorder => {
    pool = createPool({ inline, maxOutputBytes: 100 });
    return new PoolRecorder(pool);
  };
  afterEach(() => pool?.close(0));

  it('runs no more at once than it is allowed', async () => {
    const recorder = open(2);
    let running = 0;
    let most = 0;
    const counting = step(async () => {
      most = Math.max(most, ++running);
      await delay(2);
      running -= 1;
    });
    expect(recorder.pool.room(counting)).toBe(2);
    const settled = recorder.dispatch(Array.from({ length: 7 }, () => recorder.job(counting)));
    expect(recorder.pool.room(counting)).toBe(0);
    await settled;
    expect(most).toBe(2);
  });

  it('drops what comes of a step that outlived its grace period', async () => {
    const recorder = open();
    let finish: () => void = () => {};
    const late = step(() => new Promise<void>((resolve) => (finish = resolve)));
    const job = await recorder.start(late);
    await delay(1);
    recorder.pool.cancel(job.id, CANCELLED, 1);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    finish();
    await delay(1);
    expect(recorder.twice).toEqual([]);
  });

  it('lets a job that is dropped before it begins never run', async () => {
    const recorder = open();
    let ran = false;
    const job = recorder.job(step(() => (ran = true)));
    const settled = recorder.dispatch([job]);
    recorder.pool.cancel(job.id, CANCELLED, 1_000);
    expect((await settled).map(brief)).toEqual(['error STEP_CANCELLED']);
    expect(ran).toBe(false);
  });

  it('limits what a step may return', async () => {
    const recorder = open();
    expect(brief(await recorder.run(step(() => 'é'.repeat(60))))).toBe('error OUTPUT_TOO_LARGE');
    expect(brief(await recorder.run(step(() => 'é'.repeat(49))))).toBe('ok');
  });

  it('fetches what is asked for, and a large global context before the step runs', async () => {
    const recorder = open();
    const asking = step(async ({ allOutputs, globalContext }) => [await allOutputs(), globalContext]);
    const outcome = await recorder.run(asking, {}, { globalContext: null });
    expect(outcome).toMatchObject({ output: '[{"kind":"allOutputs"},{"kind":"globalContext"}]' });
    recorder.answer = () => Promise.reject(new Error('store is gone'));
    expect(await recorder.run(asking, {}, { globalContext: null })).toMatchObject({
      ok: false,
      kind: 'error',
      error: { message: 'store is gone' },
    });
  });

  it('passes on heartbeats and progress while the job lives', async () => {
    const recorder = open();
    let report: () => void = () => {};
    await recorder.run(
      step(({ heartbeat, progress }) => {
        report = () => {
          heartbeat();
          progress(0.5, 'half');
        };
        report();
      }),
    );
    report();
    expect(recorder.heartbeats).toHaveLength(1);
    expect(recorder.reports).toEqual([{ jobId: 1, fraction: 0.5, message: 'half' }]);
  });
});
