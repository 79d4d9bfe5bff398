import type { Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { parseEventId } from '../observe/event-id.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ExecutionStore } from '../store/types.js';
import { Bell } from './bell.js';
import type { Definitions } from './definitions.js';
import { EventTail, type TailStart } from './event-tail.js';
import { Listeners } from './listeners.js';
import type { EventsOptions, WatchOptions } from './types.js';
import { WorkflowWatch } from './workflow-watch.js';

interface HistoryOptions {
  readonly store: ExecutionStore;
  readonly definitions: Definitions;
  readonly clock: Clock;
  /** Whether this runtime runs it: then it tells what is new, and nobody has to look. */
  readonly isHere: (executionId: string) => boolean;
}

/** How often the store is looked at for what another process does with an execution, or with those of a workflow. */
const LOOK_MS = 250;
const WATCH_LOOK_MS = 500;

/** The events of executions, as the store has them and as they come. */
export class History {
  private readonly followers = new Listeners<undefined>();
  private readonly watchers = new Listeners<string>();
  private readonly bells = new Set<Bell>();
  /** Why nothing more can be followed. */
  private closed: MaestroError | null = null;

  constructor(private readonly options: HistoryOptions) {}

  /** More of the execution is stored; without its workflow: nothing more will be. */
  notify(executionId: string, workflowId?: string): void {
    this.followers.tell(executionId, undefined);
    if (workflowId !== undefined) this.watchers.tell(workflowId, executionId);
  }

  /** Nothing more comes: those who follow are told so. */
  close(error: MaestroError): void {
    this.closed ??= error;
    for (const bell of this.bells) bell.ring();
  }

  /**
   * Stored events, oldest first; with `follow` also those that come, until the execution has ended.
   * @throws EXECUTION_NOT_FOUND, USAGE for what is no event id, and what the runtime died of
   */
  async *events(executionId: string, options: EventsOptions = {}): AsyncGenerator<ExecutionEvent> {
    const { after, follow = false, signal } = options;
    const start = after === undefined ? {} : { after: parseEventId(after) };
    const { store, clock, isHere } = this.options;
    const bell = new Bell();
    const leave = this.listen(bell, signal, this.followers.join(executionId, bell.ring));
    try {
      const tail = await this.tail(executionId, start);
      for (;;) {
        // Read before the journal: what has ended it is then among what is read.
        const record = await store.getRecord(executionId);
        const last = await store.lastSequence(executionId);
        for await (const event of this.read(tail)) {
          if (signal?.aborted === true) return;
          yield event;
        }
        await this.assertRead(tail, last);
        if (!follow || record === undefined || isWorkflowStatusEnded(record.status)) return;
        const stop = isHere(executionId) ? () => {} : clock.setTimer(LOOK_MS, bell.ring);
        await bell.wait().finally(stop);
        if (signal?.aborted === true) return;
        this.assertOpen();
      }
    } finally {
      leave();
    }
  }

  /** All events of an execution of this runtime, until nothing more will come of it here. */
  async *follow(executionId: string, isLive: () => boolean): AsyncGenerator<ExecutionEvent> {
    const bell = new Bell();
    const leave = this.listen(bell, undefined, this.followers.join(executionId, bell.ring));
    try {
      const tail = await this.tail(executionId, {});
      do {
        const last = await this.options.store.lastSequence(executionId);
        yield* this.read(tail);
        await this.assertRead(tail, last);
      } while (bell.hear() || (isLive() && (await bell.wait(), true)));
    } finally {
      leave();
    }
  }

  /**
   * The events of every execution of a workflow that happen from now on, whichever process runs them.
   * @throws WATCHER_SLOW, and what the runtime died of
   */
  watch(workflowId: string, { signal }: WatchOptions = {}): AsyncGenerator<ExecutionEvent> {
    return this.watchSince(workflowId, this.options.clock.nowMs(), signal);
  }

  private async *watchSince(
    workflowId: string,
    sinceMs: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ExecutionEvent> {
    const bell = new Bell();
    const watch = new WorkflowWatch(workflowId, sinceMs, { ...this.options, touched: bell.ring });
    const leave = this.listen(bell, signal, this.watchers.join(workflowId, watch.touch));
    let stop = (): void => {};
    try {
      for (let isTime = true; ;) {
        if (isTime) {
          isTime = false;
          await watch.look();
          stop = this.options.clock.setTimer(WATCH_LOOK_MS, () => ((isTime = true), bell.ring()));
        }
        for await (const event of watch.read()) {
          if (signal?.aborted === true) return;
          yield event;
        }
        await bell.wait();
        if (signal?.aborted === true) return;
        this.assertOpen();
      }
    } finally {
      stop();
      leave();
    }
  }

  private async tail(executionId: string, start: TailStart): Promise<EventTail> {
    const { store, definitions } = this.options;
    const stored = await store.load(executionId);
    if (stored === undefined) throw notFound(executionId);
    return new EventTail(store, definitions, stored, start);
  }

  /** Rows that are missing are no damage when their execution is being deleted. @throws EXECUTION_NOT_FOUND */
  private async *read(tail: EventTail): AsyncGenerator<ExecutionEvent> {
    try {
      yield* tail.read();
    } catch (error) {
      await this.assertRead(tail, Infinity);
      throw error;
    }
  }

  /**
   * A reader that was overtaken by a deletion is told so, and not that this was all.
   * @param last the last journal record when the reading began @throws EXECUTION_NOT_FOUND
   */
  private async assertRead({ executionId, position }: EventTail, last: number): Promise<void> {
    if (last >= 0 && position.sequence >= last) return;
    if ((await this.options.store.getRecord(executionId)) !== undefined) return;
    throw new MaestroError(
      'EXECUTION_NOT_FOUND',
      `execution ${executionId} was deleted while its events were read: some may be missing`,
    );
  }

  /** @returns how to end it */
  private listen(bell: Bell, signal: AbortSignal | undefined, leave: () => void): () => void {
    this.bells.add(bell);
    signal?.addEventListener('abort', bell.ring);
    return () => {
      leave();
      this.bells.delete(bell);
      signal?.removeEventListener('abort', bell.ring);
    };
  }

  private assertOpen(): void {
    if (this.closed !== null) throw this.closed;
  }
}

export function notFound(executionId: string): MaestroError {
  return new MaestroError('EXECUTION_NOT_FOUND', `there is no execution ${executionId} in this store`);
}
