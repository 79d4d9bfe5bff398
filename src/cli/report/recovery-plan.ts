import {
  generations,
  isWorkflowStatusEnded,
  planOf,
  type ExecutionDocument,
  type NodeStateDocument,
  type WorkflowSpec,
} from '../../runtime/index.js';

/** What recovering an execution would do. */
export interface RecoveryPlan {
  execution_id: string;
  workflow_id: string;
  status: ExecutionDocument['status'] | 'interrupted';
  /** resume: go on; retry: run what failed or was cancelled again; none: there is nothing to do. */
  action: 'resume' | 'retry' | 'none';
  counts: { completed: number; pending: number; failed: number; interrupted: number; skipped: number };
  total_nodes: number;
  /** Nodes that may run, in groups: a group's nodes wait for those of earlier groups only. */
  plan: string[][];
}

/** A retry brings failed, cancelled and blocked nodes back; going on leaves them as they are. */
function runs({ status, metadata }: NodeStateDocument, action: RecoveryPlan['action']): boolean {
  if (status === 'completed' || status === 'skipped') return false;
  if (action === 'retry') return true;
  return status === 'failed' ? isRetrying(metadata) : status !== 'blocked' && status !== 'cancelled';
}

function isRetrying(metadata: Readonly<Record<string, unknown>>): boolean {
  return 'retry_at' in metadata;
}

/** Pure: says what a recovery would run, from the stored document and definition. */
export function recoveryPlan(document: ExecutionDocument, spec: WorkflowSpec): RecoveryPlan {
  const { execution_id, workflow_id, interrupted, total_nodes } = document;
  const action = actionOf(document);
  const counts = { completed: 0, pending: 0, failed: 0, interrupted: 0, skipped: 0 };
  for (const node of Object.values(document.node_states)) counts[countedAs(node, interrupted)]++;
  return {
    execution_id,
    workflow_id,
    status: interrupted ? 'interrupted' : document.status,
    action,
    counts,
    total_nodes,
    plan: action === 'none' ? [] : groupsToRun(document, spec, action),
  };
}

export function actionOf({ status, interrupted }: ExecutionDocument): RecoveryPlan['action'] {
  if (status === 'failed' || status === 'cancelled') return 'retry';
  if (interrupted || status === 'paused') return 'resume';
  return isWorkflowStatusEnded(status) ? 'none' : 'resume';
}

/** A node that was running when its process died is interrupted: it runs again. */
function countedAs(
  { status, metadata }: NodeStateDocument,
  interrupted: boolean,
): keyof RecoveryPlan['counts'] {
  if (status === 'completed' || status === 'skipped') return status;
  if (status === 'cancelled' || (status === 'failed' && !isRetrying(metadata))) return 'failed';
  if (status === 'running') return interrupted ? 'interrupted' : 'pending';
  return 'pending';
}

function groupsToRun(
  { node_states }: ExecutionDocument,
  spec: WorkflowSpec,
  action: RecoveryPlan['action'],
): string[][] {
  const plan = planOf(spec);
  return generations(plan)
    .map((group) => group.map((node) => plan.ids[node]).filter((id) => runs(node_states[id], action)))
    .filter((group) => group.length > 0);
}
