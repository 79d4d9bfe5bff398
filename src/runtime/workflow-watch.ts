import type { Clock } from '../base/clock.js';
import { isMaestroError, MaestroError } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { EventPosition } from '../observe/event-id.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import { EventTail } from './event-tail.js';

interface WatchOptions {
  readonly store: ExecutionStore;
  readonly definitions: Definitions;
  readonly clock: Clock;
  readonly isHere: (executionId: string) => boolean;
  /** There is something to read. */
  readonly touched: () => void;
}

/** Executions that may have news while the watcher does not read. */
const MAX_BEHIND = 10_000;
/** Executions that have ended of which the place reached is remembered: they may go on after a retry. */
const MAX_RETIRED = 10_000;
/** Executions that other processes run, of one workflow, that are looked at. */
const MAX_FOREIGN = 1000;
/** How far an execution's creation may lie before its record can be seen. */
const CREATION_MS = 5000;

/**
 * What happens to the executions of one workflow from a moment on. It keeps a place in the history of each that runs; what
 * it has not read yet waits in the store, so being slow costs an id per execution.
 */
export class WorkflowWatch {
  private isFirstLook = true;
  /** Executions with news. */
  private readonly touchedIds = new Set<string>();
  private readonly tails = new Map<string, EventTail>();
  /** Places reached in executions that have ended; null: it cannot be read. */
  private readonly retired = new Map<string, EventPosition | null>();

  constructor(
    private readonly workflowId: string,
    /** What happened before this moment is not told; in epoch ms. */
    private readonly sinceMs: number,
    private readonly options: WatchOptions,
  ) {}

  /** Something happened to an execution of this process. */
  readonly touch = (executionId: string): void => {
    this.touchedIds.add(executionId);
    this.options.touched();
  };

  /** Looks for executions that other processes run; the first time also for those that are known here. */
  async look(): Promise<void> {
    const { store, clock, isHere } = this.options;
    const { workflowId, isFirstLook } = this;
    this.isFirstLook = false;
    const add = (executionId: string): void => {
      if (isFirstLook || !isHere(executionId)) this.touchedIds.add(executionId);
    };
    const limit = MAX_FOREIGN;
    const active = await store.list({ workflowId, status: ['running', 'pending'], limit });
    // Those that may have begun and ended since the last look.
    const createdFromMs = Math.max(this.sinceMs, clock.nowMs() - CREATION_MS);
    const created = await store.list({ workflowId, createdFromMs, limit });
    for (const { executionId } of active.records) add(executionId);
    for (const { executionId } of created.records) if (!this.retired.has(executionId)) add(executionId);
    // Those that have ended or paused since.
    for (const executionId of this.tails.keys()) add(executionId);
  }

  /** The events since the last read. @throws WATCHER_SLOW */
  async *read(): AsyncGenerator<ExecutionEvent> {
    for (const executionId of this.touchedIds) {
      if (this.touchedIds.size > MAX_BEHIND) {
        throw new MaestroError(
          'WATCHER_SLOW',
          `more than ${MAX_BEHIND} executions of ${this.workflowId} have events that were not read`,
        );
      }
      this.touchedIds.delete(executionId);
      if (this.retired.get(executionId) === null) continue;
      try {
        yield* this.readOne(executionId);
      } catch (error) {
        // One that is damaged, or deleted under the reader, does not take the others with it.
        if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
        this.retire(executionId, null);
      }
    }
  }

  private async *readOne(executionId: string): AsyncGenerator<ExecutionEvent> {
    const { store, definitions } = this.options;
    let tail = this.tails.get(executionId);
    let record: ExecutionRecord | undefined;
    if (tail !== undefined) record = await store.getRecord(executionId);
    else {
      const stored = await store.load(executionId);
      record = stored?.record;
      const after = this.retired.get(executionId) ?? undefined;
      if (stored !== undefined)
        tail = new EventTail(store, definitions, stored, after ? { after } : { sinceMs: this.sinceMs });
    }
    if (record === undefined || tail === undefined) return void this.tails.delete(executionId);
    this.tails.set(executionId, tail);
    yield* tail.read();
    // The record was read first: when it says ended, the end is among what was read.
    if (isWorkflowStatusEnded(record.status)) this.retire(executionId, tail.position);
  }

  private retire(executionId: string, position: EventPosition | null): void {
    this.tails.delete(executionId);
    this.retired.delete(executionId);
    this.retired.set(executionId, position);
    if (this.retired.size > MAX_RETIRED) this.retired.delete(this.retired.keys().next().value!);
  }
}
