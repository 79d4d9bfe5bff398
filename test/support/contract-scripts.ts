import fc from 'fast-check';
import { ancestors } from '../../src/graph/index.js';
import { Contracts, type Contract } from '../../src/policy/contracts.js';
import { triggerScripts, type TriggerScript } from './trigger-scripts.js';

export type ContractScript = TriggerScript & { contracts: Contracts };

/** Schemas over what the driver's nodes return: kept always, never, by the first nodes, in the second run. */
const SCHEMAS = [
  { type: 'object' },
  { type: 'array' },
  { properties: { node: { maximum: 5 } } },
  { properties: { run: { minimum: 1 } } },
];

/** Random graphs with rules, half of whose nodes promise something that some of those below them need. */
export function contractScripts(size: number): fc.Arbitrary<ContractScript> {
  const each = fc.record({
    schema: fc.nat({ max: 9 }),
    severity: fc.constantFrom('blocking' as const, 'blocking' as const, 'warning' as const),
    needs: fc.nat({ max: 5 }),
  });
  return triggerScripts(size).chain((script) => {
    const { nodeCount } = script.plan;
    return fc.array(each, { minLength: nodeCount, maxLength: nodeCount }).map((drawn) => {
      const promised = new Map<number, Contract>();
      drawn.forEach(({ schema, severity }, node) => {
        if (schema < 6)
          promised.set(node, {
            id: `c${node}`,
            severity,
            stage: 'accepted',
            schema: SCHEMAS[schema] ?? SCHEMAS[0],
          });
      });
      const bound = drawn.map(({ needs }, node) => {
        const above = needs < 3 ? ancestors(script.plan, node).flatMap((at) => promised.get(at) ?? []) : [];
        const own = promised.get(node);
        return [node, { inputs: above.slice(-1 - needs), outputs: own === undefined ? [] : [own] }] as const;
      });
      return { ...script, contracts: new Contracts([...promised.values()], new Map(bound)) };
    });
  });
}
