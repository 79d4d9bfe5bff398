import { invariant } from '../base/assert.js';
import { growingPlan, type Expansion } from './growing-plan.js';
import type { Plan } from './plan.js';

/**
 * What maps go over by one plan, as another one says it: items come after the nodes of the definition, however many
 * those are. Every map that was expanded is in both plans, as it was.
 */
export function carriedExpansions(from: Plan, to: Plan): readonly Expansion[] {
  const shift = to.fixedCount - from.fixedCount;
  return (growingPlan(from)?.rows ?? []).map((expansion) => {
    const node = to.indexOf.get(from.ids[expansion.node]);
    invariant(node !== undefined, 'a map with items is not in the plan that they are carried over to');
    const segments = expansion.segments.map((segment) => ({ ...segment, base: segment.base + shift }));
    return { ...expansion, node, segments };
  });
}
