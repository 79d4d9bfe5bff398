import { carriedExpansions, growingPlan, planForExecution, type Plan } from '../graph/index.js';
import type { Ending } from '../../machines/events.js';
import type { WorkflowRow } from './entries.js';
import { ExecutionState } from './execution-state.js';

/**
 * The state of an execution over another plan: every node that both have is as it was, what is new is pending, what is
 * not there any more is forgotten. Nodes go by their ids. Nothing is recorded. O(nodes)
 */
export function carryOver(state: ExecutionState, plan: Plan): ExecutionState {
  const next = new ExecutionState(plan);
  next.workflowRow = renumbered(state, plan);
  const { ids } = state.plan;
  for (let node = 0; node < state.plan.nodeCount; node++) {
    const at = next.plan.indexOf.get(ids[node]);
    if (at !== undefined) next.columns.setRow(at, state.columns.row(node));
  }
  next.changedAtMs = state.changedAtMs;
  return next;
}

/** The workflow's own row, with the numbers that nodes have in the other plan. */
function renumbered(state: ExecutionState, plan: Plan): WorkflowRow {
  const { ids } = state.plan;
  const maps = carriedExpansions(state.plan, plan);
  const { cached, rerun, outdated, restarts, edges, compensating, ...row } = state.workflowRow;
  // Items are found once the other plan has grown by them; the caller's is never changed.
  const grown = planForExecution(plan);
  growingPlan(grown)?.restore(maps);
  const numberOf = (node: number): number => (node < 0 ? node : (grown.indexOf.get(ids[node]) ?? -1));
  const isThere = (node: number): boolean => numberOf(node) >= 0;
  const failedNode = numberOf(row.failedNode);
  return {
    ...row,
    failedNode,
    ...(compensating !== undefined && { compensating: endingOf(compensating, numberOf) }),
    ...(rerun !== undefined && { rerun: { ...rerun, nodes: rerun.nodes.filter(isThere).map(numberOf) } }),
    ...(cached !== undefined && {
      cached: cached.filter(([node]) => isThere(node)).map(([node, hash]) => [numberOf(node), hash] as const),
    }),
    ...(outdated !== undefined && { outdated: outdated.filter(isThere).map(numberOf) }),
    ...(restarts !== undefined && {
      restarts: restarts
        .filter(([group]) => isThere(group))
        .map(([group, times]) => [numberOf(group), times] as const),
    }),
    ...(edges !== undefined && {
      edges: edges
        .filter(([from, to]) => isThere(from) && isThere(to))
        .map(([from, to, verdict]) => [numberOf(from), numberOf(to), verdict] as const),
    }),
    ...(maps.length > 0 && { maps }),
  };
}

function endingOf(ending: Ending, numberOf: (node: number) => number): Ending {
  return ending.kind === 'failed' ? { ...ending, node: numberOf(ending.node) } : ending;
}
