import { expect, it } from 'vitest';
import { runCampaign } from './support/campaign.js';

it('a process that is killed with a backlog goes on, and slow subscribers cost no memory', async () => {
  const { failures, executions, events } = await runCampaign('load', { executions: 2000, events: 20_000 });
  expect(failures).toEqual([]);
  expect(executions).toMatchObject({ backlog: [{ executions: 200 }, { executions: 2000 }] });
  expect((events as { events: number }).events).toBeGreaterThanOrEqual(20_000);
});

it('mixed executions at full rate end as they must, and no event is lost', async () => {
  const { failures, ended, read_back } = await runCampaign('soak', { minutes: 0.05, parallel: 32 });
  expect(failures).toEqual([]);
  expect(ended).toBeGreaterThan(0);
  expect(read_back).toBeGreaterThan(0);
});
