import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { growthOf, slopeOf } from './trend.mjs';

/** A minute of samples, ten seconds apart for twenty minutes: a figure that saws, with growth per minute. */
function samples(growthPerMinute: number, seed: number, noise = 20) {
  const random = seededRandom(seed);
  return Array.from({ length: 120 }, (_, k): [number, number] => [
    k * 10,
    100 + (growthPerMinute * k) / 6 + noise * random(),
  ]);
}

describe('a trend', () => {
  it('is the slope, whatever outliers there are', () => {
    const points = Array.from({ length: 21 }, (_, k): [number, number] => [k, 3 + 2 * k]);
    points[4][1] = 1000;
    points[15][1] = -1000;
    expect(slopeOf(points).slope).toBe(2);
  });

  it('is not seen in what only saws', () => {
    for (let seed = 1; seed <= 200; seed++) expect(growthOf(samples(0, seed), 4).isFlat).toBe(true);
  });

  it('is seen in noise much larger than what is added from one sample to the next', () => {
    for (let seed = 1; seed <= 200; seed++) expect(growthOf(samples(3, seed), 4).isFlat).toBe(false);
  });

  it('is that of the second half: warming up is no leak', () => {
    const points = samples(0, 1).map(([t, v]): [number, number] => [t, t < 500 ? v * (t / 500) : v]);
    expect(growthOf(points, 4).isFlat).toBe(true);
  });
});
