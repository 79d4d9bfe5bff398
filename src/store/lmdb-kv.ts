import { setTimeout as sleep } from 'node:timers/promises';
import { MaestroError } from '../base/errors.js';
import { checkKey, closedError, conflict, guardHolds, takeGuards, takeOps } from './key-rules.js';
import type { LmdbGate } from './lmdb-gate.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange } from './kv.js';
import { PAGE_BYTES, scanPages, type Page } from './paging.js';
import { answered, COMMIT_TIMEOUT_MS } from './patience.js';

/** The part of an lmdb database that is used; keys are text, values bytes. */
export interface LmdbDatabase {
  getBinary(key: string): Uint8Array | undefined;
  getRange(options: LmdbRange): Iterable<KvEntry>;
  getKeys(options: LmdbRange): Iterable<string>;
  put(key: string, value: Uint8Array): unknown;
  remove(key: string): unknown;
  /** All writes of `action` in one transaction; settles after it has been synced to disk. */
  batch(action: () => void): Promise<unknown>;
  /** The same, but only when there is no such key; settles with whether it wrote. */
  ifNoExists(key: string, action: () => void): Promise<boolean>;
  /** Reads and writes of `action`, which must not throw, in one transaction; settles after it has been synced to disk. */
  transaction<T>(action: () => T): Promise<T>;
  resetReadTxn(): void;
  backup(folder: string, compact: boolean): Promise<void>;
  getStats(): object;
  close(): Promise<void>;
}

/** The part of LMDB's own figures that is used. */
interface LmdbStats {
  readonly lastPageNumber: number;
  /** Of the last transaction that any process has committed. */
  readonly lastTxnId: number;
  readonly root: {
    readonly pageSize: number;
    readonly treeBranchPageCount: number;
    readonly treeLeafPageCount: number;
    readonly overflowPages: number;
  };
}

interface LmdbRange {
  readonly start: string;
  readonly end: string;
  readonly limit: number;
  readonly reverse: boolean;
  readonly inclusiveEnd: boolean;
  readonly exclusiveStart: boolean;
}

export interface LmdbKvOptions {
  /**
   * A write that takes longer than this, while nobody else writes, has failed: LMDB can hang for ever after an I/O error.
   */
  readonly commitTimeoutMs?: number;
  /** Asked before each write; throws when the disk is full. Default: nobody is asked. */
  readonly room?: { claim(rows: number, bytes: number): void };
  /** Passed by each write, and by closing. Default: nobody else is there. */
  readonly gate?: Pick<LmdbGate, 'enter' | 'leave' | 'end'>;
  /** Called when everything is on disk and the file is closed. */
  readonly onClosed?: () => void;
}

