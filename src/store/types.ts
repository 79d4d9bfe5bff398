import type { WaitAnswer } from '../engine/effects.js';
import type { Durability, ExecutionMode, WorkflowStatus } from '../base/model.js';
import type { ErrorDocument, MaestroError } from '../base/errors.js';
import type { Entry, NodeRow, WorkflowRow } from '../engine/entries.js';
import type { WorkflowSpec } from '../spec/types.js';
import type { ArtifactManifest } from './artifact-rows.js';
import type { DefinitionChange } from './definition-change.js';
import type { FurtherRow } from './further-rows.js';
import type { KvGuard, KvOp, Visible } from './kv.js';
import type { ScheduleRow } from './schedule-rows.js';
import type { CachedResults } from './cached-results.js';
import type { QueueRows } from './queue-rows.js';
import type { StepLog } from './step-logs.js';

/** The row of an execution that changes only when its status or owner does. */
export interface ExecutionRecord {
  readonly executionId: string;
  readonly workflowId: string;
  readonly workflowName: string;
  readonly definitionHash: string;
  readonly baseDir: string;
  readonly mode: ExecutionMode;
  readonly durability: Durability;
  readonly nodeCount: number;
  readonly status: WorkflowStatus;
  /** Who runs it; null when nobody does. */
  readonly ownerId: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly error: ErrorDocument | null;
  /** Node counts when the status last changed. */
  readonly counts: NodeCounts;
  /** Plain JSON for the layers above (retries allowed, artifact root, ...). */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface NodeCounts {
  readonly completed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly blocked: number;
  readonly cancelled: number;
  readonly running: number;
}

/** One journal record: what one commit changed in one execution. `sequence` counts from 0 without gaps. */
export interface JournalRecord {
  readonly sequence: number;
  readonly entries: readonly Entry[];
}

/** A checkpoint bounds replay: node rows as of journal sequence `nextSequence`, kept in chunks. */
export interface Checkpoint {
  readonly nextSequence: number;
  readonly workflow: WorkflowRow;
  /** Rows by node index, in chunks of CHECKPOINT_CHUNK; a chunk never written is all pending. */
  readonly chunks: ReadonlyMap<number, readonly NodeRow[]>;
}
/** Nodes per checkpoint row. */
export const CHECKPOINT_CHUNK = 256;

/** The process that runs executions. Alive while a process with this pid, start time and boot id is. */
export interface OwnerRecord {
  readonly ownerId: string;
  readonly pid: number;
  /** Kernel start time of the process, opaque text. */
  readonly processStart: string;
  readonly bootId: string;
  readonly hostname: string;
  readonly createdAtMs: number;
  /** Queues that it was started with; absent when there are none. */
  readonly queues?: Readonly<Record<string, { size: number | null; rate: string | null }>>;
}

export type InboxKind = 'pause' | 'resume' | 'cancel' | 'retry';

/** What is asked of an execution as a whole, or told to nodes of it that wait. */
export type InboxBody =
  | { readonly kind: InboxKind; readonly reason?: string; readonly compensate?: boolean }
  /** `node` is a dense index. */
  | { readonly kind: 'rerun'; readonly node: number; readonly cascade: boolean }
  | { readonly kind: 'answer'; readonly answer: WaitAnswer };

/** A request from another process to the owner of an execution; stays until the owner has committed its effect. */
export type InboxRequest = InboxBody & {
  readonly requestId: string;
  readonly executionId: string;
  readonly createdAtMs: number;
};

export interface ListFilter {
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  readonly workflowId?: string;
  /** Inclusive, epoch ms. */
  readonly createdFromMs?: number;
  /** Exclusive, epoch ms. */
  readonly createdToMs?: number;
  /** Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
  /** Default: newest first. */
  readonly order?: 'newest' | 'oldest';
}

export interface ListPage {
  readonly records: readonly ExecutionRecord[];
  /** Present when there are more. */
  readonly next?: string;
  /** Ids of executions on this page whose record is damaged; present when there are any. */
  readonly damaged?: readonly string[];
}

/** Everything needed to restore an execution. */
export interface StoredExecution {
  readonly record: ExecutionRecord;
  readonly spec: WorkflowSpec;
  /** JSON text. */
  readonly globalContext: string;
  readonly checkpoint: Checkpoint | null;
}

/**
 * Records, journals, indexes, leases and inbox over a Kv. Methods named `put…`/`append…` return ops, so that one
 * commit carries what many executions produced; nothing is written until `commit`.
 */
export interface ExecutionStore {
  /** Ops for a new execution: record, definition (once per hash), context, indexes. */
  create(record: ExecutionRecord, spec: WorkflowSpec, globalContext: string): KvOp[];
  /** Ops that replace a record; index ops only for what changed. */
  update(previous: ExecutionRecord, next: ExecutionRecord): KvOp[];
  appendJournal(executionId: string, record: JournalRecord): KvOp;
  putCheckpoint(executionId: string, checkpoint: Checkpoint): KvOp[];
  putOutput(executionId: string, node: number, run: number, text: string): KvOp;
  /** Ids of executions that nodes of this one have started, by node and attempt. @throws RECORD_CORRUPT */
  children(executionId: string): Promise<string[]>;
  /** Replaces what was written before of the same attempt. */
  putLog(executionId: string, log: StepLog): KvOp;
  /** Results of steps, kept for others like them. */
  readonly cached: CachedResults;
  /** What has been set about queues. */
  readonly queues: QueueRows;
  putManifest(executionId: string, manifest: ArtifactManifest): KvOp;
  putOwner(owner: OwnerRecord): KvOp;
  deleteOwner(ownerId: string): KvOp;
  putRequest(request: InboxRequest): KvOp;
  deleteRequest(request: InboxRequest): KvOp;

