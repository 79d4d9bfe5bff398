import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createPool, type PoolSettings } from '../../src/pool/index.js';
import { brief, CANCELLED, fixtureStep as step, PoolRecorder } from '../support/pool-recorder.js';

let recorder: PoolRecorder;
const open = (settings: PoolSettings = {}): void => {
  recorder = new PoolRecorder(createPool({ threads: 2, ...settings }));
};
afterEach(() => recorder.pool.close(0));
/** Threads that there are. */
const alive = (): number => recorder.pool.status().find(({ worker }) => worker === 'thread')!.alive;

describe('a step that ends its worker', () => {
  it.each(['exit', 'throwOutside', 'rejectOutside'])('has crashed, and the pool heals: %s', async (name) => {
    open({ threads: 1 });
    for (let i = 0; i < 2; i++) {
      expect(brief(await recorder.run(step(name)))).toBe('crashed WORKER_LOST');
      expect(brief(await recorder.run(step('quick')))).toBe('ok');
    }
  });

  it('is told what went wrong', async () => {
    open();
    expect(await recorder.run(step('throwOutside'))).toMatchObject({
      error: { message: expect.stringContaining('outside'), cause: { message: 'outside' } },
    });
  });

  it('takes its neighbours along, who are not to blame', async () => {
    // No time passes: a thread that takes more than 10 ms to end, on a busy machine, would give back what has not begun.
    open({ threads: 1, clock: { ...systemClock, nowMs: () => 0 } });
    for (let i = 0; i < 30; i++) await recorder.run(step('usuallyShortExit'));
    const before = Array.from({ length: 3 }, () => recorder.job(step('usuallyShortExit')));
    const guilty = recorder.job(step('usuallyShortExit'), { nodeConfig: '{"ms":1}' });
    const after = Array.from({ length: 3 }, () => recorder.job(step('usuallyShortExit')));
    const outcomes = (await recorder.dispatch([...before, guilty, ...after])).map(brief);
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'crashed WORKER_LOST', ...Array(3).fill('lost WORKER_LOST')]);
    expect(recorder.twice).toEqual([]);
  });

  it.each(['exitLater', 'throwLater', 'rejectLater'])(
    'after its result was sent, does not make the next job guilty: %s',
    async (name) => {
      open({ threads: 1 });
      expect(brief(await recorder.run(step(name), { ms: 60 }))).toBe('ok');
      expect(brief(await recorder.run(step('wait'), { ms: 2_000 }))).toBe('lost WORKER_LOST');
      expect(brief(await recorder.run(step('quick')))).toBe('ok');
    },
  );

  it.each(['exitLater', 'throwLater', 'rejectLater'])(
    'after its result was sent, does not take the result along: %s',
    async (name) => {
      for (let i = 0; i < 20; i++) {
        open({ threads: 1 });
        const settled = recorder.run(step(name), { ms: 1 });
        // From some moment of its start on, this thread is busy, and hears of result and death at once.
        await delay(4 * i);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
        expect(brief(await settled)).toBe('ok');
        await recorder.pool.close(0);
      }
    },
  );

  it('after its result was sent, may hit an idle worker', async () => {
    open({ threads: 1 });
    for (const name of ['exitLater', 'throwLater', 'rejectLater']) {
      expect(brief(await recorder.run(step(name), { ms: 5 }))).toBe('ok');
      await expect.poll(alive).toBe(0);
      expect(brief(await recorder.run(step('quick')))).toBe('ok');
    }
    expect(recorder.failures).toEqual([]);
  });

  it('too often, stops the pool with a clear error', async () => {
    open({ restart: { maxRestarts: 3, withinMs: 600_000 } });
    for (let i = 0; i < 3; i++) expect(brief(await recorder.run(step('exit')))).toBe('crashed WORKER_LOST');
    expect(recorder.failures).toEqual([]);
    const waiting = recorder.job(step('wait'), { nodeConfig: '{"ms":60000}' });
    const settled = recorder.dispatch([waiting]);
    expect(brief(await recorder.run(step('exit')))).toBe('crashed WORKER_LOST');
    expect((await settled).map(brief)).toEqual(['lost POOL_STOPPED']);
    expect(recorder.failures).toMatchObject([{ code: 'POOL_STOPPED' }]);
    expect(recorder.pool.room(step('quick'))).toBe(0);
    expect(brief(await recorder.run(step('quick')))).toBe('lost POOL_STOPPED');
    expect(recorder.failures).toHaveLength(1);
  });

  it('too often while idle, stops the pool too', async () => {
    open({ threads: 1, restart: { maxRestarts: 1, withinMs: 600_000 } });
    for (let i = 0; i < 2; i++) {
      expect(brief(await recorder.run(step('exitLater'), { ms: 5 }))).toBe('ok');
      await expect.poll(alive).toBe(0);
    }
    await expect.poll(() => recorder.failures).toMatchObject([{ code: 'POOL_STOPPED' }]);
  });
});

