import {
  isWorkflowStatusEnded,
  type ExecutionRecord,
  type Runtime,
  type WorkflowStatus,
} from '../../runtime/index.js';
import { parentOf } from '../execution-ref.js';

/** One execution in a listing. */
export interface ListedExecution {
  execution_id: string;
  workflow_id: string;
  workflow_name: string;
  /** The execution whose node started it. */
  parent?: string;
  status: WorkflowStatus;
  interrupted: boolean;
  mode: string;
  durability: string;
  completed_nodes: number;
  total_nodes: number;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  /** Until the last change for one that has not ended. */
  duration_seconds: number | null;
}

/**
 * A record as a listing shows it. Records are written when a status changes, so for executions that have not ended
 * the current numbers, and whether anybody still runs them, are looked up.
 */
export async function describeRecord(runtime: Runtime, record: ExecutionRecord): Promise<ListedExecution> {
  const open = !isWorkflowStatusEnded(record.status);
  const document = open ? await runtime.get(record.executionId) : undefined;
  const parent = parentOf(record);
  const endMs = record.endedAtMs ?? (document === undefined ? null : Date.parse(document.updated_at));
  return {
    execution_id: record.executionId,
    workflow_id: record.workflowId,
    workflow_name: record.workflowName,
    ...(parent !== undefined && { parent }),
    status: document?.status ?? record.status,
    interrupted: document?.interrupted ?? false,
    mode: record.mode,
    durability: record.durability,
    completed_nodes: document?.completed_nodes ?? record.counts.completed,
    total_nodes: record.nodeCount,
    created_at: isoTime(record.createdAtMs),
    started_at: record.startedAtMs === null ? null : isoTime(record.startedAtMs),
    completed_at: record.endedAtMs === null ? null : isoTime(record.endedAtMs),
    duration_seconds:
      record.startedAtMs === null || endMs === null ? null : Math.max(0, endMs - record.startedAtMs) / 1000,
  };
}

/** Executions that claim to run though their owner is dead, newest first, at most `limit`. */
export async function findInterrupted(runtime: Runtime, limit: number): Promise<string[]> {
  const { records } = await runtime.list({ status: ['running', 'pending'], limit });
  const documents = await Promise.all(records.map((record) => runtime.get(record.executionId)));
  return documents
    .filter((document) => document?.interrupted === true)
    .map((document) => document!.execution_id);
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
