import { expect, it } from 'vitest';
import { runCampaign } from './support/campaign.js';

const CASES = Number(process.env.MAESTRO_FUZZ_CASES ?? 3000);
const SEED = Number(process.env.MAESTRO_FUZZ_SEED ?? Date.now() % 2 ** 31);

it(
  `${CASES} bad inputs are taken or refused, in time: MAESTRO_FUZZ_SEED=${SEED}`,
  async () => {
    const { failures, cases, by_target } = await runCampaign('fuzz', { cases: CASES, seed: SEED });
    expect(failures).toEqual([]);
    expect(cases).toBe(CASES);
    expect(Object.values(by_target as Record<string, number>).every((count) => count > 0)).toBe(true);
  },
  60_000 + CASES * 200,
);
