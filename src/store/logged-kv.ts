import { MaestroError, isMaestroError } from '../base/errors.js';
import { readFrames } from './commit-log.js';
import { notFenced, ownerOfFence, putFence } from './fences.js';
import { takeOps } from './key-rules.js';
import { fenceKey, LOGS, logRowKey, under } from './keys.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange, Visible } from './kv.js';
import { deleteLogRow, putLogRow, readLogRow } from './log-rows.js';
import { OwnerLog, type OwnerLogOptions } from './owner-log.js';
import type { ProcessIdentity } from './process-identity.js';

export interface LoggedKvOptions extends OwnerLogOptions {
  /** Whether a process runs, as far as can be seen from here. */
  readonly isAlive: (process: ProcessIdentity) => boolean;
}

/** How often, and how many times, is looked whether another owner's log has got into the store. */
const LOOK_MS = 5;
const LOOKS = 200;

/**
 * A store with a log before it for each owner that commits through this handle. What is to be seen `soon` goes into the log,
 * and into the store a little later; everything else as ever. A handle sees what is in its own logs; other handles when it is
 * in the store, or when its owner is dead and they are opened, or when they `absorb` it.
 */
export class LoggedKv implements Kv {
  readonly space: Kv['space'];
  readonly copyTo: Kv['copyTo'];
  private readonly logs = new Map<string, OwnerLog>();
  private readonly absorbing = new Map<string, Promise<void>>();
  private closing: Promise<void> | null = null;
  private failed: (error: MaestroError) => void = () => {};

  constructor(
    private readonly store: Kv,
    private readonly options: LoggedKvOptions,
  ) {
    this.space = store.space?.bind(store);
    if (store.copyTo) this.copyTo = (folder) => this.copy(folder);
  }

  onFailure(failed: (error: MaestroError) => void): void {
    this.failed = failed;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    for (const log of this.logs.values()) {
      const op = log.find(key);
      if (op !== undefined) return Promise.resolve(op.op === 'put' ? Buffer.from(op.value) : undefined);
    }
    return this.store.get(key);
  }

  scan(range: KvRange): AsyncIterable<KvEntry> {
    return this.complete(range, () => this.store.scan(range));
  }

  keys(range: KvRange): AsyncIterable<string> {
    return this.complete(range, () => this.store.keys(range));
  }

  async commit(
    ops: readonly KvOp[],
    guards: readonly KvGuard[] = [],
    visible: Visible = 'now',
  ): Promise<void> {
    const owner = guards.length === 1 && guards[0].value === null ? ownerOfFence(guards[0]) : undefined;
    const log = owner === undefined ? undefined : this.logOf(owner, visible);
    if (log !== undefined) return log.commit(takeOps(ops), visible === 'soon');
    // Whoever else writes what is in a log comes after it.
    for (const each of this.logs.values())
      if (!each.isEmpty && [...ops, ...guards].some(({ key }) => each.find(key) !== undefined))
        await each.drain();
    return this.store.commit(ops, guards);
  }

  /** Whoever takes over many executions of an owner asks for each of them. */
  absorb(owner: string): Promise<void> {
    const known = this.absorbing.get(owner);
    if (known !== undefined) return known;
    const absorbed = this.absorbNow(owner).finally(() => this.absorbing.delete(owner));
    this.absorbing.set(owner, absorbed);
    return absorbed;
  }

  private async absorbNow(owner: string): Promise<void> {
    await this.logs.get(owner)?.end();
    const key = logRowKey(owner);
    for (;;) {
      const row = await this.store.get(key);
      if (row === undefined) break;
      try {
        await this.takeOver(owner, row);
      } catch (error) {
        // Somebody else does the same, or its owner lives and commits.
        if (!isMaestroError(error, 'STORE_CONFLICT')) throw error;
      }
    }
    await this.options.place.remove(owner);
  }

