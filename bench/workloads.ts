import { fileURLToPath } from 'node:url';
import {
  dependenciesOf,
  loadWorkflowFile,
  planOf,
  workflowFromSpec,
  type NodeSpec,
  type StepFunction,
  type Workflow,
} from '../src/runtime/index.js';
import { graphOf } from './shapes.js';
import { task, type StepConfig } from './step.js';
import type { BenchCase, BenchGraph } from './types.js';

const STEP = `${fileURLToPath(new URL('step.js', import.meta.url))}#task`;

/** The graph of a case. Of a workflow file only the graph counts. @throws USAGE, and what loadWorkflowFile throws */
export async function benchGraph({ shape, file, ...size }: BenchCase): Promise<BenchGraph> {
  if (shape !== 'file') return graphOf(shape, size);
  const plan = planOf((await loadWorkflowFile(file!)).workflow.spec);
  return { executions: 1, dependencies: plan.ids.map((_, node) => [...dependenciesOf(plan, node)]) };
}

/** The same step at every node: a function here, a module on threads or in child processes. */
export function workflowOf({ shape, body, payloadBytes, pool }: BenchCase, graph: BenchGraph): Workflow {
  const config: Record<string, unknown> = { body, payloadBytes } satisfies StepConfig;
  const where: Partial<NodeSpec> =
    pool === 'inline' ? { config } : { config, uses: STEP, ...(pool === 'process' && { isolation: pool }) };
  const nodes = graph.dependencies.map((before, node): NodeSpec => {
    const id = `n${node}`;
    return { id, name: id, type: 'custom', dependencies: before.map((each) => `n${each}`), ...where };
  });
  const functions = new Map<string, StepFunction>(
    pool === 'inline' ? nodes.map(({ id }) => [id, (context) => task(context)]) : [],
  );
  return workflowFromSpec({ workflow: { id: shape, name: shape }, nodes }, { functions });
}
