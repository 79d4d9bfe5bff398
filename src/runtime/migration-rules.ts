import { LEAF, statusOfLeaf } from '../engine/columns.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { growingPlan, mapOfNode } from '../graph/index.js';
import {
  HOW_IT_RUNS,
  type DefinitionDifference,
  type NodeDifference,
  type Workflow,
  type WorkflowSpec,
} from '../spec/index.js';
import type { ExecutionRecord } from '../store/types.js';
import { parentOf } from './child-links.js';
import type { NodeVerdict } from './migration-types.js';

/** What has failed or was cancelled starts over when it runs again: a retry, or a rerun, makes everything of it anew. */
const FAILED = new Set([LEAF['failed.retrying'], LEAF['failed.exhausted'], LEAF.cancelled]);
const BEGUN = new Set([LEAF.running, LEAF.completed, LEAF.skipped]);

/**
 * What becomes of each node that is not in both definitions alike. What has begun stays what it was made by: it cannot be
 * removed, and changed only in how it runs. What has failed may be changed: it starts over.
 */
export function nodeVerdicts(state: ExecutionState, difference: DefinitionDifference): NodeVerdict[] {
  const { plan, columns } = state;
  const verdictOf = (
    node_id: string,
    change: NodeVerdict['change'],
    why: string | undefined,
  ): NodeVerdict => {
    const node = plan.indexOf.get(node_id);
    const status = node === undefined ? null : statusOfLeaf(columns.leaf[node]);
    return { node_id, change, status, allowed: why === undefined, ...(why !== undefined && { why }) };
  };
  return [
    ...difference.added.map((id) => verdictOf(id, 'added', undefined)),
    ...difference.removed.map((id) => verdictOf(id, 'removed', whyNotRemoved(state, id))),
    ...difference.changed.map((node) => verdictOf(node.node_id, 'changed', whyNotChanged(state, node))),
  ];
}

function whyNotRemoved(state: ExecutionState, id: string): string | undefined {
  const node = state.plan.indexOf.get(id)!;
  const { leaf, run } = state.columns;
  if (hasItems(state, node)) return 'its list has been made: its items are part of the history';
  if (FAILED.has(leaf[node]) || hasBegun(state, node)) return `it is ${statusText(state, node)}`;
  return run[node] > 0 ? 'it has run before: its results are part of the history' : undefined;
}

function whyNotChanged(
  state: ExecutionState,
  { node_id, fields, decides }: NodeDifference,
): string | undefined {
  if (!decides) return undefined;
  const node = state.plan.indexOf.get(node_id)!;
  const deciding = fields.flatMap(({ field }) => (HOW_IT_RUNS.has(field) ? [] : [field])).join(', ');
  if (hasItems(state, node))
    return `its list has been made, and its items are made by what it was: ${deciding}`;
  return hasBegun(state, node)
    ? `it is ${statusText(state, node)}, made by what it was: ${deciding}`
    : undefined;
}

/** Whether it runs, has ended well, was passed over, is between two iterations, or starts again after a crash. */
function hasBegun({ columns }: ExecutionState, node: number): boolean {
  if (BEGUN.has(columns.leaf[node])) return true;
  return columns.leaf[node] === LEAF.ready && (columns.startedAtMs[node] > 0 || columns.iterations.has(node));
}

function statusText({ columns }: ExecutionState, node: number): string {
  const wait = columns.waits.get(node);
  if (wait !== undefined) return `waiting (${wait.kind})`;
  const leaf = columns.leaf[node];
  if (leaf === LEAF.running || leaf === LEAF.ready) return 'running, or runs again where it was interrupted';
  return statusOfLeaf(leaf);
}

/** Whether a node is part of a map whose list has been made, whatever became of that. */
function hasItems({ plan }: ExecutionState, node: number): boolean {
  const map = mapOfNode(plan, node);
  const ofGroup = map < 0 ? plan.maps.findIndex(({ group }) => group === node) : map;
  return ofGroup >= 0 && growingPlan(plan)?.expansionOf(ofGroup) !== undefined;
}

/** Why an execution as a whole cannot go over to another definition, whatever its nodes. */
export function refusalsOf(
  record: ExecutionRecord,
  state: ExecutionState,
  { spec }: Pick<Workflow, 'spec'>,
): string[] {
  const refusals: string[] = [];
  const { status, workflowId } = record;
  if (status === 'completed' || status === 'cancelled')
    refusals.push(`it is ${status}: only what can go on is migrated`);
  if (spec.workflow.id !== workflowId)
    refusals.push(
      `it is one of workflow ${JSON.stringify(workflowId)}, not ${JSON.stringify(spec.workflow.id)}`,
    );
  const parent = parentOf(record);
  if (parent !== undefined)
    refusals.push(
      `execution ${parent.execution_id} has started it, and its definition is part of that one's`,
    );
  if (state.workflowContext.compensating !== null)
    refusals.push('its nodes are being compensated, or have been');
  for (const name of new Set(state.signals.row?.open.map((signal) => signal.name)))
    if (!waitsFor(spec, name))
      refusals.push(`signal ${JSON.stringify(name)} has come, and no node would wait for it any more`);
  return refusals;
}

function waitsFor({ nodes }: WorkflowSpec, name: string): boolean {
  return nodes.some(({ wait_for }) => wait_for?.signal === name);
}
