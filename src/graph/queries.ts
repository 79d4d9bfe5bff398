import { MaestroError } from '../base/errors.js';
import type { Plan } from './plan.js';

/** Node indices by generation (longest path from a root), each in the order of the spec. */
export function generations(plan: Plan): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < plan.nodeCount; i++) (groups[plan.generation[i]] ??= []).push(i);
  return groups;
}

/**
 * Nodes that are not completed and whose dependencies all are, in the order of the spec: those that may start where each
 * node waits for the success of its dependencies.
 */
export function readyNodes(plan: Plan, completed: ReadonlySet<string>): string[] {
  return plan.ids.filter((id, index) => {
    if (completed.has(id)) return false;
    return dependenciesOf(plan, index).every((dependency) => completed.has(plan.ids[dependency]));
  });
}

/** Index of a node. @throws NODE_NOT_FOUND */
export function indexOfNode(plan: Plan, id: string): number {
  const index = plan.indexOf.get(id);
  if (index !== undefined) return index;
  throw new MaestroError('NODE_NOT_FOUND', `the workflow has no node ${JSON.stringify(id)}`);
}

/** Direct dependencies of a node, as a view into the plan. */
export function dependenciesOf(
  plan: Pick<Plan, 'dependencies' | 'dependencyOffsets'>,
  index: number,
): Uint32Array {
  return plan.dependencies.subarray(plan.dependencyOffsets[index], plan.dependencyOffsets[index + 1]);
}

/** Direct dependents of a node, as a view into the plan. */
export function dependentsOf(plan: Plan, index: number): Uint32Array {
  return plan.dependents.subarray(plan.dependentOffsets[index], plan.dependentOffsets[index + 1]);
}

/** These nodes, and before each group its members: what stands or falls with them. */
export function withMembers(plan: Plan, indices: readonly number[]): number[] {
  return [...new Set(indices.flatMap((index) => [...(plan.groups.get(index) ?? []), index]))];
}

/** Everything the node depends on, directly or not: indices in ascending order, the node itself left out. */
export function ancestors(plan: Plan, index: number): number[] {
  return reach(plan.nodeCount, [index], (at) => dependenciesOf(plan, at));
}

/** Everything that depends on these nodes, directly or not: indices in ascending order, themselves left out. */
export function descendants(plan: Plan, from: number | readonly number[]): number[] {
  const starts = typeof from === 'number' ? [from] : from;
  return reach(plan.nodeCount, starts, (at) => dependentsOf(plan, at));
}

function reach(
  nodeCount: number,
  starts: readonly number[],
  neighbours: (index: number) => Uint32Array,
): number[] {
  const seen = new Uint8Array(nodeCount);
  for (const start of starts) seen[start] = 1;
  const found: number[] = [];
  const queue = [...starts];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const next of neighbours(at)) {
      if (seen[next] === 1) continue;
      seen[next] = 1;
      found.push(next);
      queue.push(next);
    }
  }
  return found.sort((a, b) => a - b);
}

/** Number of weakly connected components: parts with no edge between them. */
export function components(plan: Plan): number {
  const seen = new Uint8Array(plan.nodeCount);
  const queue: number[] = [];
  let count = 0;
  const visit = (index: number): void => {
    if (seen[index] === 1) return;
    seen[index] = 1;
    queue.push(index);
  };
  for (let root = 0; root < plan.nodeCount; root++) {
    if (seen[root] === 1) continue;
    count++;
    visit(root);
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      dependenciesOf(plan, at).forEach(visit);
      dependentsOf(plan, at).forEach(visit);
    }
  }
  return count;
}
