import { compilePlan, type GraphNode, type Plan } from '../graph/index.js';
import type { WorkflowSpec } from './types.js';

/** Compiled graphs of specs in memory: validating, running and drawing one need the same plan. */
const plans = new WeakMap<WorkflowSpec, Plan>();

/** What the compiler of plans needs of a workflow. */
export function graphNodes(spec: WorkflowSpec): GraphNode[] {
  return spec.nodes.map(({ id, dependencies = [], members, map, compensates }) => {
    const plain = compensates === undefined ? { id, dependencies } : { id, dependencies, compensates };
    const node = members === undefined ? plain : { ...plain, members };
    return map === undefined ? node : { ...node, mapped: true };
  });
}

/**
 * The plan of a validated spec, compiled once. Specs of workflows are not to be changed.
 * @throws SPEC_INVALID or CYCLE when the spec was never validated and is wrong
 */
export function planOf(spec: WorkflowSpec): Plan {
  let plan = plans.get(spec);
  if (plan === undefined) {
    plan = compilePlan(graphNodes(spec));
    plans.set(spec, plan);
  }
  return plan;
}

/** Keeps a plan that validation has compiled on the way. */
export function rememberPlan(spec: WorkflowSpec, plan: Plan): void {
  plans.set(spec, plan);
}
