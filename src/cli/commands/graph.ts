import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { count, formatSeconds, oneLine } from '../format/text.js';
import {
  edgeConditionsOf,
  generations,
  loadWorkflowFile,
  toDot,
  toMermaid,
  type EdgeLabel,
  type NodeSpec,
  type RepeatSpec,
  type Plan,
  type WorkflowSpec,
  planOf,
  groupPolicyOf,
  mapPolicyOf,
  repeatPolicyOf,
  waitPlanOf,
} from '../../runtime/index.js';
import { contractLines, contractsDocument } from '../report/graph-contracts.js';
import { queueLabel, queueLines, queuesDocument } from '../report/graph-queues.js';
import type { CommandContext } from '../session.js';

const FORMATS = ['groups', 'mermaid', 'dot', 'json'] as const;
type Format = (typeof FORMATS)[number];

export function addGraphCommand({ program, bind }: Registry): void {
  program
    .command('graph')
    .description('draw the graph of a workflow file')
    .argument('<spec>', 'workflow file')
    .addOption(
      new Option('-f, --format <format>', 'groups that may run at once, or a drawing')
        .choices(FORMATS)
        .default('groups'),
    )
    .addHelpText(
      'after',
      examples(
        'maestro graph workflow.yaml',
        'maestro graph workflow.yaml --format dot | dot -Tsvg > graph.svg',
      ),
    )
    .action(bind(graph));
}

async function graph({ ui }: CommandContext, spec: string, options: { format: Format }): Promise<number> {
  const { workflow } = await loadWorkflowFile(spec);
  const plan = planOf(workflow.spec);
  ui.print(render(ui.json ? 'json' : options.format, plan, workflow.spec).trimEnd());
  return EXIT.success;
}

function render(format: Format, plan: Plan, spec: WorkflowSpec): string {
  switch (format) {
    case 'groups':
      return [
        formatGroups(plan, spec.workflow.id),
        ...containers(plan, spec),
        ...maps(plan, spec),
        ...triggers(plan, spec),
        ...compensations(plan, spec),
        ...conditionalEdges(plan, spec),
        ...loops(spec),
        ...queueLines(spec),
        ...contractLines(spec),
        ...children(spec),
      ].join('\n');
    case 'mermaid':
      return toMermaid(plan, labels(plan, spec), edgeLabels(plan, spec));
    case 'dot':
      return toDot(plan, labels(plan, spec), edgeLabels(plan, spec));
    case 'json':
      return JSON.stringify(
        {
          ...graphDocument(plan, spec.workflow.id, edgeLabels(plan, spec)),
          ...waitsOf(plan, spec),
          ...membersOf(plan),
          ...mapsOf(plan, spec),
          ...triggersOf(plan, spec),
          ...compensationsOf(plan, spec),
          ...loopsOf(spec),
          ...queuesDocument(spec),
          ...contractsDocument(spec),
          ...childrenOf(spec),
        },
        null,
        2,
      );
  }
}

/** What stands in a drawing for a node. */
function labels(plan: Plan, spec: WorkflowSpec): (node: number) => string {
  const named = rolesOf(plan, spec);
  return (node) => {
    const queue = queueLabel(spec.nodes[node]);
    return queue === undefined ? named(node) : `${named(node)} [${queue}]`;
  };
}

/** Nodes that wait say for what, groups how they are run, nodes with a trigger when they run. */
function rolesOf({ ids }: Plan, spec: WorkflowSpec): (node: number) => string {
  return (node) => {
    const { compensates } = spec.nodes[node];
    if (compensates !== undefined) return `${ids[node]} (undoes ${compensates})`;
    const wait = waitPlanOf(spec.nodes[node]);
    if (spec.nodes[node].map !== undefined) return `${ids[node]} (${mapPolicyText(spec.nodes[node])})`;
    if (spec.nodes[node].members !== undefined)
      return `${ids[node]} (group: ${policyText(spec.nodes[node])})`;
    const trigger = triggerText(spec.nodes[node]);
    const named = trigger === undefined ? ids[node] : `${ids[node]} (${trigger})`;
    const loop = repeatPolicyOf(spec.nodes[node]);
    if (loop !== null) return `${named} (repeats: up to ${loop.max} times)`;
    if (wait === null) return named;
    if (wait.kind === 'child') return `${named} (${childText(spec, spec.nodes[node])})`;
    const what = wait.kind === 'signal' ? `signal ${wait.signal}` : wait.kind;
    return `${named} (waits: ${what})`;
  };
}

