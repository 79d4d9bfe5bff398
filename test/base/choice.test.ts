import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Choice } from '../../src/base/choice.js';

/** Takes ways so many times. @returns how often the second one was taken */
function play(choice: Choice, times: number, tookOf: (way: 0 | 1) => number): number {
  let second = 0;
  for (let k = 0; k < times; k++) {
    const way = choice.next();
    second += way;
    choice.note(way, tookOf(way));
  }
  return second;
}

describe('a choice of two ways', () => {
  it('takes the one that takes less time, and now and then the other', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.double({ min: 1.01, max: 3, noNaN: true }),
        fc.boolean(),
        (took, times, isSecond) => {
          const worse = isSecond ? 0 : 1;
          const second = play(new Choice(), 320, (way) => (way === worse ? took * times : took));
          const better = isSecond ? second : 320 - second;
          expect(better).toBeGreaterThan(280);
          expect(better).toBeLessThan(320);
        },
      ),
    );
  });

  it('follows a change', () => {
    const choice = new Choice();
    play(choice, 320, (way) => (way === 0 ? 1 : 2));
    play(choice, 640, (way) => (way === 0 ? 2 : 1));
    expect(play(choice, 320, (way) => (way === 0 ? 2 : 1))).toBeGreaterThan(280);
  });

  it('is not turned by one that was held up', () => {
    const choice = new Choice();
    play(choice, 320, (way) => (way === 0 ? 1 : 2));
    choice.note(0, 10_000);
    expect(play(choice, 15, (way) => (way === 0 ? 1 : 2))).toBeLessThan(3);
  });
});
