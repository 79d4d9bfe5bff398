import { inTime, type CancelTimer, type Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { frameBytes, writeFrame } from './commit-log.js';
import { leaseLost, notFenced } from './fences.js';
import { conflict } from './key-rules.js';
import type { Kv, KvGuard, KvOp, KvRange } from './kv.js';
import { COMMIT_TIMEOUT_MS } from './patience.js';
import type { CommitLogFile, LogPlace } from './log-files.js';
import { deleteLogRow, putLogRow } from './log-rows.js';
import type { ProcessIdentity } from './process-identity.js';

export interface OwnerLogOptions {
  readonly clock: Clock;
  readonly place: LogPlace;
  /** Whose log it is: told to those who come to find it. */
  readonly process: ProcessIdentity;
  /** Commits for which no log is made yet: most processes have no more. Default 16. */
  readonly withoutLog?: number;
  /** A write to the log that takes longer has failed. Default 30,000. */
  readonly commitTimeoutMs?: number;
  /** How long what is in the log may be missing in the store. Default 20. */
  readonly applyAfterMs?: number;
}

const WITHOUT_LOG = 16;
const APPLY_AFTER_MS = 20;
/** A larger commit gains nothing by being written twice. */
const LARGEST_BYTES = 512 * 1024;

/**
 * The commits of one owner: into its log where that will do, which is one write, and some time later, many together, into
 * the store. What the store lacks of them is here.
 *
 * Invariants: the log holds, without a gap, every commit after the one that the row of the log says is in the store
 * (`applied`). A commit in the log counts only if its owner was not fenced when it had got there: who takes over puts the fence
 * up, and then reads the log to its end; so an acknowledged commit is read, and one that is not read is not acknowledged.
 */
export class OwnerLog {
  private file: CommitLogFile | null = null;
  private opening: Promise<void> | null = null;
  private commits = 0;
  /** Of the last commit that was begun to be written to the log. */
  private number = 0;
  /** Of the last one that is there, and acknowledged. */
  private logged = 0;
  private applied = 0;
  /** Where the next one goes. */
  private at = 0;
  private buffer = Buffer.alloc(0);
  /** What is in the log and not in the store, by key. */
  private fresh = new Map<string, KvOp>();
  /** The same, on its way into the store. */
  private leaving: ReadonlyMap<string, KvOp>[] = [];
  private stopTimer: CancelTimer | null = null;
  /** The last commit to the store. */
  private putting: Promise<void> = Promise.resolve();
  private tail: Promise<unknown> = Promise.resolve();
  /** What is under way or stands in line. */
  private inLine = 0;
  /** Why nothing is written any more. */
  private failure: Error | null = null;
  private readonly fence: KvGuard;

  constructor(
    private readonly store: Kv,
    private readonly owner: string,
    private readonly options: OwnerLogOptions,
    /** Told when what is in the log cannot be brought into the store. */
    private readonly failed: (error: MaestroError) => void,
  ) {
    this.fence = notFenced(owner);
  }

  /** @param soon whether it may be seen later */
  commit(ops: readonly KvOp[], soon: boolean): Promise<void> {
    if (soon && this.opening === null && ++this.commits > (this.options.withoutLog ?? WITHOUT_LOG))
      this.opening = this.open();
    return this.inOrder(() => (soon ? this.log(ops) : this.put(ops)));
  }

  /** What the store lacks under this key; undefined: nothing is known of it here. */
  find(key: string): KvOp | undefined {
    const op = this.fresh.get(key);
    if (op !== undefined || this.leaving.length === 0) return op;
    return this.leaving.findLast((ops) => ops.has(key))?.get(key);
  }

  /** Whether the store lacks nothing. */
  get isEmpty(): boolean {
    return this.fresh.size === 0 && this.leaving.length === 0;
  }

  lacksIn({ start, end }: KvRange): boolean {
    for (const ops of [this.fresh, ...this.leaving])
      for (const key of ops.keys()) if (key >= start && key < end) return true;
    return false;
  }

  /** Settles when everything is in the store. @throws what a commit throws */
  drain(): Promise<void> {
    return this.told(this.inOrder(() => this.put([])));
  }

  /** The log is gone, and all that was in it is in the store; or it stays, where that cannot be. Nothing is logged after it. */
  async end(): Promise<void> {
    this.opening ??= Promise.resolve();
    await this.opening;
    await this.inOrder(() => this.finish());
  }

  /** What nothing stands before begins at once: who commits makes other things ready meanwhile. */
  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.inLine++ === 0 ? work() : this.tail.then(work);
    const over = (): void => void this.inLine--;
    this.tail = done.then(over, over);
    return done;
  }

  private async log(ops: readonly KvOp[]): Promise<void> {
    if (this.failure !== null) throw this.failure;
    const bytes = frameBytes(ops);
    const { file } = this;
    if (file === null || bytes > LARGEST_BYTES || this.at + bytes > file.capacityBytes) return this.put(ops);
    if (this.buffer.length < bytes) this.buffer = Buffer.allocUnsafe(2 * bytes);
    writeFrame(this.buffer, this.owner, ++this.number, ops);
    try {
      await this.inTime(file.write(this.buffer.subarray(0, bytes), this.at));
    } catch (cause) {
      const why = (cause as Error).message;
      throw this.fail(new MaestroError('STORE_COMMIT', `writing to the store failed: ${why}`, { cause }));
    }
    this.at += bytes;
    if ((await this.store.get(this.fence.key)) !== undefined) throw this.fail(conflict(this.fence));
    for (const op of ops) this.fresh.set(op.key, op);
    this.logged = this.number;
    const { clock, applyAfterMs = APPLY_AFTER_MS } = this.options;
    this.stopTimer ??= clock.setTimer(
      applyAfterMs,
      () => void this.told(this.put([])).catch(() => {}),
      'background',
    );
  }

  /** Who listens may not commit anything for long, and could not read either. */
  private async told(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.failed(leaseLost(error, this.fence) as MaestroError);
      throw error;
    }
  }

  /** Into the store itself, with all that it lacks. Not in order: what is logged meanwhile is not held up. */
  private async put(ops: readonly KvOp[]): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.stopTimer?.();
    this.stopTimer = null;
    const taken = this.fresh;
    const { logged } = this;
    const all = [...taken.values(), ...ops];
    // What is on its way is there when the last of it is.
    if (all.length === 0) return this.putting;
    if (taken.size > 0) {
      this.fresh = new Map();
      this.leaving.push(taken);
      all.unshift(putLogRow(this.owner, { process: this.options.process, applied: logged }));
    }
    this.putting = this.store.commit(all, [this.fence]);
    try {
      await this.putting;
    } catch (error) {
      throw this.fail(error as Error);
    }
    this.leaving = this.leaving.filter((each) => each !== taken);
    this.applied = Math.max(this.applied, logged);
    // All of it is in the store, and nothing is being written: the space is free again.
    if (this.applied === this.number) this.at = 0;
  }

  private async finish(): Promise<void> {
    const { file } = this;
    if (file === null) return;
    this.file = null;
    try {
      await this.put([deleteLogRow(this.owner)]);
      await file.close();
      await this.options.place.remove(this.owner);
    } catch {
      // Whoever opens the store next finds it.
      await file.close().catch(() => {});
    }
  }

  /** A disk that hangs gives no answer. */
  private inTime(write: Promise<void>): Promise<void> {
    const { clock, commitTimeoutMs: ms = COMMIT_TIMEOUT_MS } = this.options;
    return inTime(clock, ms, write, () => new Error(`no answer within ${ms} ms`), 'background');
  }

  private fail(error: Error): Error {
    return (this.failure ??= error);
  }

  /**
   * Nobody waits for it: until there is a log, or where there can be none, the store does alone. The row comes first: a log
   * without one is left over.
   */
  private async open(): Promise<void> {
    const { place, process } = this.options;
    try {
      await this.store.commit([putLogRow(this.owner, { process, applied: 0 })], [this.fence]);
      this.file = await place.create(this.owner).catch(() => null);
      if (this.file === null) await this.store.commit([deleteLogRow(this.owner)], [this.fence]);
    } catch {
      // What is wrong with the store is told to whoever commits.
    }
  }
}
