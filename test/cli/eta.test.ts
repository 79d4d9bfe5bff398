import { describe, expect, it } from 'vitest';
import { estimateSecondsLeft } from '../../src/cli/progress/eta.js';

describe('estimateSecondsLeft', () => {
  it('goes on at the mean rate', () => {
    expect(estimateSecondsLeft({ elapsedSeconds: 10, doneWeight: 25, remainingWeight: 75 })).toBe(30);
  });

  it('is the mean duration times the nodes left over the parallelism', () => {
    // 40 nodes of 2 s each, four at a time: after 10 s 20 are done.
    expect(estimateSecondsLeft({ elapsedSeconds: 10, doneWeight: 20, remainingWeight: 20 })).toBe(
      (2 * 20) / 4,
    );
  });

  it('is unknown while nothing, or next to nothing, is done', () => {
    expect(estimateSecondsLeft({ elapsedSeconds: 10, doneWeight: 0, remainingWeight: 5 })).toBeUndefined();
    expect(estimateSecondsLeft({ elapsedSeconds: 10, doneWeight: 1, remainingWeight: 999 })).toBeUndefined();
    expect(estimateSecondsLeft({ elapsedSeconds: 0.2, doneWeight: 3, remainingWeight: 5 })).toBeUndefined();
  });

  it('is zero when nothing is left', () => {
    expect(estimateSecondsLeft({ elapsedSeconds: 0, doneWeight: 0, remainingWeight: 0 })).toBe(0);
  });
});