/** What says when a node runs, if it does not simply wait for the success of its dependencies. */
function triggerText({ trigger_rule: rule = 'all_success', depends }: NodeSpec): string | undefined {
  return depends ?? (rule === 'all_success' ? undefined : rule);
}

/** A line for each node that only runs to undo what another one did. */
function compensations({ ids }: Plan, spec: WorkflowSpec): string[] {
  return spec.nodes.flatMap(({ compensates }, index) =>
    compensates === undefined ? [] : [`  ${oneLine(ids[index])} undoes ${oneLine(compensates)}`],
  );
}

/** The condition on an edge. */
function edgeLabels(plan: Plan, spec: WorkflowSpec): EdgeLabel {
  const conditions = edgeConditionsOf(spec, plan);
  return (from, to) => conditions.get(to)?.get(from);
}

/** A line for each edge with a condition. */
function conditionalEdges(plan: Plan, spec: WorkflowSpec): string[] {
  return [...edgeConditionsOf(spec, plan)].flatMap(([to, conditions]) =>
    [...conditions].map(
      ([from, text]) => `  ${oneLine(plan.ids[from])} leads to ${oneLine(plan.ids[to])} if ${oneLine(text)}`,
    ),
  );
}

/** What a subworkflow node runs. */
function childText({ subworkflows = {} }: WorkflowSpec, { definition = '' }: NodeSpec): string {
  const { workflow, nodes } = subworkflows[definition];
  return `workflow ${oneLine(workflow.id)}, ${count(nodes.length, 'node')}`;
}

/** A line for each node that runs another workflow. */
function children(spec: WorkflowSpec): string[] {
  return spec.nodes.flatMap((node) =>
    node.definition === undefined ? [] : [`  ${oneLine(node.id)} runs the ${childText(spec, node)}`],
  );
}

function childrenOf({ nodes, subworkflows = {} }: WorkflowSpec): { subworkflows?: Record<string, unknown> } {
  const named = nodes.flatMap(({ id, definition }) => {
    if (definition === undefined) return [];
    const child = subworkflows[definition];
    return [[id, { workflow_id: child.workflow.id, node_count: child.nodes.length }] as const];
  });
  return named.length === 0 ? {} : { subworkflows: Object.fromEntries(named) };
}

/** A line for each node that repeats. */
function loops({ nodes }: WorkflowSpec): string[] {
  return nodes.flatMap((node) => {
    const loop = repeatPolicyOf(node);
    if (loop === null) return [];
    return [`  ${oneLine(node.id)} repeats until ${oneLine(loop.until)}, up to ${count(loop.max, 'time')}`];
  });
}

function loopsOf({ nodes }: WorkflowSpec): { repeats?: Record<string, RepeatSpec> } {
  const named = nodes.flatMap(({ id, repeat }) => (repeat === undefined ? [] : [[id, repeat] as const]));
  return named.length === 0 ? {} : { repeats: Object.fromEntries(named) };
}

/** A line for each node with a trigger. */
function triggers({ ids }: Plan, spec: WorkflowSpec): string[] {
  return spec.nodes.flatMap((node, index) => {
    const text = triggerText(node);
    return text === undefined ? [] : [`  ${oneLine(ids[index])} runs when ${oneLine(text)}`];
  });
}

function triggersOf({ ids }: Plan, spec: WorkflowSpec): { triggers?: Record<string, string> } {
  const named = spec.nodes.flatMap((node, index) => {
    const text = triggerText(node);
    return text === undefined ? [] : [[ids[index], text] as const];
  });
  return named.length === 0 ? {} : { triggers: Object.fromEntries(named) };
}

function compensationsOf({ ids }: Plan, spec: WorkflowSpec): { compensations?: Record<string, string> } {
  const named = spec.nodes.flatMap(({ compensates }, index) =>
    compensates === undefined ? [] : [[ids[index], compensates] as const],
  );
  return named.length === 0 ? {} : { compensations: Object.fromEntries(named) };
}

function waitsOf({ ids }: Plan, spec: WorkflowSpec): { waits?: Record<string, string> } {
  const waits = spec.nodes.flatMap((node, index) => {
    const wait = waitPlanOf(node);
    return wait === null || wait.kind === 'child' ? [] : [[ids[index], wait.kind] as const];
  });
  return waits.length === 0 ? {} : { waits: Object.fromEntries(waits) };
}