  /**
   * Absorbs the logs of the dead, and removes those that are left over. What stands in the way is told to those who take over
   * what the dead had: it keeps nobody from reading.
   */
  async absorbDead(): Promise<void> {
    const { place } = this.options;
    try {
      for (const owner of await place.list())
        if ((await this.store.get(logRowKey(owner))) === undefined) await place.remove(owner);
      for await (const { key, value } of this.store.scan(under(LOGS))) {
        const owner = key.slice(LOGS.length);
        if (!this.options.isAlive(readLogRow(owner, value).process)) await this.absorb(owner);
      }
    } catch {
      // See above.
    }
  }

  async settled(owner: string): Promise<void> {
    if (this.logs.has(owner)) return;
    try {
      let last: number | undefined;
      for (let looks = 0; looks < LOOKS; looks++) {
        const row = await this.store.get(logRowKey(owner));
        if (row === undefined) return;
        const { process, applied } = readLogRow(owner, row);
        if (!this.options.isAlive(process)) return await this.absorb(owner);
        last ??= await this.lastIn(owner, applied);
        if (last !== undefined && last <= applied) return;
        await new Promise<void>((resolve) => this.options.clock.setTimer(LOOK_MS, resolve));
      }
    } catch {
      // As in absorbDead.
    }
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    for (const log of this.logs.values()) await log.end();
    await this.store.close();
  }

  private logOf(owner: string, visible: Visible): OwnerLog | undefined {
    const known = this.logs.get(owner);
    if (known !== undefined || visible === 'now' || this.closing !== null) return known;
    const log = new OwnerLog(this.store, owner, this.options, (error) => this.failed(error));
    this.logs.set(owner, log);
    return log;
  }

  private complete<T>(range: KvRange, read: () => AsyncIterable<T>): AsyncIterable<T> {
    const lacking = [...this.logs.values()].filter((log) => log.lacksIn(range));
    return lacking.length === 0 ? read() : this.drained(lacking, read);
  }

  private async *drained<T>(logs: readonly OwnerLog[], read: () => AsyncIterable<T>): AsyncGenerator<T> {
    for (const log of logs) await log.drain();
    yield* read();
  }

  /**
   * The next step on the way from a log to none: the fence goes up together with the word that the log is being closed; then
   * what is in it goes into the store together with the end of its row. Where there is a fence without that word, a release
   * that knows no logs has taken over: what it went on from is what was in the store.
   * @throws STORE_CONFLICT when the row has changed meanwhile
   */
  private async takeOver(owner: string, bytes: Uint8Array): Promise<void> {
    const seen: KvGuard = { key: logRowKey(owner), value: bytes };
    const log = await this.options.place.read(owner);
    // Where there is no log there is nothing to be had, whatever the row says.
    const row = log === null ? null : this.told(owner, () => readLogRow(owner, bytes));
    if ((await this.store.get(fenceKey(owner))) === undefined) {
      const next = row === null ? deleteLogRow(owner) : putLogRow(owner, { ...row, closing: true });
      return this.store.commit([putFence(owner, this.options.clock.nowMs()), next], [seen, notFenced(owner)]);
    }
    const left = row?.closing === true ? this.told(owner, () => readFrames(log!, owner, row.applied)) : [];
    await this.store.commit([...left.flatMap(({ ops }) => ops), deleteLogRow(owner)], [seen]);
  }

  /** Number of the last commit in a log; undefined while it is begun anew, and looks as if some were missing. */
  private async lastIn(owner: string, applied: number): Promise<number | undefined> {
    const log = await this.options.place.read(owner);
    try {
      return log === null ? applied : (readFrames(log, owner, applied).at(-1)?.number ?? applied);
    } catch {
      return undefined;
    }
  }

  /** Says of damage which file it is about, and how to go on. */
  private told<T>(owner: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof MaestroError)) throw cause;
      const name = this.options.place.nameOf(owner);
      throw new MaestroError(cause.code, `${name}: ${cause.message}`, {
        cause,
        next: `Move ${name} away: its executions then go on from what is in the store, and repeat what they had done since.`,
      });
    }
  }

  /** The logs first: what is in none of them any more is then in the copy of the store. */
  private async copy(folder: string): Promise<void> {
    for (const log of this.logs.values()) await log.drain();
    await this.options.place.copyTo?.(folder);
    await this.store.copyTo!(folder);
  }
}
