import { compilePlan, graphNodes, type Plan, type WorkflowSpec } from '../runtime/index.js';

/** The compiled graph of a validated spec. */
export function planOf(spec: WorkflowSpec): Plan {
  return compilePlan(graphNodes(spec));
}
