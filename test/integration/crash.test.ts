import { describe, expect, it } from 'vitest';
import { runCampaign } from './support/campaign.js';

/** Kills in all, over as many stores as it takes. */
const ROUNDS = Number(process.env.MAESTRO_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.MAESTRO_CRASH_SEED ?? Date.now() % 2 ** 31);

describe('a process that is killed', () => {
  it(
    `${ROUNDS} times goes on where it was: MAESTRO_CRASH_SEED=${SEED}`,
    async () => {
      const { failures, rounds, killed_while_recovering } = await runCampaign('crash', {
        rounds: ROUNDS,
        seed: SEED,
      });
      expect(failures).toEqual([]);
      expect(rounds).toBe(ROUNDS);
      expect(killed_while_recovering).toBeGreaterThan(0);
    },
    60_000 + ROUNDS * 10_000,
  );
});
