import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pacing } from '../../src/supervisor/pacing.js';

function paced(...commitMs: number[]) {
  const world = { nowMs: 1000, dueMs: 0.1, aheadMs: 0.1 };
  const pacing = new Pacing();
  for (let k = 0; k < 300; k++) pacing.note(commitMs[k % commitMs.length], world.nowMs);
  return { world, pacing, holds: () => pacing.holds(world, world.nowMs) };
}

describe('a commit', () => {
  it('waits for company that is due, for as long as a commit takes', () => {
    const { world, holds } = paced(0.4);
    expect(holds()).toBe(true);
    world.nowMs += 0.38;
    expect(holds()).toBe(true);
    world.nowMs += 0.03;
    expect(holds()).toBe(false);
  });

  it('waits for as long as one with little in it takes, where there are large ones', () => {
    const { world, holds } = paced(0.5, 0.5, 0.15);
    expect(holds()).toBe(true);
    world.nowMs += 0.14;
    expect(holds()).toBe(true);
    world.nowMs += 0.1;
    expect(holds()).toBe(false);
    world.dueMs = 0.3;
    world.nowMs += 1;
    expect(holds()).toBe(false);
  });

  it('waits for nobody: a chain never does', () => {
    const { world, holds } = paced(0.4);
    world.dueMs = world.aheadMs = 0;
    expect(holds()).toBe(false);
  });

  it('does not wait for what takes longer than it would wait', () => {
    const { world, holds } = paced(0.4);
    world.dueMs = 0.41;
    expect(holds()).toBe(false);
  });

  it('waits for longer while workers have plenty of work, and no longer when they have not', () => {
    const { world, holds } = paced(0.4);
    Object.assign(world, { dueMs: 0, aheadMs: 1 });
    expect(holds()).toBe(true);
    world.nowMs += 1.5;
    expect(holds()).toBe(true);
    world.aheadMs = 0.3;
    expect(holds()).toBe(false);
    world.aheadMs = 1;
    world.nowMs += 0.11;
    expect(holds()).toBe(false);
  });

  it('waits anew for each commit', () => {
    const { world, pacing, holds } = paced(0.4);
    expect(holds()).toBe(true);
    world.nowMs += 1;
    expect(holds()).toBe(false);
    pacing.note(0.4, world.nowMs);
    expect(holds()).toBe(true);
  });

  it('never waits long, however slow the disk is and however much is due', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.array(fc.nat(900)),
        (commitMs, aheadMs, steps) => {
          const { world, holds } = paced(commitMs);
          Object.assign(world, { aheadMs });
          const sinceMs = world.nowMs;
          for (const step of steps) {
            const held = holds();
            if (held) expect(world.nowMs - sinceMs).toBeLessThan(4);
            else break;
            world.nowMs += step / 1000;
          }
        },
      ),
    );
  });

  /** Commits one closely after the other. @returns for how long each was to be awaited awake */
  function follow(pacing: Pacing, nowMs: number, durationOf: (isAwake: boolean) => number): number[] {
    return Array.from({ length: 160 }, () => {
      const awakeMs = pacing.awakeMs(nowMs + 0.3);
      pacing.note(durationOf(awakeMs > 0), nowMs);
      return awakeMs;
    });
  }
  const isAwake = (ms: number): boolean => ms > 0;

  it('is awaited without sleep where it takes less time so, and follows another', () => {
    const { world, pacing } = paced(0.2);
    const awake = follow(pacing, world.nowMs, (is) => (is ? 0.2 : 0.3));
    expect(awake.filter(isAwake).length).toBeGreaterThan(140);
    expect(Math.max(...awake)).toBeLessThan(0.6);
    expect(pacing.awakeMs(world.nowMs + 5)).toBe(0);
  });

  it('is slept over where it takes longer awake', () => {
    const { world, pacing } = paced(0.2);
    const awake = follow(pacing, world.nowMs, (is) => (is ? 0.3 : 0.2));
    expect(awake.filter(isAwake).length).toBeLessThan(20);
    expect(awake.filter(isAwake).length).toBeGreaterThan(4);
  });

  it('is slept over when it is long, or the first after a pause', () => {
    const { world, pacing } = paced(0.6);
    expect(follow(pacing, world.nowMs, () => 0.6).filter(isAwake)).toEqual([]);
    const fast = paced(0.2);
    for (let k = 0; k < 100; k++) expect(fast.pacing.awakeMs(fast.world.nowMs + 5)).toBe(0);
    expect(new Pacing().awakeMs(0)).toBe(0);
  });
});
