import { dependenciesOf, type Plan } from '../graph/index.js';
import { holds, type TaskResult } from '../policy/depends.js';
import { decideTrigger, triggerOf } from '../policy/trigger.js';
import type { NodeSpec } from './types.js';

/** How a node has ended. */
export type NodeEnd = 'completed' | 'failed' | 'cancelled' | 'blocked' | 'skipped';

/** Ids of nodes that have completed, or by id how nodes have ended. */
export type NodeEnds = Iterable<string> | Readonly<Record<string, NodeEnd>>;

const COUNTS = {
  completed: 'succeeded',
  failed: 'failed',
  cancelled: 'failed',
  blocked: 'blocked',
  skipped: 'skipped',
} as const satisfies Record<NodeEnd, string>;

/**
 * Nodes that have not ended and that their trigger lets run, given how others have ended, in the order of the plan. Their
 * own conditions, and those of edges, are not asked: these read outputs.
 */
export function readyUnder(plan: Plan, nodes: readonly NodeSpec[], ends: NodeEnds): string[] {
  const ended = endsById(ends);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return plan.ids.filter((id, index) => {
    if (ended.has(id)) return false;
    const dependencies = [...dependenciesOf(plan, index)].map((at) => plan.ids[at]);
    return isReady(byId.get(id), dependencies, ended, byId, plan.groups.has(index));
  });
}

function isReady(
  node: NodeSpec | undefined,
  dependencies: readonly string[],
  ended: ReadonlyMap<string, NodeEnd>,
  byId: ReadonlyMap<string, NodeSpec>,
  isGroup: boolean,
): boolean {
  const trigger = node && triggerOf(node);
  if (trigger?.kind === 'depends') {
    const resultOf = (id: string): TaskResult => resultOfEnd(ended.get(id)!, byId.get(id));
    return dependencies.every((id) => ended.has(id)) && holds(trigger.expression, resultOf);
  }
  const counts = { total: dependencies.length, succeeded: 0, failed: 0, blocked: 0, skipped: 0 };
  for (const id of dependencies) {
    const end = ended.get(id);
    if (end !== undefined) counts[COUNTS[end]]++;
  }
  const usual = isGroup ? 'none_failed_min_one_success' : 'all_success';
  return decideTrigger(counts, trigger?.rule ?? usual) === 'run';
}

/** How Argo calls it: what did not run is Omitted, unless its own condition, if it has one, was false. */
function resultOfEnd(end: NodeEnd, node: NodeSpec | undefined): TaskResult {
  switch (end) {
    case 'completed':
      return 'Succeeded';
    case 'failed':
      return 'Failed';
    case 'cancelled':
      return 'Errored';
    case 'blocked':
      return 'Omitted';
    case 'skipped':
      return node?.condition === undefined ? 'Omitted' : 'Skipped';
  }
}

function endsById(ends: NodeEnds): Map<string, NodeEnd> {
  if (Symbol.iterator in ends) return new Map([...(ends as Iterable<string>)].map((id) => [id, 'completed']));
  return new Map(Object.entries(ends));
}