  /**
   * Sets who is told that a commit failed, whoever made it: nothing is written any more until the store is reopened, or, where
   * its owner was taken for dead, by this owner.
   */
  onFailure(failed: (error: MaestroError) => void): void;
  commit(ops: readonly KvOp[]): Promise<void>;
  /**
   * Commits what an owner decided about its executions. Refused, with nothing written, when another process has taken
   * one of them over since: whatever the owner believes, they are not its own any more.
   * @param visible `soon` where no other process waits for it; counts only for ops that are all about progress
   * @throws LEASE_LOST
   */
  commitOwned(ownerId: string, ops: readonly KvOp[], visible?: Visible): Promise<void>;
  /** Ops that remove the fences made before `untilMs`. */
  deleteFences(untilMs: number): Promise<KvOp[]>;
  /**
   * Creates unless the id is taken, and a guard of the caller's holds if there is one.
   * @throws EXECUTION_EXISTS; STORE_CONFLICT for the guard; LEASE_LOST when its owner was taken for dead
   */
  commitNew(record: ExecutionRecord, ops: readonly KvOp[], guard?: KvGuard): Promise<void>;
  /** Every schedule that can be read, by workflow id, and the ids of those that cannot. */
  schedules(): Promise<{ rows: readonly ScheduleRow[]; damaged: readonly string[] }>;
  /** @throws RECORD_CORRUPT */
  getSchedule(workflowId: string): Promise<ScheduleRow | undefined>;
  /**
   * Replaces a schedule that is still as it was seen; undefined: there is none. A new one brings its definition.
   * @throws STORE_CONFLICT when somebody else was faster
   */
  changeSchedule(
    seen: ScheduleRow | undefined,
    next: ScheduleRow | undefined,
    spec?: WorkflowSpec,
  ): Promise<void>;
  /**
   * Takes an execution over: succeeds only if its record is still byte-equal to `seen` (compare and set). Its former
   * owner, if it lives after all, commits nothing more.
   * @throws STORE_CONFLICT when somebody else was faster; LEASE_LOST when the next owner was itself taken for dead
   */
  takeOver(seen: ExecutionRecord, next: ExecutionRecord): Promise<void>;

