import { describe, expect, it } from 'vitest';
import { describeFinding, explore } from './explore.js';

/** This file and its twin together run 2,000 seeds, on two cores if there are. */
const SEEDS = 1_000;

export function exploreAll(first: number): void {
  describe('the whole runtime in a simulated world', () => {
    it(`keeps every promise, twice the same, for ${SEEDS} seeds from ${first} on`, async () => {
      for (let seed = first; seed < first + SEEDS; seed++) {
        const { finding } = await explore(seed);
        expect(finding === null ? '' : describeFinding(finding)).toBe('');
      }
    }, 600_000);
  });
}
