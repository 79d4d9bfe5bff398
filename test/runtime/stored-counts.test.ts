import { describe, expect, it } from 'vitest';
import { StoredCounts } from '../../src/runtime/stored-counts.js';
import { SimulatedClock } from '../support/simulation.js';

const counts = (completed: number) => ({
  pending: 0,
  running: 0,
  paused: 0,
  completed,
  failed: 0,
  cancelled: 0,
});

/** A store that takes `tookMs` to count, and says how often it did. */
function slowStore(clock: SimulatedClock, tookMs: number) {
  let times = 0;
  return {
    times: () => times,
    countByStatus: () =>
      new Promise<ReturnType<typeof counts>>((resolve) =>
        clock.setTimer(tookMs, () => resolve(counts(++times))),
      ),
  };
}

/** Lets time pass. */
async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  await clock.run(new Promise<void>((resolve) => clock.setTimer(ms, resolve)));
}

describe('counts of what is stored', () => {
  it('are read at most once a second when reading is quick', async () => {
    const clock = new SimulatedClock();
    const store = slowStore(clock, 1);
    const stored = new StoredCounts(store, clock);
    for (let k = 0; k < 10; k++) expect(await clock.run(stored.read())).toEqual(counts(1));
    await pass(clock, 1000);
    expect(await clock.run(stored.read())).toEqual(counts(2));
  });

  it('take 2 % of the time at most, and nobody waits long who can have the last ones', async () => {
    const clock = new SimulatedClock();
    const store = slowStore(clock, 2000);
    const stored = new StoredCounts(store, clock);
    const beganMs = clock.nowMs();
    await clock.run(stored.read());
    for (let k = 0; k < 1000; k++) {
      const askedMs = clock.nowMs();
      expect(await clock.run(stored.read())).toEqual(counts(store.times()));
      expect(clock.nowMs() - askedMs).toBeLessThanOrEqual(200);
      await pass(clock, 1000);
    }
    const share = (2000 * store.times()) / (clock.nowMs() - beganMs);
    expect(share).toBeLessThan(0.021);
    expect(store.times()).toBeGreaterThan(5);
  });

  it('are null when they cannot be read, and the last ones when they no longer can', async () => {
    const clock = new SimulatedClock();
    let works = false;
    const countByStatus = () => (works ? Promise.resolve(counts(7)) : Promise.reject(new Error('no disk')));
    const stored = new StoredCounts({ countByStatus }, clock);
    expect(await stored.read()).toBeNull();
    works = true;
    await pass(clock, 1000);
    expect(await clock.run(stored.read())).toEqual(counts(7));
    works = false;
    await pass(clock, 1000);
    expect(await clock.run(stored.read())).toEqual(counts(7));
  });
});
