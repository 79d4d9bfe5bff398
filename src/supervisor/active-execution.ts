import type { CancelTimer } from '../base/clock.js';
import { IdMap } from '../base/id-map.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { RareMap } from '../base/rare-map.js';
import type { Entry, OpenEntry } from '../engine/entries.js';
import type { ExecutionEngine } from '../engine/execution-engine.js';
import type { EventDeriver } from '../observe/event-deriver.js';
import type { KvOp } from '../store/kv.js';
import type { Checkpoint, ExecutionRecord } from '../store/types.js';
import { checkpointRows } from './checkpoint-rows.js';
import type { Definition } from './definition.js';
import type { RunningJob } from './running-job.js';
import { MapValues } from './maps.js';
import { nodeCounts } from './node-counts.js';
import type { SinceCheckpoint } from './since-checkpoint.js';
import { Stopping } from './stopping.js';
import type { TimerHeap } from './timer-heap.js';
import type { Replicas } from '../engine/replicas.js';

/**
 * Checkpoints are at least this many entries apart; and four for each node, so their cost is amortised: to read the row of a node
 * takes as long as to replay one of its entries, and most nodes have three in all. So an execution has one only when much of it
 * was tried again or repeated.
 */
const MIN_CHECKPOINT_ENTRIES = 4096;
const CHECKPOINT_ENTRIES_A_NODE = 4;

/** An execution in memory: its engine, and what the supervisor keeps beside it. */
export class ActiveExecution {
  /** The attempt under way of each node that has one. */
  readonly jobs = new IdMap<RunningJob>();
  /** Attempts that were cancelled and have not ended. */
  readonly stopping = new Stopping();
  /** Large outputs that are not yet readable from the store, by `outputKey`. */
  readonly unsavedOutputs = new RareMap<string, string>();
  /** What the maps under way go over. */
  readonly mapValues = new MapValues();
  /** Actor references that users hold. */
  replicas: Replicas | null = null;
  /** What ends a wait or begins a retry, by node, and what ends a node or the whole: see `wakeAt`. */
  private readonly timers = new RareMap<number, CancelTimer>();
  /** Entries handed to the store and not yet published. */
  committing: readonly OpenEntry[] = [];
  /** True when its runtime closes: nobody owns it any more. */
  suspended = false;
  /** True once it has left memory: whatever still arrives for it is dropped. */
  released = false;
  /** It cannot run here: it is in memory for one turn, which pauses or ends it, and in which nothing begins. */
  isVisitor = false;
  /** Something in it may have become startable: admission has not looked yet. */
  isOffered = false;
  /** What it has to start waits until its children have stopped. */
  awaitsChildren = false;
  /** What stores it, while it is not: its first commit does, with the record as that turn has left it. */
  birth: ((record: ExecutionRecord) => KvOp[]) | null = null;

  constructor(
    readonly definition: Definition,
    readonly engine: ExecutionEngine,
    /** As last handed to the store. */
    public record: ExecutionRecord,
    readonly globalContext: string,
    /** null: nobody is told its events. */
    readonly deriver: EventDeriver | null,
    /** Sequence of the next journal record. */
    public nextSequence: number,
    private readonly sinceCheckpoint: SinceCheckpoint,
    /** Nodes that may run at once. */
    readonly concurrency: number,
    /** The owner that records name while it is not at rest. */
    readonly ownerId: string,
  ) {}

  get id(): string {
    return this.record.executionId;
  }

  /** Entries decided and not yet published. */
  get unpublished(): readonly OpenEntry[] {
    return [...this.committing, ...this.engine.state.openEntries];
  }

  /** Nodes that execute now, those whose dispatch still waits for a commit included, and attempts that still stop. */
  get running(): number {
    return this.engine.state.columns.executing + this.stopping.size;
  }

  get isEnded(): boolean {
    return isWorkflowStatusEnded(this.engine.state.workflowLeaf);
  }

  /**
   * Ended, or paused with nothing left to finish (waits need nobody), or a visitor, and no attempt still stopping: it can
   * leave memory, and another process may run it.
   */
  get isAtRest(): boolean {
    const isPaused = this.engine.state.workflowLeaf === 'paused' && this.engine.isIdle;
    return (this.isEnded || isPaused || this.isVisitor) && this.jobs.size === 0 && this.stopping.isEmpty;
  }

  /**
   * Nothing in it can happen before an answer comes, a time is reached or a child ends. What is ready and held back (by
   * fail_fast, a rerun, or the order) can not.
   */
  get onlyWaits(): boolean {
    const { columns, workflowLeaf } = this.engine.state;
    if (workflowLeaf !== 'running' || this.jobs.size > 0 || !this.engine.isIdle) return false;
    if (this.awaitsChildren) return true;
    if (columns.waits.size === 0) return false;
    for (let lane = 0; lane < this.engine.definition.laneCount; lane++)
      if (this.engine.peek(lane) >= 0) return false;
    return true;
  }

  /** The record as it should be now; the same object when nothing in it changed. */
  currentRecord(nowMs: number): ExecutionRecord {
    const status = this.engine.state.workflowLeaf;
    const ownerId = this.isAtRest || this.suspended ? null : this.ownerId;
    if (status === this.record.status && ownerId === this.record.ownerId) return this.record;
    const { span, workflowContext } = this.engine.state;
    return {
      ...this.record,
      status,
      ownerId,
      updatedAtMs: nowMs,
      startedAtMs: span.startedAtMs || null,
      endedAtMs: span.endedAtMs || null,
      error: workflowContext.error,
      counts: nodeCounts(this.engine.state.columns),
    };
  }

  /** Calls `fn` at `atMs`, unless another timer is set under this key or the execution leaves memory before. */
  wakeAt(timers: TimerHeap, key: number, atMs: number, fn: () => void): void {
    this.timers.get(key)?.();
    const fire = (): void => {
      this.timers.delete(key);
      fn();
    };
    this.timers.set(key, timers.add(atMs, fire));
  }

  /** A wait may last for months: what left memory must not be held there by its timers. */
  stopTimers(): void {
    for (const stop of this.timers.values()) stop();
    this.timers.clear();
  }

  /** Counts what a journal record adds. Returns a checkpoint when one is due after it. */
  noteJournaled(entries: readonly Entry[]): Checkpoint | null {
    this.sinceCheckpoint.note(entries);
    const { nodeCount } = this.definition.plan;
    const apart = Math.max(MIN_CHECKPOINT_ENTRIES, CHECKPOINT_ENTRIES_A_NODE * nodeCount);
    if (this.isEnded || this.sinceCheckpoint.entries < apart) return null;
    return this.takeCheckpoint();
  }

  private takeCheckpoint(): Checkpoint {
    const { columns, workflowRow } = this.engine.state;
    const chunks = checkpointRows(columns, this.sinceCheckpoint.chunks);
    this.sinceCheckpoint.clear();
    return { nextSequence: this.nextSequence, workflow: workflowRow, chunks };
  }
}
