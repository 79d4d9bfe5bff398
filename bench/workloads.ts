import { fileURLToPath } from 'node:url';
import {
  dependenciesOf,
  loadWorkflowFile,
  planOf,
  workflowFromSpec,
  type NodeSpec,
  type StepFunction,
  type Workflow,
  type WorkflowSpec,
} from '../src/runtime/index.js';
import { bodiesOf } from './bodies.js';
import { graphOf } from './shapes.js';
import { task, type StepConfig } from './step.js';
import type { BenchCase, BenchGraph, StepBody } from './types.js';

const STEP = `${fileURLToPath(new URL('step.js', import.meta.url))}#task`;

/** The graph of a case. Of a workflow file only the graph counts. @throws USAGE, and what loadWorkflowFile throws */
export async function benchGraph({ shape, file, ...size }: BenchCase): Promise<BenchGraph> {
  if (shape !== 'file') return graphOf(shape, size);
  const plan = planOf((await loadWorkflowFile(file!)).workflow.spec);
  return { executions: 1, dependencies: plan.ids.map((_, node) => [...dependenciesOf(plan, node)]) };
}

/**
 * The same step at every node: a function here, a module on threads or in child processes.
 * @param edition tells definitions of the same graph apart
 */
export function workflowOf(each: BenchCase, graph: BenchGraph, edition = 0): Workflow {
  const spec = specOf(each, graph, edition);
  const functions = new Map<string, StepFunction>(
    each.pool === 'inline' ? spec.nodes.map(({ id }) => [id, (context) => task(context)]) : [],
  );
  return workflowFromSpec(spec, { functions });
}

export function specOf(
  { shape, body, seed, payloadBytes, pool }: BenchCase,
  graph: BenchGraph,
  edition = 0,
): WorkflowSpec {
  const where: Partial<NodeSpec> =
    pool === 'inline' ? {} : { uses: STEP, ...(pool === 'process' && { isolation: pool }) };
  const bodyOf = bodiesOf(body, graph.dependencies.length, seed);
  // Shared: a million nodes have no configurations of their own.
  const configs = new Map<StepBody, Record<string, unknown>>();
  for (const node of graph.dependencies.keys())
    configs.set(bodyOf(node), { ...({ body: bodyOf(node), payloadBytes } satisfies StepConfig) });
  const nodes = graph.dependencies.map((before, node): NodeSpec => {
    const id = `n${node}`;
    const config = configs.get(bodyOf(node));
    const dependencies = before.map((each) => `n${each}`);
    return { id, name: id, type: 'custom', dependencies, config, ...where };
  });
  return {
    workflow: { id: shape, name: edition === 0 ? shape : `${shape} ${edition}` },
    nodes: shape === 'map' ? mapped(nodes, payloadBytes) : nodes,
  };
}

/** A fan whose middle is one node, done for each item of a list that the first one gives. */
function mapped(fan: readonly NodeSpec[], payloadBytes: number): NodeSpec[] {
  const [first, each] = fan;
  const last = fan[fan.length - 1];
  const list = { body: { kind: 'noop' }, payloadBytes, items: fan.length - 2 } satisfies StepConfig;
  return [
    { ...first, config: list },
    { ...each, map: `outputs.${first.id}.items` },
    { ...last, dependencies: [each.id] },
  ];
}
