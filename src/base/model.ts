/** The vocabulary of the canonical model, shared by every room. Names are those of stored documents. */

export const NODE_STATUSES = [
  'pending',
  'ready',
  'running',
  'completed',
  'failed',
  'skipped',
  'blocked',
  'cancelled',
] as const;
export type NodeStatus = (typeof NODE_STATUSES)[number];

export const WORKFLOW_STATUSES = [
  'pending',
  'running',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type WorkflowStatus = (typeof WORKFLOW_STATUSES)[number];

/** linear: one at a time in topological order; dag_linear: the engine, one at a time; dag_parallel: all cores. */
export const EXECUTION_MODES = ['linear', 'dag_linear', 'dag_parallel'] as const;
export type ExecutionMode = (typeof EXECUTION_MODES)[number];

/** sync: completions are on disk before dependents start; async: commits overlap; exit: only at pause and end. */
export const DURABILITIES = ['sync', 'async', 'exit'] as const;
export type Durability = (typeof DURABILITIES)[number];

export const FAILURE_MODES = ['fail_fast', 'continue'] as const;
export type FailureMode = (typeof FAILURE_MODES)[number];

/** After what end of an execution the effects of its completed nodes are undone, as far as they say how. */
export type CompensateOn = 'on_failure' | 'on_cancel' | 'always';

/** How often and when a failed attempt is tried again. All seconds may be fractions. */
export interface RetryPolicy {
  /** Attempts in all, the first included; at least 1. */
  max_attempts: number;
  retry_delay_seconds: number;
  /** false: never retry, whatever max_attempts says. */
  retry_on_failure: boolean;
  /** true: delay × 2^(attempt - 1). */
  exponential_backoff: boolean;
  max_delay_seconds?: number;
  /** full: a uniformly random delay between 0 and the computed one (AWS "full jitter"). */
  jitter?: 'none' | 'full';
  /** Error names or codes that are never retried. */
  non_retryable?: readonly string[];
}

/** A node's output: JSON text, kept opaque by the host (steps and documents parse it), or a stored large one. */
export type NodeOutput = string | LargeOutput;

/** An output over the inline limit: its text is a row of its own, read when somebody needs it. */
export interface LargeOutput {
  readonly sizeBytes: number;
}

/** Outputs whose JSON text is longer than this live in rows of their own. */
export const INLINE_OUTPUT_LIMIT_BYTES = 64 * 1024;

/** An iteration of a node that repeats, after which another one follows. */
export interface EndedIteration {
  /** Counts from 1 within one loop. */
  readonly number: number;
  /** Of the run before the node's current one. */
  readonly output: NodeOutput;
}

/** What a node can wait for without a thread or a slot: a person, a signal from outside, a moment, a child execution. */
export const WAIT_KINDS = ['review', 'signal', 'time', 'child'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** The open wait of a node. */
export interface Wait {
  readonly kind: WaitKind;
  /** Name of the signal; of a child, its `childKey`; null for other kinds. */
  readonly signal: string | null;
  /** When it ends by itself, epoch ms; 0: never. */
  readonly wakeAtMs: number;
}

/** What ended a wait; deadline: nobody answered in time. */
export const WAIT_ENDS = ['review', 'signal', 'time', 'deadline'] as const;
export type WaitEnd = (typeof WAIT_ENDS)[number];

/** What somebody said about an open review. */
export interface ReviewComment {
  readonly text: string;
  readonly reviewer: string | null;
  readonly atMs: number;
}

/** The life of a contract. The first four, rejected and amended are declared; the others follow from what nodes do. */
export const CONTRACT_STATUSES = [
  'draft',
  'proposed',
  'negotiating',
  'accepted',
  'in_progress',
  'fulfilled',
  'verified',
  'verified_with_warnings',
  'breached',
  'rejected',
  'amended',
] as const;
export type ContractStatus = (typeof CONTRACT_STATUSES)[number];

/** What became of one contract at one node. */
export interface ContractVerdict {
  readonly contract: string;
  /** output: the node promised it; input: the node needs it. */
  readonly side: 'output' | 'input';
  readonly severity: 'blocking' | 'warning';
  /** Of an output one of the verified ones or breached; of an input where the contract was instead. */
  readonly status: ContractStatus;
  /** What in the output does not fit. */
  readonly problems: readonly ContractProblem[];
}

/** The evidence of a breach. */
export interface ContractProblem {
  /** JSON pointer into the output; empty: all of it. */
  readonly path: string;
  readonly message: string;
  /** What is there, as JSON text, shortened. */
  readonly value: string;
}

/** Whether an execution with this status has ended (a retry can start it again). */
export function isWorkflowStatusEnded(status: WorkflowStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
