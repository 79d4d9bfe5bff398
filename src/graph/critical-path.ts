import { dependenciesOf } from './queries.js';
import type { Plan } from './plan.js';

export interface CriticalPath {
  lengthMs: number;
  /** Node indices, first to last. Empty for an empty plan. */
  path: number[];
}

/**
 * The path with the largest sum of durations: no schedule, however wide, is faster (Kelley and Walker 1959). Of
 * paths of equal length the one with more nodes is taken. A prefix that would make it shorter (negative weights)
 * is left out.
 */
export function criticalPath(plan: Plan, durationMs: (index: number) => number): CriticalPath {
  const length = new Float64Array(plan.nodeCount);
  const hops = new Uint32Array(plan.nodeCount);
  const previous = new Int32Array(plan.nodeCount).fill(-1);
  let last = -1;
  for (const node of plan.order) {
    for (const dependency of dependenciesOf(plan, node)) {
      if (length[dependency] < 0) continue;
      if (previous[node] < 0 || longer(length, hops, dependency, previous[node])) previous[node] = dependency;
    }
    const from = previous[node];
    length[node] = durationMs(node) + (from < 0 ? 0 : length[from]);
    hops[node] = from < 0 ? 1 : hops[from] + 1;
    if (last < 0 || longer(length, hops, node, last)) last = node;
  }
  const path: number[] = [];
  for (let at = last; at >= 0; at = previous[at]) path.push(at);
  return { lengthMs: last < 0 ? 0 : length[last], path: path.reverse() };
}

function longer(length: Float64Array, hops: Uint32Array, a: number, b: number): boolean {
  return length[a] > length[b] || (length[a] === length[b] && hops[a] > hops[b]);
}