describe('cancelling a step on a thread', () => {
  it('fires its signal with the reason', async () => {
    open();
    const job = await recorder.start(step('honour'));
    recorder.pool.cancel(job.id, { ...CANCELLED, code: 'STEP_HEARTBEAT' }, 60_000);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_HEARTBEAT');
  });

  it('takes no result that comes after the signal', async () => {
    open();
    const job = await recorder.start(step('returnOnAbort'));
    recorder.pool.cancel(job.id, CANCELLED, 60_000);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
  });

  it('ends a worker in an endless loop, and only that one', async () => {
    open();
    const other = recorder.dispatch([recorder.job(step('wait'), { nodeConfig: '{"ms":300}' }, true)]);
    const job = await recorder.start(step('loop'));
    recorder.pool.cancel(job.id, CANCELLED, 20);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    expect((await other).map(brief)).toEqual(['ok']);
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
    expect(recorder.failures).toEqual([]);
  });

  it('does not wait for a thread that is stuck in native code', async () => {
    open({ threads: 1 });
    const job = await recorder.start(step('blockedInChild'));
    recorder.pool.cancel(job.id, CANCELLED, 10);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
  });

  it('does not count as a death', async () => {
    open({ threads: 1, restart: { maxRestarts: 0, withinMs: 600_000 } });
    const job = await recorder.start(step('ignore'));
    recorder.pool.cancel(job.id, CANCELLED, 0);
    await recorder.settledOf(job.id);
    expect(brief(await recorder.run(step('quick')))).toBe('ok');
    expect(recorder.failures).toEqual([]);
  });

  it('leaves the rest of the batch alone, whichever job of it is cancelled', async () => {
    open({ threads: 1 });
    for (let i = 0; i < 30; i++) await recorder.run(step('usuallyShortBlock'));
    for (const cancelled of [0, 1, 5]) {
      // The first job blocks its worker for a while, whatever happens.
      const jobs = Array.from({ length: 8 }, (_, i) =>
        recorder.job(step('usuallyShortBlock'), { nodeConfig: i === 0 ? '{"ms":100}' : '{}' }),
      );
      const settled = recorder.dispatch(jobs);
      await delay(30);
      recorder.pool.cancel(jobs[cancelled].id, CANCELLED, 5);
      const expected = jobs.map((_, i) => (i === cancelled ? 'error STEP_CANCELLED' : 'ok'));
      expect((await settled).map(brief)).toEqual(expected);
      for (let i = 0; i < 30; i++) await recorder.run(step('usuallyShortBlock'));
    }
    expect(recorder.twice).toEqual([]);
  });

  it('reaches a job whose worker has not even started', async () => {
    open();
    const job = recorder.job(step('ignore'));
    const settled = recorder.dispatch([job]);
    await Promise.resolve();
    recorder.pool.cancel(job.id, CANCELLED, 10);
    expect((await settled).map(brief)).toEqual(['error STEP_CANCELLED']);
  });
});
