import { dependentsOf } from './queries.js';
import type { Plan } from './plan.js';

/**
 * Of every node, the duration of the longest way from its beginning to an end of the graph: its own plus the largest
 * rank among its dependents. What has the highest rank is begun first (list scheduling by upward rank: Topcuoglu, Hariri
 * and Wu, HEFT, 2002). In the unit of the durations. O(nodes + edges).
 */
export function upwardRanks(plan: Plan, duration: (node: number) => number): Float64Array {
  const ranks = new Float64Array(plan.nodeCount);
  for (let k = plan.nodeCount - 1; k >= 0; k--) {
    const node = plan.order[k];
    let after = 0;
    for (const dependent of dependentsOf(plan, node)) after = Math.max(after, ranks[dependent]);
    ranks[node] = after + duration(node);
  }
  return ranks;
}
