import type { ExecutionMode, WorkflowStatus } from '../base/model.js';
import type { ObservedNode, ObservedWorkflow } from '../engine/actors.js';
import type { ErrorDocument, MaestroError } from '../base/errors.js';
import type { ExecutionEvent, NodeStateDocument } from '../observe/events.js';
import type { RuntimeMetrics } from '../observe/metrics.js';
import type { ListFilter, ListPage } from '../store/types.js';
import type { Workflow, WorkflowSpec } from '../spec/types.js';
import type { OutputStream } from '../store/step-logs.js';
import type { RetentionPolicy } from './retention.js';
import type { ForkOptions, RerunOptions } from './again-options.js';
import type { ArtifactDocument, ArtifactFilter } from './artifact-types.js';
import type { Cache } from './cache-types.js';
import type { Migrating } from './migration-types.js';
import type { ContractDocument } from './contract-document.js';
import type { QueueSettings } from './queue-types.js';
import type { Schedules } from './schedule-types.js';

export type { ArtifactDocument, ArtifactFilter } from './artifact-types.js';
export type {
  Cache,
  CacheDocument,
  CachedNodeDocument,
  CacheFilter,
  ClearCacheOptions,
} from './cache-types.js';
export type { ContractDocument } from './contract-document.js';
export type { ForkOptions, RerunOptions } from './again-options.js';
export type { MigrateOptions, MigrationDocument, NodeVerdict } from './migration-types.js';
export type { PoolOptions, RuntimeOptions } from './runtime-options.js';
export type { QueueDocument, QueueLimit, QueueSettings } from './queue-types.js';
export type { ListSchedulesOptions, ScheduleDocument, Schedules } from './schedule-types.js';

export interface StartOptions {
  /** Default: a new UUID version 7. */
  executionId?: string;
  mode?: ExecutionMode;
  /** Nodes of this execution that may run at once. */
  concurrency?: number;
  retries?: boolean;
  /** false: results that were kept are not looked for; what completes is kept anew. Default true. */
  cache?: boolean;
}

export interface WatchOptions {
  /** Ends it. */
  signal?: AbortSignal;
}

export interface EventsOptions extends WatchOptions {
  /** Only what comes after the event with this `event_id`. */
  after?: string;
  /** Goes on with events as they come, whichever process runs the execution, until it has ended. Default false. */
  follow?: boolean;
}

export interface DeleteOptions {
  /** Also what has not ended when nobody runs it, and what is damaged. Default false. */
  force?: boolean;
}

export interface CollectOptions extends RetentionPolicy {
  /** true: says what would go, deletes nothing. */
  dryRun?: boolean;
}

export interface CollectReport {
  /** Ids of the executions that went, or would. */
  readonly deleted: readonly string[];
  readonly dryRun: boolean;
  /** Ids whose artifacts went, or would: those of executions that are not there any more. */
  readonly orphans?: readonly string[];
  /** Results of steps that were kept, and are too old: how many went, or would. Absent when there were none. */
  readonly cached?: number;
}

export interface MarkStaleOptions {
  /** How long nothing must have happened, in milliseconds. */
  olderThanMs: number;
  /** true: says which ones, changes nothing. */
  dryRun?: boolean;
}

export interface SignalOptions {
  /** A signal with an id that the execution has had before is the same one, sent again: nothing happens. */
  signalId?: string;
}

/** What a reviewer says: a decision, or without one a comment. */
export interface ReviewInput {
  decision?: 'approve' | 'reject';
  /** Must fit the review's `response_schema`; who rejects need not give one. */
  response?: unknown;
  comment?: string;
  reviewer?: string;
}

export interface ReviewFilter {
  executionId?: string;
  /** About how many; whole executions are told. Default 100. */
  limit?: number;
  /** `next` of the page before. */
  after?: string;
}

export interface ReviewPage {
  readonly reviews: readonly ReviewDocument[];
  /** Present when there may be more. */
  readonly next?: string;
}

/** An open review. Times are ISO 8601, UTC. */
export interface ReviewDocument {
  execution_id: string;
  workflow_id: string;
  workflow_name: string;
  node_id: string;
  node_name: string;
  instructions: string | null;
  assignees: string[];
  response_schema: Record<string, unknown> | null;
  asked_at: string;
  deadline: string | null;
  /** The decision taken at the deadline; null: the node fails then. */
  default: { decision: 'approve' | 'reject'; response?: unknown } | null;
  comments: Record<string, unknown>[];
}

