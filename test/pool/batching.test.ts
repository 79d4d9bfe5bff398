import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALONE,
  batchLength,
  Durations,
  MAX_BATCH,
  MIN_SHARE_MS,
  roomFor,
  TARGET_MS,
} from '../../src/pool/batching.js';

const cost = fc.oneof(fc.double({ min: 0.001, max: TARGET_MS, noNaN: true }), fc.constant(ALONE));

describe('the length of a batch', () => {
  it('is at least one, holds the target, and never takes what must travel alone along', () => {
    fc.assert(
      fc.property(
        fc.array(cost, { minLength: 1, maxLength: 600 }),
        fc.integer({ min: 1, max: 8 }),
        (costs, idle) => {
          const length = batchLength((i) => costs[i], costs.length, idle);
          expect(length).toBeGreaterThanOrEqual(1);
          expect(length).toBeLessThanOrEqual(Math.min(costs.length, MAX_BATCH));
          if (length === 1) return;
          const sumMs = costs.slice(0, length).reduce((sum, ms) => sum + ms, 0);
          expect(sumMs).toBeLessThanOrEqual(TARGET_MS);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves work for every idle worker when there is enough to share', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 400 }),
        fc.integer({ min: 2, max: 8 }),
        fc.double({ min: 0.002, max: TARGET_MS, noNaN: true }),
        (jobs, idle, ms) => {
          let left = jobs;
          let sent = 0;
          for (let worker = idle; worker > 0 && left > 0; worker--) {
            left -= batchLength(() => ms, left, worker);
            sent += 1;
          }
          const worthSharing = Math.min(jobs, idle, Math.ceil((jobs * ms) / (MIN_SHARE_MS + ms)));
          expect(sent).toBeGreaterThanOrEqual(worthSharing);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is nothing when nothing is ready or nobody is idle', () => {
    expect(batchLength(() => 1, 0, 3)).toBe(0);
    expect(batchLength(() => 1, 3, 0)).toBe(0);
  });

  it('fills one message for the only idle worker', () => {
    expect(batchLength(() => 1 / 128, 1_000, 1)).toBe(128);
    expect(batchLength(() => ALONE, 1_000, 1)).toBe(1);
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
