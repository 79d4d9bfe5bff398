import { expect, it } from 'vitest';
import { Crowding } from '../../src/runtime/crowding.js';
import { MANY_EXECUTIONS } from '../../src/runtime/retention.js';

it('is said once, some starts after it came about', async () => {
  let stored = 0;
  const said: string[] = [];
  const nothing = (): void => {};
  const logger = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (_: object, text: string) => said.push(text),
  };
  const cursorAfter = async (_: object, count: number) => (stored > count ? 'more' : undefined);
  const crowding = new Crowding({ cursorAfter }, logger);
  await crowding.look();
  const start = async (count: number) => {
    for (; count > 0; count--, stored++) crowding.note();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await start(MANY_EXECUTIONS);
  expect(said).toEqual([]);
  await start(200);
  await start(500);
  expect(said).toEqual([expect.stringMatching(/^many executions are stored/)]);
});
