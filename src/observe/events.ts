import type { NodeStatus } from '../base/model.js';

/** Event names of the canonical model. */
export const EVENT_TYPES = [
  'workflow_started',
  'workflow_completed',
  'workflow_failed',
  'workflow_paused',
  'workflow_resumed',
  'workflow_cancelled',
  'node_ready',
  'node_started',
  'node_completed',
  'node_failed',
  'node_retry',
  'node_skipped',
  'node_blocked',
  'node_cancelled',
  'node_recovered',
  'node_progress',
  'node_commented',
  'node_repeated',
  'workflow_signal_received',
  'group_restarted',
  'edge_evaluated',
  'contract_verified',
  'contract_breached',
  'contract_unverified',
  'workflow_compensating',
  'node_cached',
  'map_expanded',
  'workflow_migrated',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** One event as observers, files and HTTP see it. */
export interface ExecutionEvent {
  event_type: EventType;
  workflow_id: string;
  execution_id: string;
  node_id?: string;
  /** ISO 8601, UTC. */
  timestamp: string;
  /**
   * Position in the execution's history, `record-index`: the same live and when read from the store. Absent on
   * node_progress, which is never stored.
   */
  event_id?: string;
  data: Record<string, unknown>;
}

/** A node's record in the stored document. Times are ISO 8601, UTC. */
export interface NodeStateDocument {
  node_id: string;
  status: NodeStatus;
  start_time: string | null;
  end_time: string | null;
  attempt_count: number;
  error_message: string | null;
  output: unknown;
  artifacts: string[];
  metadata: Record<string, unknown>;
}
