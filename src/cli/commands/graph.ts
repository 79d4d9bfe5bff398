import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { count, oneLine } from '../format/text.js';
import {
  generations,
  loadWorkflowFile,
  toDot,
  toMermaid,
  type Plan,
  type WorkflowSpec,
  planOf,
  waitPlanOf,
} from '../../runtime/index.js';
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
      return formatGroups(plan, spec.workflow.id);
    case 'mermaid':
      return toMermaid(plan, labels(plan, spec));
    case 'dot':
      return toDot(plan, labels(plan, spec));
    case 'json':
      return JSON.stringify({ ...graphDocument(plan, spec.workflow.id), ...waitsOf(plan, spec) }, null, 2);
  }
}

/** Nodes that wait say for what. */
function labels({ ids }: Plan, spec: WorkflowSpec): (node: number) => string {
  return (node) => {
    const wait = waitPlanOf(spec.nodes[node]);
    if (wait === null) return ids[node];
    const what = wait.kind === 'signal' ? `signal ${wait.signal}` : wait.kind;
    return `${ids[node]} (waits: ${what})`;
  };
}

function waitsOf({ ids }: Plan, spec: WorkflowSpec): { waits?: Record<string, string> } {
  const waits = spec.nodes.flatMap((node, index) => {
    const wait = waitPlanOf(node);
    return wait === null ? [] : [[ids[index], wait.kind] as const];
  });
  return waits.length === 0 ? {} : { waits: Object.fromEntries(waits) };
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

function graphDocument(plan: Plan, workflowId: string): Record<string, unknown> {
  const edges: { from: string; to: string }[] = [];
  for (let node = 0; node < plan.nodeCount; node++) {
    for (let e = plan.dependencyOffsets[node]; e < plan.dependencyOffsets[node + 1]; e++) {
      edges.push({ from: plan.ids[plan.dependencies[e]], to: plan.ids[node] });
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