  /**
   * Lets an execution that nobody runs go on under another definition, in one commit; like `takeOver`.
   * @param next its record from then on, with that definition's hash
   * @param also committed with that
   * @throws STORE_CONFLICT when somebody else was faster; RECORD_CORRUPT, with nothing changed
   */
  changeDefinition(
    seen: ExecutionRecord,
    next: ExecutionRecord,
    change: DefinitionChange,
    also: readonly KvOp[],
  ): Promise<void>;
  /** Definitions are kept by content: to write one again changes nothing. */
  putDefinition(hash: string, spec: WorkflowSpec): KvOp;

  getRecord(executionId: string): Promise<ExecutionRecord | undefined>;
  getDefinition(hash: string): Promise<WorkflowSpec | undefined>;
  /** @param record what it was taken over with just now; default: its record is read, and all that its owner was told */
  load(executionId: string, record?: ExecutionRecord): Promise<StoredExecution | undefined>;
  /** Settles when all that the owner of an execution has been told is committed can be read; `load` waits for that. */
  settled(record: ExecutionRecord): Promise<void>;
  journal(executionId: string, fromSequence?: number): AsyncIterable<JournalRecord>;
  getOutput(executionId: string, node: number, run: number): Promise<string | undefined>;
  /** Outputs too large for the journal, of every run, by node. */
  outputs(executionId: string): AsyncIterable<{ node: number; run: number; text: string }>;
  /** Artifacts of every run, by node. @throws RECORD_CORRUPT */
  manifests(executionId: string): AsyncIterable<ArtifactManifest>;
  /** What steps wrote, by node, run and attempt; of one node, or after a place. @throws RECORD_CORRUPT */
  logs(
    executionId: string,
    range?: { node?: number; after?: string },
  ): AsyncGenerator<StepLog & { place: string }>;
  /** Rows of kinds that are carried as they are. @throws RECORD_CORRUPT */
  furtherRows(executionId: string): AsyncGenerator<FurtherRow>;
  putFurtherRow(executionId: string, row: FurtherRow): KvOp;
  /** JSON text of the global context. */
  getContext(executionId: string): Promise<string | undefined>;
  /** Sequence of the newest journal record; -1 when there is none. */
  lastSequence(executionId: string): Promise<number>;
  /**
   * Begins to write an execution in several commits. Until the last one it does not exist; a crash, or another
   * process that opens the store, removes what was written. @throws STORE_CONFLICT when the id is taken
   */
  beginDraft(executionId: string): Promise<void>;
  /** A commit to a draft; the `final` one carries the record. @throws STORE_CONFLICT when it was removed */
  commitDraft(executionId: string, ops: readonly KvOp[], last?: 'final'): Promise<void>;
  list(filter?: ListFilter): Promise<ListPage>;
  /** How many executions have each status, from the index. */
  countByStatus(): Promise<Record<WorkflowStatus, number>>;
  /**
   * What belongs to no execution in a listing, and index entries that are not as the records say. Writes nothing.
   * @param listed ids of every execution that a listing shows
   */
  strays(listed: ReadonlySet<string>): AsyncIterable<{ executionId: string; what: string }>;
  /** Rows and bytes of keys and values, by kind of row. */
  sizes(): Promise<Record<string, { rows: number; bytes: number }>>;
  /** Bytes of the store's file, and how many of them hold data; null when it has no file. */
  space(): { fileBytes: number; usedBytes: number } | null;
  /** All open requests, oldest first. */
  requests(): Promise<InboxRequest[]>;
  owners(): Promise<OwnerRecord[]>;
  /** The cursor after the first `count` executions of a filter, to list the rest; undefined when there is no rest. */
  cursorAfter(filter: ListFilter, count: number): Promise<string | undefined>;
  /**
   * Removes every trace of an execution but its definition, which others may share.
   * @param seen the record as it must still be: what has changed since stays
   * @throws STORE_CONFLICT when it has changed
   */
  delete(executionId: string, seen?: ExecutionRecord): Promise<boolean>;
  close(): Promise<void>;
}
