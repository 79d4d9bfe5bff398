import type { Clock, CancelTimer } from '../base/clock.js';
import type { Durability } from '../base/model.js';
import type { Meter } from '../observe/meter.js';
import type { Pool } from '../pool/index.js';
import type { KvOp, Visible } from '../store/kv.js';
import type { ExecutionStore } from '../store/types.js';
import type { ActiveExecution } from './active-execution.js';
import { Pacing } from './pacing.js';
import { Turn, type TurnRecord } from './turn.js';

/** How long started attempts may wait for a commit that something else needs. */
const LAZY_MS = 5;
/** How long a commit may wait for results that are late. */
const HOLD_MS = 1;
/**
 * Under `async` nothing waits for a commit but those who are told of it. So many milliseconds after one the next is due:
 * commits take time of the cores, and of the disk, that nodes run on.
 */
const APART_MS = 2;

interface CommitterOptions {
  readonly store: ExecutionStore;
  readonly ownerId: string;
  readonly clock: Clock;
  readonly durability: Durability;
  readonly meter: Meter;
  readonly pool: Pick<Pool, 'dueMs' | 'aheadMs' | 'busy'>;
  /** What is at rest with the turn being committed leaves: requests that come from now on find it in the store. */
  readonly leaving: (execution: ActiveExecution) => void;
  /** The commit of the turn is on its way: time for what is needed after it. Only where something waits for it. */
  readonly meanwhile: (turn: Turn) => void;
  /** The turn is durable (under `exit`: decided): publish it, send what it held, and call `flush` again. */
  readonly durable: (turn: Turn, records: readonly TurnRecord[]) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Group commit: at most one commit is under way; what is decided meanwhile is the next one. `turn` is the open turn.
 */
export class Committer {
  turn = new Turn(1);
  /** Number of the last durable turn: what it made ready may be sent at once. */
  durableTurn = 0;
  private committing = false;
  private readonly pacing = new Pacing();
  private stopLazy: CancelTimer | null = null;
  private stopHold: CancelTimer | null = null;
  private stopApart: CancelTimer | null = null;
  private closed = false;
  /** Under `exit`: ops of turns already told, written at the next rest. */
  private deferred: KvOp[] = [];

  constructor(private readonly options: CommitterOptions) {}

  /** Whether an attempt made ready in turn `readyTurn` may be sent now. */
  maySend(readyTurn: number): boolean {
    return this.options.durability !== 'sync' || readyTurn <= this.durableTurn;
  }

  /** Commits the open turn, unless a commit is under way (then it follows) or nothing in it is urgent. */
  flush(): void {
    if (this.committing || this.closed) return;
    if (!this.turn.urgent) {
      if (this.turn.touched.size > 0) this.flushLater();
      return;
    }
    if (this.holds()) return;
    this.stopWaits();
    const turn = this.turn;
    this.turn = new Turn(turn.number + 1);
    this.committing = true;
    this.commit(turn).catch((error: unknown) => this.fail(turn, error));
  }

  /** Only under `sync` anything waits for a commit to go on. Whoever asked for something is not kept waiting. */
  private holds(): boolean {
    const { durability, pool, meter, clock } = this.options;
    if (this.turn.waiters.length > 0) return false;
    if (durability !== 'sync') return this.stopApart !== null && !this.turn.ends;
    const { dueMs = 0, aheadMs = 0 } = pool;
    if (!this.pacing.holds({ dueMs, aheadMs }, meter.nowMs())) return false;
    // What comes asks again: the timer is for what does not come as soon as it should.
    this.stopHold ??= clock.setTimer(HOLD_MS, () => {
      this.stopHold = null;
      this.flush();
    });
    return true;
  }

  private async commit(turn: Turn): Promise<void> {
    const records = this.collect(turn);
    const written = this.write(turn, records);
    if (turn.held.length > 0) this.options.meanwhile(turn);
    await written;
    this.settle(turn, records);
  }

  /** No further commits. Those who wait for the open turn are told `error`. */
  close(error: unknown): void {
    this.closed = true;
    this.stopWaits();
    for (const waiter of this.turn.waiters) waiter.failed(error);
  }

  private stopWaits(): void {
    for (const stop of [this.stopLazy, this.stopHold, this.stopApart]) stop?.();
    this.stopLazy = this.stopHold = this.stopApart = null;
  }

  private flushLater(): void {
    this.stopLazy ??= this.options.clock.setTimer(LAZY_MS, () => {
      this.stopLazy = null;
      this.turn.urgent = true;
      this.flush();
    });
  }

  private collect(turn: Turn): TurnRecord[] {
    const { store, clock } = this.options;
    const nowMs = clock.nowMs();
    const records: TurnRecord[] = [];
    for (const execution of turn.touched) {
      const entries = execution.engine.state.takeEntries();
      const sequence = execution.nextSequence;
      if (entries.length > 0) {
        turn.ops.push(store.appendJournal(execution.id, { sequence, entries }));
        execution.nextSequence++;
        const checkpoint = execution.noteJournaled(entries);
        if (checkpoint !== null) turn.ops.push(...store.putCheckpoint(execution.id, checkpoint));
      }
      const next = execution.currentRecord(nowMs);
      if (execution.birth !== null) turn.ops.push(...execution.birth(next));
      else if (next !== execution.record) turn.ops.push(...store.update(execution.record, next));
      execution.birth = null;
      execution.record = next;
      execution.committing = entries;
      const atRest = execution.isAtRest;
      if (atRest) this.options.leaving(execution);
      records.push({ execution, sequence, entries, atRest });
    }
    return records;
  }

  /** Under `exit` ops wait until something comes to rest, so that an observer of the end finds it stored. */
  private async write(turn: Turn, records: readonly TurnRecord[]): Promise<void> {
    if (this.options.durability !== 'exit') {
      // Whoever waits may go on in another process.
      if (turn.ops.length > 0) await this.put(turn.ops, turn.waiters.length > 0 ? 'now' : 'soon');
      return;
    }
    for (const op of turn.ops) this.deferred.push(op);
    if (turn.waiters.length === 0 && !records.some((record) => record.atRest)) return;
    const ops = this.deferred;
    this.deferred = [];
    if (ops.length > 0) await this.put(ops);
  }

  private async put(ops: readonly KvOp[], visible: Visible = 'now'): Promise<void> {
    const { store, ownerId, meter, clock, pool, durability } = this.options;
    const beganMs = meter.beginCommit();
    if (durability === 'sync' && clock.stayAwake !== undefined && pool.busy === 0)
      clock.stayAwake(this.pacing.awakeMs(beganMs));
    try {
      await store.commitOwned(ownerId, ops, visible);
    } catch (error) {
      meter.commitFailed();
      throw error;
    }
    const tookMs = meter.committed(ops, beganMs);
    this.pacing.note(tookMs, beganMs + tookMs);
  }

  private settle(turn: Turn, records: readonly TurnRecord[]): void {
    this.committing = false;
    if (this.closed) return;
    if (this.options.durability === 'async') this.keepApart();
    this.durableTurn = turn.number;
    this.options.durable(turn, records);
    for (const waiter of turn.waiters) waiter.done();
  }

  private keepApart(): void {
    this.stopApart ??= this.options.clock.setTimer(APART_MS, () => {
      this.stopApart = null;
      this.flush();
    });
  }

  private fail(turn: Turn, error: unknown): void {
    this.committing = false;
    for (const waiter of turn.waiters) waiter.failed(error);
    this.options.failed(error);
  }
}
