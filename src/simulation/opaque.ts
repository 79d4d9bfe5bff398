import type { ChildPlan, WaitPlan } from '../policy/wait.js';
import { waitPlanOf, type NodeSpec, type Workflow } from '../spec/index.js';

/**
 * What is simulated of a workflow: nodes that run another workflow count as single steps, which last and come out as is
 * declared of them or made up. What they run is simulated by itself.
 */
export function withOpaqueChildren(workflow: Workflow): Workflow {
  const { spec } = workflow;
  if (spec.subworkflows === undefined) return workflow;
  const { subworkflows: _, ...rest } = spec;
  return { ...workflow, spec: { ...rest, nodes: spec.nodes.map(asStep) } };
}

function asStep(node: NodeSpec): NodeSpec {
  if (node.type !== 'subworkflow') return node;
  const { workflow = './', with: _with, output: _output, definition: _definition, ...rest } = node;
  return { ...rest, type: 'custom', run: workflow };
}

/** What such a node waits for; null when it executes something. */
export function simulatedWaitOf(node: NodeSpec): Exclude<WaitPlan, ChildPlan> | null {
  const plan = waitPlanOf(node);
  return plan?.kind === 'child' ? null : plan;
}