interface Pending {
  readonly ops: readonly KvOp[];
  readonly guards: readonly KvGuard[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How long the reason of a failure is waited for. */
const REASON_WITHIN_MS = 1_000;
/** How long close waits for a file whose last write failed. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Ops that travel in one transaction at most; bounds how long one commit can hold up those behind it. */
const GROUP_OPS = 20_000;
/** The same where guards are checked: this thread then does the writing itself, some microseconds for each op. */
const GUARDED_GROUP_OPS = 2_000;

/**
 * Kv over LMDB.
 *
 * One transaction is under way at a time; commits that arrive meanwhile wait and go together in the next one, those with
 * guards too. So
 * commits apply in the order of the calls, and none is written after an earlier one has failed: what is on disk is
 * always what some prefix of the commits made. After a failure memory may be ahead of the disk, so every further
 * commit is refused until the store is opened again.
 */
export class LmdbKv implements Kv {
  private readonly queue: Pending[] = [];
  private writing: Promise<void> | null = null;
  private failure: MaestroError | null = null;
  private closing: Promise<void> | null = null;
  private readonly commitTimeoutMs: number;

  constructor(
    private readonly db: LmdbDatabase,
    private readonly options: LmdbKvOptions = {},
  ) {
    this.commitTimeoutMs = options.commitTimeoutMs ?? COMMIT_TIMEOUT_MS;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    checkKey(key);
    return this.read(() => this.db.getBinary(key));
  }

  scan(range: KvRange): AsyncIterable<KvEntry> {
    return scanPages(
      range,
      (entry) => entry.key,
      (start, end, limit, reverse) => this.read(() => this.page(lmdbRange(start, end, limit, reverse))),
    );
  }

  keys(range: KvRange): AsyncIterable<string> {
    return scanPages(
      range,
      (key) => key,
      (start, end, limit, reverse) =>
        this.read(() => {
          const items = [...this.db.getKeys(lmdbRange(start, end, limit, reverse))];
          return { items, isLast: items.length < limit };
        }),
    );
  }

  async commit(ops: readonly KvOp[], guards: readonly KvGuard[] = []): Promise<void> {
    if (this.closing) throw closedError();
    if (this.failure) throw this.failure;
    const taken = { ops: takeOps(ops), guards: takeGuards(guards) };
    await new Promise<void>((resolve, reject) => {
      this.queue.push({ ...taken, resolve, reject });
      this.writing ??= this.writeAll();
    });
  }

  async copyTo(folder: string): Promise<void> {
    if (this.closing) throw closedError();
    try {
      await this.db.backup(folder, true);
    } catch (cause) {
      const why = (cause as Error).message;
      throw new MaestroError('STORE_UNAVAILABLE', `cannot copy the store to ${folder}: ${why}`, { cause });
    }
  }

  space(): { fileBytes: number; usedBytes: number } {
    return this.read(() => {
      const { root, lastPageNumber } = this.db.getStats() as LmdbStats;
      const pages = root.treeBranchPageCount + root.treeLeafPageCount + root.overflowPages;
      return { fileBytes: (lastPageNumber + 1) * root.pageSize, usedBytes: pages * root.pageSize };
    });
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  /** Closes without `onClosed`: the file was found to be not what it should be. */
  async discard(): Promise<void> {
    this.closing ??= this.closeFile();
    await this.closing;
  }

  private async closeFile(): Promise<void> {
    const { gate } = this.options;
    // Closing goes on where the gate cannot be passed: a full disk, a folder that was taken away.
    await (async () => gate?.enter())().catch(() => undefined);
    await this.db.close();
    gate?.end();
  }

  private async shutDown(): Promise<void> {
    await this.writing;
    if (this.failure) {
      // A writer that hangs never lets go: the file then stays open until the process ends.
      await answered(this.closeFile(), CLOSE_TIMEOUT_MS, () => undefined).catch(() => undefined);
      return;
    }
    await this.closeFile();
    this.options.onClosed?.();
  }

  /** @throws MaestroError STORE_CORRUPT when LMDB finds its file inconsistent. */
  private read<T>(action: () => T): T {
    if (this.closing) throw closedError();
    try {
      // A read transaction is kept between reads; a new one sees what other processes have committed since.
      this.db.resetReadTxn();
      return action();
    } catch (cause) {
      throw new MaestroError('STORE_CORRUPT', `reading the store failed: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  private page(range: LmdbRange): Page<KvEntry> {
    const items: KvEntry[] = [];
    let bytes = 0;
    for (const item of this.db.getRange(range)) {
      items.push(item);
      if ((bytes += item.value.length) > PAGE_BYTES) return { items, isLast: false };
    }
    return { items, isLast: items.length < range.limit };
  }

  private async writeAll(): Promise<void> {
    // The commits of one turn of the caller go together.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const group = this.nextGroup();
      try {
        await this.write(group);
      } catch (error) {
        await this.fail(group, error);
      }
    }
    this.writing = null;
  }

  /** The longest run of commits at the head of the queue that can share a transaction. */
  private nextGroup(): Pending[] {
    const { queue } = this;
    const isGuarded = queue[0].guards.length > 0;
    const most = isGuarded ? GUARDED_GROUP_OPS : GROUP_OPS;
    let count = 1;
    let ops = queue[0].ops.length;
    const fits = ({ guards, ops: more }: Pending): boolean =>
      ops + more.length <= most && (isGuarded || guards.length === 0);
    if (!isUnless(queue[0]))
      while (count < queue.length && fits(queue[count])) ops += queue[count++].ops.length;
    return queue.splice(0, count);
  }

  private async write(group: readonly Pending[]): Promise<void> {
    this.claimRoom(group);
    const [first] = group;
    if (isUnless(first)) return this.writeUnless(first);
    if (first.guards.length > 0) return this.writeGuarded(group);
    await this.answered(() =>
      this.db.batch(() => {
        for (const { ops } of group) this.apply(ops);
      }),
    );
    for (const { resolve } of group) resolve();
  }

  /** One key that must not exist costs nothing: LMDB's own thread looks for it in the transaction that writes. */
  private async writeUnless({ ops, guards: [guard], resolve, reject }: Pending): Promise<void> {
    let written = false;
    await this.answered(async () => {
      written = await this.db.ifNoExists(guard.key, () => this.apply(ops));
    });
    if (written) resolve();
    else reject(conflict(guard));
  }

  /**
   * Checks and writes, one commit after the other, under LMDB's writer lock, which all processes share. A commit whose
   * guards do not hold writes nothing, and harms no other. Not in `transactionSync`: that would block this thread for
   * as long as another process holds the lock, for ever when that one is stopped.
   */
  private async writeGuarded(group: readonly Pending[]): Promise<void> {
    const broken = new Map<Pending, KvGuard>();
    await this.answered(() =>
      this.db.transaction(() => {
        for (const each of group) {
          const guard = each.guards.find((one) => !guardHolds(one, this.db.getBinary(one.key)));
          if (guard === undefined) this.apply(each.ops);
          else broken.set(each, guard);
        }
      }),
    );
    for (const each of group) {
      const guard = broken.get(each);
      if (guard === undefined) each.resolve();
      else each.reject(conflict(guard));
    }
  }

  private async answered(write: () => Promise<unknown>): Promise<void> {
    const { gate } = this.options;
    const wait = gate?.enter();
    if (wait !== undefined) await wait;
    // Left not when it is given up, but when it is over: until then it may still come about.
    const commit = (async () => write())().finally(() => gate?.leave());
    await answered(commit, this.commitTimeoutMs, () => (this.db.getStats() as LmdbStats).lastTxnId);
  }

  private claimRoom(group: readonly Pending[]): void {
    let [rows, bytes] = [0, 0];
    for (const { ops } of group) {
      rows += ops.length;
      for (const op of ops) if (op.op === 'put') bytes += op.value.length;
    }
    this.options.room?.claim(rows, bytes);
  }

  private apply(ops: readonly KvOp[]): void {
    for (const op of ops) {
      if (op.op === 'put') this.db.put(op.key, op.value);
      else this.db.remove(op.key);
    }
  }

  private async fail(group: readonly Pending[], cause: unknown): Promise<void> {
    const error = new MaestroError('STORE_COMMIT', `writing to the store failed: ${await reasonOf(cause)}`, {
      cause,
    });
    this.failure = error;
    for (const { reject } of [...group, ...this.queue.splice(0)]) reject(error);
  }
}

/** What LMDB says; lmdb tells it with a second promise, which comes right after. */
async function reasonOf(cause: unknown): Promise<string> {
  const { commitError } = cause as { commitError?: Promise<unknown> };
  try {
    if (commitError) await Promise.race([commitError, sleep(REASON_WITHIN_MS, undefined, { ref: false })]);
  } catch (reason) {
    return messageOf(reason);
  }
  return messageOf(cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a commit demands no more than that there is no such key. */
function isUnless({ guards }: Pending): boolean {
  return guards.length === 1 && guards[0].value === null;
}

/** lmdb walks a reversed range from `start` down to `end`. */
function lmdbRange(start: string, end: string, limit: number, reverse: boolean): LmdbRange {
  return reverse
    ? { start: end, end: start, limit, reverse, inclusiveEnd: true, exclusiveStart: true }
    : { start, end, limit, reverse, inclusiveEnd: false, exclusiveStart: false };
}
