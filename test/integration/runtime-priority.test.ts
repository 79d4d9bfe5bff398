import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../../src/runtime/index.js';
import { runtimes } from './support/runtimes.js';

const open = runtimes();

/** Two ways that begin together, on one place: short alone, and first with after behind it. */
function twoWays(begun: string[], expected: { short?: number; after?: number }, afterMs = 0) {
  const step =
    (id: string, ms = 0) =>
    async (): Promise<void> => {
      begun.push(id);
      await new Promise((resolve) => setTimeout(resolve, ms));
    };
  return defineWorkflow({ id: 'w' })
    .node('short', { execute: step('short'), expectedSeconds: expected.short })
    .node('first', { execute: step('first') })
    .node('after', { dependsOn: ['first'], execute: step('after', afterMs), expectedSeconds: expected.after })
    .build();
}

describe('what is on the longest way to the end', () => {
  it('is begun first when its duration is declared; otherwise who became ready first', async () => {
    const runtime = await open({ pool: { inline: 1 } });
    for (const [expected, order] of [
      [{}, ['short', 'first', 'after']],
      [{ after: 2, short: 1 }, ['first', 'after', 'short']],
      [{ after: 1, short: 2 }, ['short', 'first', 'after']],
    ] as const) {
      const begun: string[] = [];
      await (
        await runtime.start(twoWays(begun, expected))
      ).result;
      expect(begun).toEqual(order);
    }
  });

  it('is begun first when that was measured before', async () => {
    const runtime = await open({ pool: { inline: 1 } });
    const begun: string[] = [];
    const workflow = twoWays(begun, {}, 30);
    for (const order of [
      ['short', 'first', 'after'],
      ['first', 'after', 'short'],
    ]) {
      begun.length = 0;
      await (
        await runtime.start(workflow)
      ).result;
      expect(begun).toEqual(order);
    }
  });
});
