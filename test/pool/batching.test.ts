import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALONE,
  batchLength,
  Durations,
  MAX_BATCH,
  MessageCost,
  MIN_SHARE_MS,
  roomFor,
  shareMs,
  TARGET_MS,
} from '../../src/pool/batching.js';

const cost = fc.oneof(fc.double({ min: 0.001, max: TARGET_MS, noNaN: true }), fc.constant(ALONE));

/** The batches that go out at once to workers of which so many are idle. */
function sent(costs: readonly number[], idle: number, threads: number, leastMs = MIN_SHARE_MS): number[] {
  const lengths: number[] = [];
  let at = 0;
  const costAt = (index: number): number => costs[at + index];
  for (let worker = 0; worker < idle && at < costs.length; worker++) {
    const share = shareMs(costAt, costs.length - at, {
      workers: threads - worker,
      leastMs,
      areSomeBusy: threads > idle,
    });
    const length = batchLength(costAt, costs.length - at, share);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

describe('batches', () => {
  it('have one job at least, hold the target, and never take what must travel alone along', () => {
    fc.assert(
      fc.property(
        fc.array(cost, { minLength: 1, maxLength: 600 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 8 }),
        (costs, idle, busy) => {
          let at = 0;
          for (const length of sent(costs, idle, idle + busy)) {
            expect(length).toBeGreaterThanOrEqual(1);
            expect(length).toBeLessThanOrEqual(Math.min(costs.length - at, MAX_BATCH));
            const sumMs = costs.slice(at, at + length).reduce((sum, ms) => sum + ms, 0);
            const halfMs = costs[at + length - 1] / 2;
            if (length > 1) expect(sumMs - halfMs).toBeLessThanOrEqual(TARGET_MS * 1.000001);
            at += length;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leave work for every idle worker when there is enough to share', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 400 }),
        fc.integer({ min: 2, max: 8 }),
        fc.double({ min: 0.002, max: TARGET_MS, noNaN: true }),
        (jobs, idle, ms) => {
          const worthSharing = Math.min(jobs, idle, Math.floor((jobs * ms) / (MIN_SHARE_MS + ms)));
          const costs = Array.from({ length: jobs }, () => ms);
          expect(sent(costs, idle, idle).length).toBeGreaterThanOrEqual(worthSharing);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('share equally what one round takes: nothing is left for a second', () => {
    const costs = Array.from({ length: 100 }, () => 0.032);
    expect(sent(costs, 2, 2)).toEqual([50, 50]);
    expect(sent(costs.slice(0, 97), 2, 2)).toEqual([49, 48]);
    expect(sent(costs.slice(0, 99), 3, 3)).toEqual([33, 33, 33]);
  });

  it('are fewer where a part would not be worth its message', () => {
    const costs = Array.from({ length: 100 }, () => 0.004);
    expect(sent(costs, 2, 2, 0.1)).toEqual([50, 50]);
    expect(sent(costs, 2, 2, 0.3)).toEqual([100]);
    // Equal parts all the same.
    expect(sent(costs, 4, 4, 0.15)).toEqual([50, 50]);
  });

  it('leave to workers that are still busy what is theirs, unless it is too little', () => {
    const costs = Array.from({ length: 100 }, () => 0.02);
    expect(sent(costs, 1, 2)).toEqual([50]);
    expect(sent(costs.slice(0, 15), 1, 2)).toEqual([15]);
  });

  it('are none when nothing is ready or nobody is idle', () => {
    expect(sent([], 3, 3)).toEqual([]);
    expect(sent([1, 1, 1], 0, 3)).toEqual([]);
  });

  it('are full when there is much, and one each when each must travel alone', () => {
    expect(
      sent(
        Array.from({ length: 1_000 }, () => 1 / 64),
        1,
        1,
      ),
    ).toEqual([128]);
    expect(
      sent(
        Array.from({ length: 1_000 }, () => ALONE),
        1,
        1,
      ),
    ).toEqual([1]);
  });
});

describe('durations', () => {
  it('are unknown at first, then follow what was measured', () => {
    const durations = new Durations();
    expect(durations.cost('a')).toBe(ALONE);
    durations.record('a', 3);
    expect(durations.cost('a')).toBe(ALONE);
    for (let i = 0; i < 20; i++) durations.record('a', 0.01);
    expect(durations.cost('a')).toBeLessThan(0.02);
    for (let i = 0; i < 20; i++) durations.record('a', 30);
    expect(durations.cost('a')).toBe(ALONE);
    expect(durations.cost('b')).toBe(ALONE);
  });

  it('stay bounded, forgetting the oldest', () => {
    const durations = new Durations();
    for (let i = 0; i < 10_001; i++) durations.record(`k${i}`, 0.1);
    expect(durations.cost('k0')).toBe(ALONE);
    expect(durations.cost('k1')).toBeLessThan(1);
  });
});

describe('a message', () => {
  it('must be worth some times what it costs to send, within limits', () => {
    const messages = new MessageCost();
    expect(messages.leastShareMs).toBe(MIN_SHARE_MS);
    for (let i = 0; i < 200; i++) messages.note(0.05);
    expect(messages.leastShareMs).toBeCloseTo(0.15, 2);
    messages.note(1_000);
    expect(messages.leastShareMs).toBeLessThan(0.5);
    for (let i = 0; i < 200; i++) messages.note(1_000);
    expect(messages.leastShareMs).toBe(0.6);
    for (let i = 0; i < 200; i++) messages.note(0.005);
    expect(messages.leastShareMs).toBe(MIN_SHARE_MS);
  });
});

describe('room', () => {
  it('is one running and one ahead per worker for long jobs', () => {
    expect(roomFor(ALONE, { alone: 0, shortMs: 0 }, 2)).toBe(4);
    expect(roomFor(ALONE, { alone: 3, shortMs: 0 }, 2)).toBe(1);
    expect(roomFor(ALONE, { alone: 4, shortMs: 0 }, 2)).toBe(0);
  });

  it('is some milliseconds of work per worker for short ones', () => {
    expect(roomFor(0.01, { alone: 0, shortMs: 0 }, 2)).toBe(800);
    expect(roomFor(0.01, { alone: 0, shortMs: 8 }, 2)).toBe(0);
    expect(roomFor(0.01, { alone: 4, shortMs: 0 }, 2)).toBe(0);
  });

  it('never lets a pool take more than it asked for', () => {
    fc.assert(
      fc.property(
        cost,
        fc.array(cost, { maxLength: 40 }),
        fc.integer({ min: 1, max: 16 }),
        (ms, inHand, threads) => {
          const load = {
            alone: inHand.filter((c) => c === ALONE).length,
            shortMs: inHand.filter((c) => c !== ALONE).reduce((sum, c) => sum + c, 0),
          };
          const room = roomFor(ms, load, threads);
          expect(room).toBeGreaterThanOrEqual(0);
          const after =
            ms === ALONE
              ? { alone: load.alone + room, shortMs: load.shortMs }
              : { alone: load.alone, shortMs: load.shortMs + room * ms };
          expect(roomFor(ms, after, threads)).toBeLessThanOrEqual(ms === ALONE ? 0 : 1);
        },
      ),
      { numRuns: 500 },
    );
  });
});
