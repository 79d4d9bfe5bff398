import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dependentsOf, upwardRanks } from '../../src/graph/index.js';
import { dagArbitrary } from '../support/random-dag.js';

it('upward ranks are the longest ways to an end, the own duration included', () => {
  fc.assert(
    fc.property(
      dagArbitrary(12),
      fc.array(fc.nat(9), { minLength: 12, maxLength: 12 }),
      ({ plan }, durations) => {
        const longest = (node: number): number =>
          durations[node] + Math.max(0, ...[...dependentsOf(plan, node)].map(longest));
        const ranks = upwardRanks(plan, (node) => durations[node]);
        expect([...ranks]).toEqual(plan.ids.map((_, node) => longest(node)));
      },
    ),
    { numRuns: 100 },
  );
});