/** How an execution ended. */
export interface ExecutionResult {
  execution_id: string;
  workflow_id: string;
  status: WorkflowStatus;
  completed_nodes: number;
  total_nodes: number;
  /** Seconds between start and end. */
  execution_time: number;
  failed_node?: string;
  error?: ErrorDocument;
}

/** An execution that a node of another one has started. */
export interface ChildDocument {
  execution_id: string;
  node_id: string;
  workflow_id: string;
  status: WorkflowStatus;
}

/** The stored document of an execution (canonical "context"), with its status. */
export interface ExecutionDocument {
  workflow_id: string;
  workflow_name: string;
  execution_id: string;
  status: WorkflowStatus;
  mode: ExecutionMode;
  /** The execution whose results it began with, and the nodes it began from. */
  forked_from?: { execution_id: string; nodes: string[] };
  /**
   * Present when its nodes are compensated before it ends, or were: after what, and which nodes have been undone, could
   * not be, or are still to be.
   */
  compensation?: { after: 'failed' | 'cancelled'; completed: string[]; failed: string[]; open: string[] };
  /** Present when it goes on under another definition than it was started with: every change, oldest first. */
  migrations?: readonly { from: string; to: string; at: string }[];
  /** The execution whose node started it, and goes on when it has ended. */
  parent?: { execution_id: string; node_id: string };
  /** What its subworkflow nodes have started; absent when it has none. */
  children?: ChildDocument[];
  /** `running` though nobody runs it: its owner died. */
  interrupted: boolean;
  completed_nodes: number;
  total_nodes: number;
  progress_percent: number;
  failed_node: string | null;
  error: ErrorDocument | null;
  node_states: Record<string, NodeStateDocument>;
  node_outputs: Record<string, unknown>;
  artifacts: Record<string, string[]>;
  /** Where each contract is; absent when the workflow has none. */
  contracts?: ContractDocument[];
  global_context: Record<string, unknown>;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  completed_at: string | null;
}

/** Text that a step wrote in one go, or nearly. */
export interface LogEntryDocument {
  stream: OutputStream;
  time: string;
  /** Characters that the attempt had written before it, to both streams; what is between two entries was cut. */
  offset: number;
  text: string;
}

/** What one attempt of a node wrote to stdout and stderr. */
export interface NodeLogDocument {
  node_id: string;
  attempt: number;
  /** Counts from 0; one more each time that the node was made to run again after it had ended. */
  run: number;
  /** When it first wrote; tells apart attempts of one number, of which a crash cut off the first. */
  began_at: string;
  /** All that it wrote, in characters. */
  written_chars: number;
  /** How much of that was cut from the middle. */
  dropped_chars: number;
  entries: LogEntryDocument[];
}

export interface LogPage {
  execution_id: string;
  /** Of the execution, as it was before the logs were read: nothing follows when it has ended. */
  status: WorkflowStatus;
  /** In the order of the definition's nodes, runs and attempts. */
  logs: NodeLogDocument[];
  /** Give it as `after`; present when there are more. */
  next?: string;
}

export interface LogFilter {
  nodeId?: string;
  attempt?: number;
  stream?: OutputStream;
  /** Attempts on a page. Default 100. */
  limit?: number;
  /** `next` of the page before. */
  after?: string;
}

/** An execution as it was at a past moment. */
export interface ReplayDocument extends ExecutionDocument {
  /** How many state changes (journal entries) are in it. */
  at_change: number;
  total_changes: number;
  /** When the last of them happened. */
  at_time: string;
}

export interface Execution {
  readonly id: string;
  readonly workflowId: string;
  /**
   * Resolves when the execution has ended (completed, failed or cancelled; the result says which), or is paused
   * and nothing runs any more. Never rejects for a failed workflow; rejects when the runtime itself fails.
   */
  readonly result: Promise<ExecutionResult>;
  /** This execution's events from the first one on, stored and live; ends when it has ended. */
  events(): AsyncIterable<ExecutionEvent>;
  /**
   * The workflow's XState actor reference: a replica that follows what is durable. `send` takes requests
   * (pauseRequested, resumeRequested, cancelRequested). @throws EXECUTION_STATE while it waits in the store for its turn
   */
  readonly actor: ObservedWorkflow;
  /** A node's XState actor reference; `send` takes cancelRequested. @throws NODE_NOT_FOUND, EXECUTION_STATE */
  node(id: string): ObservedNode;
}

