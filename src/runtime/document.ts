import type { ErrorDocument } from '../base/errors.js';
import type { ReviewComment } from '../base/model.js';
import { LEAF, statusOfLeaf } from '../engine/columns.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { waitDocument } from '../observe/event-deriver.js';
import type { NodeStateDocument } from '../observe/events.js';
import { stageOf } from '../graph/index.js';
import type { ExecutionRecord } from '../store/types.js';
import type { Definition } from '../supervisor/definition.js';
import { migrationsOf } from '../supervisor/migrations.js';
import { contractsDocument, contractsOfNode } from './contract-document.js';
import { parentOf } from './child-links.js';
import { mapDocument } from './map-document.js';
import type { ChildDocument, ExecutionDocument, ExecutionResult } from './types.js';

interface DocumentSource {
  readonly record: ExecutionRecord;
  readonly definition: Definition;
  readonly state: ExecutionState;
  /** JSON text. */
  readonly globalContext: string;
  readonly interrupted: boolean;
  /** What nodes of it have started. */
  readonly children: readonly ExecutionRecord[];
  /** The JSON text of a completed node's output. */
  outputText(node: number): Promise<string>;
  /** Ids of items of maps that are wanted, too: by default they are only counted, with their map. */
  readonly items?: readonly string[];
}

/** The canonical stored document of an execution. */
export async function executionDocument(source: DocumentSource): Promise<ExecutionDocument> {
  const { record, definition, state } = source;
  const { columns } = state;
  const node_states = nullPrototype<NodeStateDocument>();
  const node_outputs = nullPrototype<unknown>();
  const artifacts = nullPrototype<string[]>();
  const { fixedCount, ids } = state.plan;
  const named = [...(source.items ?? [])].flatMap((id) => state.plan.indexOf.get(id) ?? []);
  for (const node of [...Array(fixedCount).keys(), ...named.filter((at) => at >= fixedCount)]) {
    const id = ids[node];
    const completed = columns.leaf[node] === LEAF.completed;
    const output = completed ? (JSON.parse(await source.outputText(node)) as unknown) : null;
    node_states[id] = nodeDocument(source, node, output);
    if (completed) node_outputs[id] = output;
    const files = columns.artifacts.get(node);
    if (files !== undefined) artifacts[id] = [...files];
  }
  const { failedNode, error } = state.workflowContext;
  const { startedAtMs, endedAtMs } = state.span;
  const done = (leaf: number): number => columns.countIn(leaf);
  const completed_nodes = done(LEAF.completed);
  const total_nodes = fixedCount;
  return {
    workflow_id: record.workflowId,
    workflow_name: record.workflowName,
    execution_id: record.executionId,
    status: state.workflowLeaf,
    mode: record.mode,
    ...forkedFrom(record),
    ...migrationsDocument(record),
    ...familyOf(source),
    interrupted: source.interrupted,
    completed_nodes,
    total_nodes,
    progress_percent: percent(completed_nodes + done(LEAF.skipped), total_nodes),
    failed_node: failedNode >= 0 ? definition.plan.ids[failedNode] : null,
    error,
    ...compensationDocument(definition, state),
    node_states,
    node_outputs,
    artifacts,
    ...contractsDocument(definition, columns),
    global_context: JSON.parse(source.globalContext) as Record<string, unknown>,
    created_at: iso(record.createdAtMs)!,
    updated_at: iso(Math.max(record.updatedAtMs, state.changedAtMs))!,
    started_at: iso(startedAtMs),
    completed_at: iso(endedAtMs),
  };
}

/** How far an execution is that undoes what it did before it ends, or how that went. Ids of the compensated nodes. */
function compensationDocument(
  { plan, compensations }: Definition,
  { columns, workflowContext }: ExecutionState,
): Pick<ExecutionDocument, 'compensation'> {
  const { compensating } = workflowContext;
  if (compensating === null) return {};
  const lists: Record<'completed' | 'failed' | 'open', string[]> = { completed: [], failed: [], open: [] };
  for (const [node, target] of compensations) {
    const status = statusOfLeaf(columns.leaf[node]);
    const isLeft = status !== 'completed' && status !== 'failed' && status !== 'cancelled';
    if (isLeft && columns.leaf[target] !== LEAF.completed) continue;
    lists[isLeft ? 'open' : status === 'completed' ? 'completed' : 'failed'].push(plan.ids[target]);
  }
  return { compensation: { after: compensating.kind === 'cancelled' ? 'cancelled' : 'failed', ...lists } };
}

/** Where a fork comes from: kept with the options it was started with. */
function forkedFrom({ options }: ExecutionRecord): Pick<ExecutionDocument, 'forked_from'> {
  const { forked_from } = options as Pick<ExecutionDocument, 'forked_from'>;
  return forked_from === undefined ? {} : { forked_from };
}

function migrationsDocument(record: ExecutionRecord): Pick<ExecutionDocument, 'migrations'> {
  const migrations = migrationsOf(record);
  return migrations.length === 0 ? {} : { migrations };
}

/** What started it, and what it started. */
function familyOf({
  record,
  definition,
  children,
}: DocumentSource): Pick<ExecutionDocument, 'parent' | 'children'> {
  const link = parentOf(record);
  return {
    ...(link !== undefined && { parent: { execution_id: link.execution_id, node_id: link.node_id } }),
    ...(definition.workflow.spec.subworkflows !== undefined && { children: children.map(childDocument) }),
  };
}

function childDocument(record: ExecutionRecord): ChildDocument {
  const { executionId, workflowId, status } = record;
  return {
    execution_id: executionId,
    node_id: parentOf(record)?.node_id ?? '',
    workflow_id: workflowId,
    status,
  };
}

