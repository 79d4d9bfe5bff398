import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addRestart, type RestartIntensity, type RestartWindow } from '../../src/policy/restart-intensity.js';

function play(times: readonly number[], intensity: RestartIntensity): boolean[] {
  let window: RestartWindow = [];
  return times.map((atMs) => {
    const counted = addRestart(window, atMs, intensity);
    window = counted.window;
    return counted.exceeded;
  });
}

describe('addRestart', () => {
  const intensity = { maxRestarts: 2, withinMs: 100 };

  it('tolerates maxRestarts within the time, ends included, and no more', () => {
    expect(play([0, 50, 100], intensity)).toEqual([false, false, true]);
    expect(play([0, 50, 101], intensity)).toEqual([false, false, false]);
    expect(play([0, 50, 101, 150], intensity)).toEqual([false, false, false, true]);
  });

  it('tolerates none when none are allowed', () => {
    expect(play([7], { maxRestarts: 0, withinMs: 100 })).toEqual([true]);
  });

  it('does not change the window it is given, and keeps it bounded', () => {
    const window = Object.freeze([3, 2, 1]);
    expect(addRestart(window, 4, intensity)).toEqual({ window: [4, 3, 2], exceeded: true });
  });

  it('agrees with counting the whole history', () => {
    const gaps = fc.array(fc.nat({ max: 60 }), { maxLength: 40 });
    const intensities = fc.record({ maxRestarts: fc.nat({ max: 5 }), withinMs: fc.nat({ max: 200 }) });
    fc.assert(
      fc.property(gaps, intensities, (steps, { maxRestarts, withinMs }) => {
        let nowMs = 0;
        const times = steps.map((gap) => (nowMs += gap));
        const counted = times.map(
          (atMs, index) =>
            times.slice(0, index + 1).filter((past) => atMs - past <= withinMs).length > maxRestarts,
        );
        expect(play(times, { maxRestarts, withinMs })).toEqual(counted);
      }),
    );
  });
});
