import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPool, type Job, type JobOutcome } from '../../src/pool/index.js';
import { brief, fixtureStep as step, PoolRecorder } from '../support/pool-recorder.js';

let recorder: PoolRecorder;
beforeEach(async () => {
  recorder = new PoolRecorder(createPool({ threads: 2 }));
  // So often that it is known to be short, and travels in batches.
  for (let i = 0; i < 40; i++) await recorder.run(step('moment'));
});
afterEach(() => recorder.pool.close(0));

const jobs = (count: number): Job[] => Array.from({ length: count }, () => recorder.job(step('moment')));
const momentOf = (outcome: JobOutcome): bigint => {
  if (!outcome.ok) throw new Error(brief(outcome));
  return BigInt(JSON.parse(outcome.output) as string);
};
const stage = (staged: readonly Job[]): void => recorder.pool.stage!(staged);

describe('jobs that are staged', () => {
  it.each([1, 2, 5, 700])('begin when they are dispatched, and not before: %i', async (count) => {
    for (let round = 0; round < 5; round++) {
      const all = jobs(count);
      stage(all.slice(0, 512));
      await delay(round);
      const sinceNs = process.hrtime.bigint();
      const outcomes = await recorder.dispatch(all);
      for (const outcome of outcomes) expect(momentOf(outcome)).toBeGreaterThan(sinceNs);
    }
    expect(recorder.twice).toEqual([]);
  });

  it('may be dispatched as the first of more', async () => {
    const all = jobs(9);
    stage(all.slice(0, 3));
    expect((await recorder.dispatch(all)).map(brief)).toEqual(Array(9).fill('ok'));
    expect(recorder.twice).toEqual([]);
  });

  it.each([
    ['without one of them', (staged: Job[]) => staged.slice(1)],
    ['in another order', (staged: Job[]) => staged.toReversed()],
    ['behind others', (staged: Job[]) => [recorder.job(step('moment')), ...staged]],
    ['not at all, but others are', () => jobs(4)],
  ])('never begin where they are staged when they are dispatched %s', async (_, change) => {
    const staged = jobs(4);
    stage(staged);
    await delay(1);
    const dispatched = change(staged);
    expect((await recorder.dispatch(dispatched)).map(brief)).toEqual(dispatched.map(() => 'ok'));
    await delay(20);
    expect(recorder.twice).toEqual([]);
    for (const { id } of staged)
      expect(recorder.outcomes.has(id)).toBe(dispatched.some((job) => job.id === id));
  });

  it('do not keep workers when they are never dispatched', async () => {
    const staged = jobs(2);
    stage(staged);
    await delay(50);
    expect((await recorder.dispatch(jobs(2))).map(brief)).toEqual(['ok', 'ok']);
    for (const { id } of staged) expect(recorder.outcomes.has(id)).toBe(false);
  });

  it('are dispatched as ever after a commit that took long', async () => {
    const staged = jobs(6);
    stage(staged);
    await delay(50);
    const sinceNs = process.hrtime.bigint();
    for (const outcome of await recorder.dispatch(staged)) expect(momentOf(outcome)).toBeGreaterThan(sinceNs);
    expect(recorder.twice).toEqual([]);
  });

  it('survive the death of a worker that has them', async () => {
    for (let i = 0; i < 5; i++) {
      // By a worker that has not died yet of the last one.
      await expect.poll(async () => brief(await recorder.run(step('exitLater'), { ms: 3 * i }))).toBe('ok');
      const staged = jobs(4);
      stage(staged);
      await delay(3 * i);
      const outcomes = await recorder.dispatch(staged);
      // Those that were with the worker that died are given back, not charged.
      for (const outcome of outcomes) expect(['ok', 'lost WORKER_LOST']).toContain(brief(outcome));
      await delay(20);
    }
    expect(recorder.twice).toEqual([]);
    expect(recorder.failures).toEqual([]);
  });

  it("are nobody's when the pool closes", async () => {
    const staged = jobs(4);
    stage(staged);
    await recorder.pool.close(1_000);
    for (const { id } of staged) expect(recorder.outcomes.has(id)).toBe(false);
  });
});

describe('nothing is staged', () => {
  it('while workers have something to do: they would wait with what they have next', async () => {
    const busy = recorder.dispatch([recorder.job(step('wait'), { nodeConfig: '{"ms":30}' })]);
    const staged = jobs(2);
    stage(staged);
    expect((await recorder.dispatch(jobs(2))).map(brief)).toEqual(['ok', 'ok']);
    expect((await recorder.dispatch(staged)).map(brief)).toEqual(['ok', 'ok']);
    expect((await busy).map(brief)).toEqual(['ok']);
    expect(recorder.twice).toEqual([]);
  });

  it('of jobs whose start is told: their clocks would run', async () => {
    const staged = [recorder.job(step('moment'), {}, true)];
    stage(staged);
    await delay(5);
    expect(recorder.startedIds).toEqual([]);
    expect((await recorder.dispatch(staged)).map(brief)).toEqual(['ok']);
    expect(recorder.startedIds).toEqual([staged[0].id]);
  });
});