/** A line for each parallel group: its members, and how it is run. */
function containers({ ids, groups }: Plan, spec: WorkflowSpec): string[] {
  return [...groups].map(([group, members]) => {
    const names = [...members].map((member) => oneLine(ids[member])).join(', ');
    const policy = spec.nodes[group].map === undefined ? policyText : mapPolicyText;
    return `  ${oneLine(ids[group])} holds ${names} (${policy(spec.nodes[group])})`;
  });
}

function policyText(node: NodeSpec): string {
  const { maxConcurrency, strategy, intensity, onMemberFailure } = groupPolicyOf(node);
  const { maxRestarts, withinMs } = intensity;
  const within = withinMs < Infinity ? ` within ${formatSeconds(withinMs / 1000)}` : '';
  return [
    maxConcurrency < Infinity ? `${maxConcurrency} at once` : 'all at once',
    maxRestarts > 0 ? `${strategy}, ${count(maxRestarts, 'restart')}${within}` : 'no restarts',
    ...(onMemberFailure === 'cancel' ? ['a failure cancels the others'] : []),
  ].join('; ');
}

/** A line for each node that is done for each item of a list by itself. */
function maps({ ids }: Plan, spec: WorkflowSpec): string[] {
  return spec.nodes.flatMap((node, index) =>
    node.map === undefined || node.members !== undefined
      ? []
      : [`  ${oneLine(ids[index])} is done ${mapPolicyText(node)}`],
  );
}

function mapPolicyText(node: NodeSpec): string {
  const { maxConcurrency, maxFailed, maxFailedPercent } = mapPolicyOf(node);
  return [
    `for each item of ${oneLine(node.map ?? '')}`,
    ...(maxConcurrency < Infinity ? [`${maxConcurrency} at once`] : []),
    ...(maxFailed > 0 && maxFailed < Infinity ? [`${maxFailed} may fail`] : []),
    ...(maxFailed === Infinity ? [`${maxFailedPercent} % may fail`] : []),
  ].join('; ');
}

function mapsOf({ ids }: Plan, spec: WorkflowSpec): { maps?: Record<string, string> } {
  const named = spec.nodes.flatMap((node, index) =>
    node.map === undefined ? [] : [[ids[index], node.map] as const],
  );
  return named.length === 0 ? {} : { maps: Object.fromEntries(named) };
}

function membersOf({ ids, groups }: Plan): { parallel_groups?: Record<string, string[]> } {
  if (groups.size === 0) return {};
  const named = [...groups].map(
    ([group, members]) => [ids[group], [...members].map((at) => ids[at])] as const,
  );
  return { parallel_groups: Object.fromEntries(named) };
}

/** Nodes by generation: those of one line have no path between them. */
export function formatGroups(plan: Plan, workflowId: string): string {
  const groups = generations(plan);
  const size = [count(plan.nodeCount, 'node'), count(plan.edgeCount, 'edge'), count(groups.length, 'group')];
  const width = String(groups.length).length;
  const lines = groups.map((group, i) => {
    const ids = group.map((index) => oneLine(plan.ids[index])).join(', ');
    return `  ${String(i + 1).padStart(width)}  ${ids}`;
  });
  return [`${oneLine(workflowId)}: ${size.join(', ')}`, ...lines].join('\n');
}

function graphDocument(plan: Plan, workflowId: string, edgeLabel: EdgeLabel): Record<string, unknown> {
  const edges: { from: string; to: string; condition?: string }[] = [];
  for (let node = 0; node < plan.nodeCount; node++) {
    for (let e = plan.dependencyOffsets[node]; e < plan.dependencyOffsets[node + 1]; e++) {
      const from = plan.dependencies[e];
      const condition = edgeLabel(from, node);
      edges.push({
        from: plan.ids[from],
        to: plan.ids[node],
        ...(condition !== undefined && { condition }),
      });
    }
  }
  return {
    workflow_id: workflowId,
    node_count: plan.nodeCount,
    edge_count: plan.edgeCount,
    nodes: plan.ids,
    edges,
    groups: generations(plan).map((group) => group.map((index) => plan.ids[index])),
    order: [...plan.order].map((index) => plan.ids[index]),
  };
}
