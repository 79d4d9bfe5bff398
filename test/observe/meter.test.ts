import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/engine/entries.js';
import { Histogram } from '../../src/observe/histogram.js';
import { Meter } from '../../src/observe/meter.js';

const error = (code?: string) => ({ name: 'Error', message: 'no', ...(code !== undefined && { code }) });
const entry = (node: number, event: object) => ({ node, event, atMs: 1 }) as Entry;

describe('a histogram', () => {
  it('puts every value into the first bucket that holds it', () => {
    const bounds = [0.5, 1, 10];
    const values = fc.array(fc.double({ min: 0, max: 20, noNaN: true }));
    fc.assert(
      fc.property(values, (given) => {
        const histogram = new Histogram(bounds);
        for (const value of given) histogram.record(value);
        const { counts, count, sum } = histogram.snapshot();
        const upTo = (bound: number) => given.filter((value) => value <= bound).length;
        let below = 0;
        const cumulative = counts.map((inBucket) => (below += inBucket));
        expect(cumulative).toEqual([...bounds.map(upTo), given.length]);
        expect(count).toBe(given.length);
        expect(sum).toBeCloseTo(given.reduce((a, b) => a + b, 0));
      }),
    );
  });

  it('gives snapshots that stand still', () => {
    const histogram = new Histogram([1]);
    const before = histogram.snapshot();
    histogram.record(1);
    expect(before).toEqual({ bounds: [1], counts: [0, 0], sum: 0, count: 0 });
  });
});

describe('a meter', () => {
  it('counts nodes by how they ended, and attempts by outcome', () => {
    const meter = new Meter();
    meter.entries([
      entry(-1, { type: 'started' }),
      entry(0, { type: 'dependenciesMet' }),
      entry(0, { type: 'attemptStarted' }),
      entry(0, { type: 'attemptFailed', error: error('STEP_TIMEOUT'), durationMs: 1500, retryAtMs: 9 }),
      entry(0, { type: 'attemptStarted' }),
      entry(0, { type: 'recovered', reason: 'worker' }),
      entry(0, { type: 'attemptStarted' }),
      entry(0, { type: 'attemptSucceeded', output: 'null', artifacts: [], durationMs: 20 }),
      entry(1, { type: 'attemptFailed', error: error('WORKER_LOST'), durationMs: 3 }),
      entry(2, { type: 'attemptFailed', error: error(), durationMs: 2 }),
      entry(3, { type: 'conditionNotMet', condition: 'false' }),
      entry(4, { type: 'dependencyFailed', by: 1 }),
      entry(5, { type: 'cancelRequested' }),
      entry(-1, { type: 'nodeFailedForGood', node: 1, error: error() }),
    ]);
    const { executions, nodes, attemptSeconds } = meter.totals();
    expect(executions).toEqual({ started: 1, completed: 0, failed: 1, cancelled: 0 });
    expect(nodes).toEqual({
      attempts: 3,
      retries: 1,
      recovered: 1,
      completed: 1,
      failed: 2,
      skipped: 1,
      blocked: 1,
      cancelled: 1,
    });
    const ran = Object.entries(attemptSeconds).map(([outcome, { sum }]) => [outcome, sum]);
    expect(Object.fromEntries(ran)).toEqual({
      completed: 0.02,
      failed: 0.002,
      timed_out: 1.5,
      crashed: 0.003,
    });
  });

  it('measures commits by rows and bytes, and counts those that failed', () => {
    const meter = new Meter();
    meter.committed([{ key: 'ab', value: new Uint8Array(10) }, { key: 'c' }], meter.beginCommit());
    meter.commitFailed();
    const { commits } = meter.totals();
    expect(commits).toMatchObject({ failed: 1, rows: { sum: 2, count: 1 }, bytes: { sum: 13, count: 1 } });
    expect(commits.seconds.count).toBe(1);
  });
});
