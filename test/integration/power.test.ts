import { describe, expect, it } from 'vitest';
import { canTrace } from '../../bench/fsyncs.js';
import { runCampaign } from './support/campaign.js';

/** Power cuts, over as many traced lives as it takes. */
const ROUNDS = Number(process.env.MAESTRO_POWER_ROUNDS ?? 9);
const SEED = Number(process.env.MAESTRO_POWER_SEED ?? Date.now() % 2 ** 31);

describe.skipIf(!canTrace())('a machine whose power is cut', () => {
  it(
    `${ROUNDS} times has all that was told: MAESTRO_POWER_SEED=${SEED}`,
    async () => {
      const { failures, rounds } = await runCampaign('power', { rounds: ROUNDS, seed: SEED });
      expect(failures).toEqual([]);
      expect(rounds).toBe(ROUNDS);
    },
    120_000 + ROUNDS * 20_000,
  );

  it('is missed something where its disk lies about the log', { timeout: 400_000 }, async () => {
    const { failures } = await runCampaign('power', { rounds: 20, seed: 1, lies: 'log' });
    expect(failures[0]?.problem).toMatch(/was told/);
  });
});