export interface CancelOptions {
  /** Default: what the workflow's `compensate` says. */
  compensate?: boolean;
}

export interface CloseOptions {
  /** How long running nodes may go on before they are cancelled. Default 30,000. */
  drainMs?: number;
  /** How long cancelled nodes have to stop before they are ended. Default: the pool's `graceMs`. */
  graceMs?: number;
}

export interface Runtime extends Migrating {
  /** Workflows that start by themselves. */
  readonly schedules: Schedules;
  /** Results of steps that were kept for others like them. */
  readonly cache: Cache;
  /** How large queues are in each process on the store. */
  readonly queues: QueueSettings;
  /** Resolves once the execution is stored. @throws EXECUTION_EXISTS, CONTEXT_INVALID, RUNTIME_CLOSED */
  start(workflow: Workflow, context?: Record<string, unknown>, options?: StartOptions): Promise<Execution>;
  /**
   * Continues a paused or interrupted execution in this process.
   * `workflow` is needed when it has inline functions; its structure must match the stored one.
   * @throws EXECUTION_NOT_FOUND, EXECUTION_STATE, EXECUTION_OWNED, STRUCTURE_MISMATCH, EXECUTOR_MISSING
   */
  resume(executionId: string, options?: { workflow?: Workflow }): Promise<Execution>;
  /** Runs a failed or cancelled execution again from what failed; completed nodes keep their results. */
  retry(executionId: string, options?: { workflow?: Workflow }): Promise<Execution>;
  /**
   * Runs one node again, wherever its execution is: one that has ended, is paused or interrupted goes on with it here;
   * the process that runs it otherwise is asked. Old results stay in the history; the new run has a number, and an
   * idempotency key, of its own. With `cascade` all that depends on the node runs again after it, too; without it only
   * the node does, and what has ended below it keeps results whose inputs are older (`inputs_outdated`). What the node
   * had blocked comes back by itself. Other failures stay; under fail_fast nothing but this runs while there are any.
   * @returns undefined when another process runs the execution: it was asked
   * @throws EXECUTION_STATE when the node has not run, is running, or something that needs its result is running,
   *   or when a dependency of it has none; NODE_NOT_FOUND, EXECUTION_NOT_FOUND, STRUCTURE_MISMATCH, EXECUTOR_MISSING
   */
  rerun(executionId: string, nodeId: string, options?: RerunOptions): Promise<Execution | undefined>;
  /**
   * Starts a new execution that keeps the results of another one, whatever its state, but for the nodes in `from` and
   * all that depends on them. Outputs are copied, artifacts are kept by their paths. The other one is not changed.
   * @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, EXECUTION_EXISTS, CONTEXT_INVALID, EXECUTOR_MISSING, RECORD_CORRUPT
   */
  fork(executionId: string, options: ForkOptions): Promise<Execution>;
  /**
   * Pauses: nothing new starts, running nodes finish. Resolves once the request is durable, for what its subworkflow nodes
   * have started, too.
   */
  pause(executionId: string): Promise<void>;
  /**
   * Cancels. With `compensate` what completed and says how it is undone is compensated before the execution ends, also
   * where its workflow does not ask for that; an execution that compensates already is left to it, otherwise ended.
   */
  cancel(executionId: string, reason?: string, options?: CancelOptions): Promise<void>;
  /**
   * Tells an execution something that a node of it waits for (`wait_for`), or will: it is kept until then, first come
   * first served, and taken exactly once. Resolves once that is durable. `payload` defaults to null.
   * @throws EXECUTION_NOT_FOUND, EXECUTION_STATE when it has ended, SIGNAL_UNKNOWN when no node waits for this name,
   *   PAYLOAD_INVALID with every problem; nothing has changed then
   */
  signal(executionId: string, name: string, payload?: unknown, options?: SignalOptions): Promise<void>;
  /**
   * Approves or rejects an open review, or only comments on it. Resolves once that is durable.
   * @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, EXECUTION_STATE when no review of it is open, PAYLOAD_INVALID with
   *   every problem of the response; nothing has changed then
   */
  review(executionId: string, nodeId: string, review: ReviewInput): Promise<void>;
  /** Open reviews, those of the oldest executions first. @throws EXECUTION_NOT_FOUND */
  reviews(filter?: ReviewFilter): Promise<ReviewPage>;
  /**
   * Items of maps are only counted, with their map; those named in `items` (`id[number]`) are among its nodes as well.
   */
  get(executionId: string, options?: { items?: readonly string[] }): Promise<ExecutionDocument | undefined>;
  /** The definition an execution has, as it is stored; undefined when there is no such execution. */
  definition(executionId: string): Promise<WorkflowSpec | undefined>;
  list(filter?: ListFilter): Promise<ListPage>;
  /**
   * An execution as it was after its first `at` state changes, or at a moment; by default as it is. Reads only.
   * @throws EXECUTION_NOT_FOUND, USAGE when it has not so many
   */
  replay(executionId: string, at?: number | Date): Promise<ReplayDocument>;
  /**
   * Events of an execution, oldest first: those that are stored, and with `follow` those that come. They are read at
   * the reader's pace; a slow one costs no memory.
   * @throws EXECUTION_NOT_FOUND, also when deleted before all are read; USAGE for a bad `after`; RUNTIME_CLOSED, RUNTIME_DIED
   */
  events(executionId: string, options?: EventsOptions): AsyncIterable<ExecutionEvent>;
  /**
   * The events of every execution of a workflow from now on, whichever process runs it; those of one execution in
   * order. Does not end by itself. What is deleted before it was read is not told.
   * @throws WATCHER_SLOW when more than 10,000 executions have events that were not read, RUNTIME_CLOSED, RUNTIME_DIED
   */
  watch(workflowId: string, options?: WatchOptions): AsyncIterable<ExecutionEvent>;
  /**
   * What steps wrote to stdout and stderr: commands, and modules on worker threads. A step that runs is at most a
   * second ahead of it.
   * @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, USAGE for an `after` that no page gave
   */
  logs(executionId: string, filter?: LogFilter): Promise<LogPage>;
  /** The artifacts of the last run of each node. @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND */
  artifacts(executionId: string, filter?: ArtifactFilter): Promise<ArtifactDocument[]>;
  /** What this runtime has done since it was opened, and how it is: cheap, however much is stored. */
  metrics(): Promise<RuntimeMetrics>;
  /** How many stored executions have each status. Reads an index of all of them. */
  counts(): Promise<Record<WorkflowStatus, number>>;
  /**
   * Deletes an execution that has ended: record, journal, outputs, and its artifacts, unless a
   * fork of it keeps them.
   * @returns false when there is none with this id
   * @throws EXECUTION_STATE when it has not ended, EXECUTION_OWNED when another process runs it or still stops its last
   *   steps, RECORD_CORRUPT when it is damaged (`force` deletes it all the same), STORE_CONFLICT when it changed at this
   *   moment
   */
  delete(executionId: string, options?: DeleteOptions): Promise<boolean>;
  /** Deletes the ended executions that a policy lets go. @throws USAGE for a policy that says nothing */
  collect(options: CollectOptions): Promise<CollectReport>;
  /**
   * Fails executions that have not ended, that no living process runs and to which nothing has happened for a while;
   * a retry brings one back. @returns their ids
   */
  markStale(options: MarkStaleOptions): Promise<readonly string[]>;
  /** What the runtime died of: it acknowledges nothing any more. undefined while it lives. */
  readonly failure: MaestroError | undefined;
  /**
   * Takes over executions that should be running and that no living process runs, as opening does.
   * @returns those, and those that could not be, with the reason
   */
  recover(): Promise<readonly { executionId: string; error?: ErrorDocument }[]>;
  /** Executions resumed when the store was opened, and those that could not be, with the reason. */
  readonly recovered: readonly { executionId: string; error?: ErrorDocument }[];
  /**
   * Pauses dispatch, lets running nodes finish, releases everything. Idempotent; called again with a `drainMs` of 0, it
   * waits for no node any longer: what still runs has `graceMs` from now.
   */
  close(options?: CloseOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
