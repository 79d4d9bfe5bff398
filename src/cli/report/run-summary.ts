import {
  criticalPath,
  NODE_STATUSES,
  type Durability,
  type ErrorDocument,
  type ExecutionDocument,
  type ExecutionMode,
  type NodeStateDocument,
  type NodeStatus,
  type Plan,
  type WorkflowStatus,
} from '../../runtime/index.js';

export interface NodeSeconds {
  node_id: string;
  seconds: number;
}

/** What `run`, `resume` and `retry` end with; `--json` prints exactly this. */
export interface RunSummary {
  execution_id: string;
  workflow_id: string;
  status: WorkflowStatus;
  mode: ExecutionMode;
  durability: Durability;
  completed_nodes: number;
  total_nodes: number;
  counts: Record<NodeStatus, number>;
  duration_seconds: number | null;
  /** What all attempts took together: the duration without any parallelism or overhead. */
  serial_seconds: number;
  /** serial_seconds / duration_seconds; null when the execution was not watched from start to end. */
  speed_up: number | null;
  /** The slowest chain of nodes as measured; null when the graph is not known. */
  critical_path: { seconds: number; nodes: string[] } | null;
  slowest: NodeSeconds[];
  /** Attempts after the first, over all nodes. */
  retries: number;
  failed_node: string | null;
  error: ErrorDocument | null;
  blocked_nodes: string[];
  pending_nodes: string[];
  artifacts: string[];
  /** The command that continues it; null when nothing is left to do. */
  continue_with: string | null;
}

export interface SummaryInput {
  readonly document: ExecutionDocument;
  readonly durability: Durability;
  /** The graph, when it is known. */
  readonly plan?: Plan;
  /** Measured seconds by node; without it start and end times are used. */
  readonly nodeSeconds?: ReadonlyMap<string, number>;
  /** Whether this process ran it from the first node to the end. */
  readonly watchedFromStart: boolean;
  /** `maestro resume ID …` or `maestro retry ID …`, as it must be typed. */
  readonly commandFor: (action: 'resume' | 'retry') => string;
}

const SLOWEST_SHOWN = 5;

export function summarize(input: SummaryInput): RunSummary {
  const { document, durability, plan, watchedFromStart } = input;
  const states = Object.values(document.node_states);
  const seconds = measure(states, input.nodeSeconds);
  const serialSeconds = [...seconds.values()].reduce((sum, s) => sum + s, 0);
  const durationSeconds = durationOf(document);
  return {
    execution_id: document.execution_id,
    workflow_id: document.workflow_id,
    status: document.status,
    mode: document.mode,
    durability,
    completed_nodes: document.completed_nodes,
    total_nodes: document.total_nodes,
    counts: countStatuses(states),
    duration_seconds: durationSeconds,
    serial_seconds: round(serialSeconds),
    speed_up:
      watchedFromStart && durationSeconds !== null && durationSeconds > 0
        ? round(serialSeconds / durationSeconds)
        : null,
    critical_path: plan === undefined ? null : measuredPath(plan, seconds),
    slowest: slowestOf(seconds),
    retries: states.reduce((sum, state) => sum + Math.max(0, state.attempt_count - 1), 0),
    failed_node: document.failed_node,
    error: document.error,
    blocked_nodes: idsWith(states, 'blocked'),
    pending_nodes: [...idsWith(states, 'pending'), ...idsWith(states, 'ready')],
    artifacts: Object.values(document.artifacts).flat(),
    continue_with: continuation(document, input.commandFor),
  };
}

/** The command that goes on with an execution; null when nothing is left to do. */
export function continuation(
  { status }: Pick<ExecutionDocument, 'status'>,
  commandFor: SummaryInput['commandFor'],
): string | null {
  switch (status) {
    case 'failed':
    case 'cancelled':
      return commandFor('retry');
    case 'paused':
    case 'pending':
    case 'running':
      return commandFor('resume');
    case 'completed':
      return null;
  }
}

/** Seconds from start to end, or to the last change when it has not ended; null before the start. */
export function durationOf(document: ExecutionDocument): number | null {
  if (document.started_at === null) return null;
  const end = document.completed_at ?? document.updated_at;
  return round(Math.max(0, Date.parse(end) - Date.parse(document.started_at)) / 1000);
}

/** Seconds between a node's start and end; undefined when it has not both. */
export function secondsOf(state: NodeStateDocument): number | undefined {
  if (state.start_time === null || state.end_time === null) return undefined;
  return Math.max(0, Date.parse(state.end_time) - Date.parse(state.start_time)) / 1000;
}

export function countStatuses(states: readonly NodeStateDocument[]): Record<NodeStatus, number> {
  const counts = Object.fromEntries(NODE_STATUSES.map((status) => [status, 0])) as Record<NodeStatus, number>;
  for (const state of states) counts[state.status]++;
  return counts;
}

function measure(
  states: readonly NodeStateDocument[],
  measured: ReadonlyMap<string, number> | undefined,
): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const state of states) {
    const value = measured?.get(state.node_id) ?? secondsOf(state);
    if (value !== undefined) seconds.set(state.node_id, value);
  }
  return seconds;
}

function measuredPath(plan: Plan, seconds: ReadonlyMap<string, number>): RunSummary['critical_path'] {
  const { lengthMs, path } = criticalPath(plan, (index) => (seconds.get(plan.ids[index]) ?? 0) * 1000);
  const nodes = path.map((index) => plan.ids[index]).filter((id) => seconds.has(id));
  return { seconds: round(lengthMs / 1000), nodes };
}

function slowestOf(seconds: ReadonlyMap<string, number>): NodeSeconds[] {
  return [...seconds]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SLOWEST_SHOWN)
    .map(([node_id, value]) => ({ node_id, seconds: round(value) }));
}

function idsWith(states: readonly NodeStateDocument[], status: NodeStatus): string[] {
  return states.filter((state) => state.status === status).map((state) => state.node_id);
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
