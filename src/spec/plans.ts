import { compilePlan, compileRows, type DependencyRows, type GraphNode, type Plan } from '../graph/index.js';
import type { WorkflowSpec } from './types.js';

/** Compiled graphs of specs in memory: validating, running and drawing one need the same plan. */
const plans = new WeakMap<WorkflowSpec, Plan>();
/** Dependencies of specs by index, where they are known and there is nothing else to compile. */
const dependencies = new WeakMap<WorkflowSpec, DependencyRows>();

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
    const rows = dependencies.get(spec);
    plan =
      rows === undefined
        ? compilePlan(graphNodes(spec))
        : compileRows(
            spec.nodes.map(({ id }) => id),
            rows,
          );
    plans.set(spec, plan);
    dependencies.delete(spec);
  }
  return plan;
}

/** The plan of a spec, if there is one already. */
export function knownPlan(spec: WorkflowSpec): Plan | undefined {
  return plans.get(spec);
}

/** Keeps the dependencies of a spec that was compiled before, and has no groups, maps or compensations. */
export function rememberDependencies(spec: WorkflowSpec, rows: DependencyRows): void {
  dependencies.set(spec, rows);
}

/** Keeps a plan that validation has compiled on the way. */
export function rememberPlan(spec: WorkflowSpec, plan: Plan): void {
  plans.set(spec, plan);
}