/** How an execution ended, from its state. */
export function executionResult(
  record: ExecutionRecord,
  definition: Definition,
  state: ExecutionState,
): ExecutionResult {
  const { failedNode, error } = state.workflowContext;
  const { startedAtMs, endedAtMs } = state.span;
  const result: ExecutionResult = {
    execution_id: record.executionId,
    workflow_id: record.workflowId,
    status: state.workflowLeaf,
    completed_nodes: state.columns.countIn(LEAF.completed),
    total_nodes: state.plan.fixedCount,
    execution_time: Math.max(0, (endedAtMs || record.updatedAtMs) - startedAtMs) / 1000,
  };
  if (failedNode >= 0) result.failed_node = definition.plan.ids[failedNode];
  if (error !== null) result.error = error;
  return result;
}

function nodeDocument(
  { definition, state, record, children }: DocumentSource,
  node: number,
  output: unknown,
): NodeStateDocument {
  const { columns } = state;
  const error: ErrorDocument | undefined = columns.error.get(node);
  const condition = columns.condition.get(node);
  const wait = columns.waits.get(node);
  const comments = columns.comments.get(node);
  const { metadata, trigger_rule, depends, compensates } = definition.nodeSpec(stageOf(state.plan, node));
  return {
    node_id: state.plan.ids[node],
    status: statusOfLeaf(columns.leaf[node]),
    start_time: iso(columns.startedAtMs[node]),
    end_time: iso(columns.endedAtMs[node]),
    attempt_count: columns.attempt[node],
    error_message: error?.message ?? null,
    output,
    artifacts: [...(columns.artifacts.get(node) ?? [])],
    metadata: {
      ...(metadata ?? {}),
      ...(trigger_rule !== undefined && { trigger_rule }),
      ...(depends !== undefined && { depends }),
      ...(compensates !== undefined && { compensates }),
      ...(columns.cached.has(node) && { cached: columns.cached.get(node) }),
      ...(error === undefined ? {} : { error }),
      ...(columns.run[node] > 0 && { run: columns.run[node] }),
      ...(state.isOutdated(node) && { inputs_outdated: true }),
      ...(condition === undefined ? {} : { skipped_because: condition }),
      ...(columns.leaf[node] === LEAF['failed.retrying']
        ? { retry_at: iso(columns.wakeAtMs.get(node) ?? 0) }
        : {}),
      ...(wait === undefined
        ? {}
        : { waiting_for: waitDocument(wait, record.executionId, definition.plan.ids[node]) }),
      ...(comments === undefined ? {} : { comments: comments.map(commentDocument) }),
      ...groupDocument(definition, state, node),
      ...edgesDocument(definition, state, node),
      ...repeatDocument(definition, state, node),
      ...contractsOfNode(columns, node),
      ...childOf(children, definition.plan.ids[node]),
      ...queueDocument(definition, node),
      ...mapDocument(state, node),
    },
  };
}

/** Where it stands, or stood, in line. */
function queueDocument({ queues }: Definition, node: number): { queue?: unknown } {
  const wish = queues?.wishOf(node);
  return wish === undefined ? {} : { queue: wish };
}

/** How far a group is: its members by status, and its restarts since a retry or rerun was last asked for. */
function groupDocument({ plan }: Definition, state: ExecutionState, node: number): { group?: unknown } {
  const all = plan.groups.get(node);
  if (all === undefined) return {};
  const members: Record<string, number> = { total: all.length };
  for (const member of all) {
    const status = statusOfLeaf(state.columns.leaf[member]);
    members[status] = (members[status] ?? 0) + 1;
  }
  const restarts = state.restartsOf(node).length;
  return { group: { members, ...(restarts > 0 && { restarts }) } };
}

/** Edges that lead to a node under a condition; `taken` is null while that is not known, and when it cannot be. */
function edgesDocument(
  { plan, edgeConditions }: Definition,
  { columns }: ExecutionState,
  node: number,
): { edges?: unknown } {
  const conditions = edgeConditions.get(node);
  if (conditions === undefined) return {};
  const edges = [...conditions].map(([from, condition]) => {
    const verdict = columns.edges.get(from, node);
    return {
      from: plan.ids[from],
      condition,
      taken: verdict?.taken ?? null,
      ...(verdict?.taken === null && { error: verdict.error.message }),
    };
  });
  return { edges };
}

/** Where a node that repeats is in its loop: 0 before it has begun. */
function repeatDocument(
  { repeats }: Definition,
  { columns }: ExecutionState,
  node: number,
): { repeat?: unknown } {
  const policy = repeats.get(node);
  if (policy === undefined) return {};
  const { until, max } = policy;
  const iteration = columns.startedAtMs[node] > 0 ? columns.iterationOf(node) : 0;
  const nextAtMs = columns.leaf[node] === LEAF.ready ? (columns.wakeAtMs.get(node) ?? 0) : 0;
  return { repeat: { iteration, max, until, ...(nextAtMs > 0 && { next_at: iso(nextAtMs) }) } };
}

/** The execution that a node has started last. */
function childOf(children: readonly ExecutionRecord[], nodeId: string): { child?: unknown } {
  const own = children.findLast((record) => parentOf(record)?.node_id === nodeId);
  return own === undefined ? {} : { child: { execution_id: own.executionId, status: own.status } };
}

export function commentDocument({ text, reviewer, atMs }: ReviewComment): Record<string, unknown> {
  return { comment: text, reviewer, at: iso(atMs) };
}

/** A skipped node is done too. One decimal. */
function percent(done: number, total: number): number {
  return total === 0 ? 100 : Math.round((done / total) * 1000) / 10;
}

/** Keys are users' node ids: no prototype to collide with. */
function nullPrototype<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function iso(ms: number): string | null {
  return ms > 0 ? new Date(ms).toISOString() : null;
}
