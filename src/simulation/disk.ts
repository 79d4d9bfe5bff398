import { MaestroError } from '../base/errors.js';
import { closedError, takeGuards, takeOps } from '../store/key-rules.js';
import { MARKER_KEY } from '../store/keys.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange } from '../store/kv.js';
import { MemoryKv } from '../store/memory-kv.js';
import type { LogPlace } from '../store/log-files.js';
import { SimulatedLogs } from './logs.js';
import type { Timeline } from './timeline.js';

/** What may go wrong with one commit. `applied`: it is on disk all the same. */
export type CommitFault =
  | { readonly kind: 'crash'; readonly applied: boolean }
  /** The process dies and one row of the commit is damaged on disk. */
  | { readonly kind: 'torn' }
  | { readonly kind: 'fails'; readonly applied: boolean }
  /** It is never answered, and neither is any after it. */
  | { readonly kind: 'hangs'; readonly applied: boolean }
  | { readonly kind: 'slow'; readonly ms: number };

/** Whose commits go through a handle. */
export interface DiskUser {
  readonly name: string;
  readonly alive: boolean;
  die(why: string): void;
}

export interface DiskOptions {
  /** How long a commit takes until it is on disk, and from there to its answer. */
  readonly latencyMs: () => number;
  /** What happens to the n-th commit of the world, counted from 0. */
  readonly faultOf: (n: number) => CommitFault | undefined;
  /** A commit is on disk from here on. */
  readonly applied?: (user: DiskUser, ops: readonly KvOp[]) => void;
  /** This row is damaged from here on. */
  readonly torn?: (key: string) => void;
  /** Something worth a line in the story. */
  readonly note?: (user: DiskUser, text: string) => void;
}

/** A disk that outlives the processes that use it: commits take time, may fail, and may be the last of their process. */
export class SimulatedDisk {
  readonly rows = new MemoryKv();
  private readonly logs = new SimulatedLogs(this);
  /** Commits begun. */
  commits = 0;
  /** true: there is no space, and every commit fails. */
  full = false;

  constructor(
    readonly timeline: Timeline,
    readonly options: DiskOptions,
  ) {}

  /** The store as one process sees it. */
  open(user: DiskUser): Kv {
    return new DiskHandle(this, user);
  }

  /** Logs beside the store, as one process sees them. */
  openLogs(user: DiskUser): LogPlace {
    return this.logs.open(user);
  }

  /** @throws STORE_CONFLICT */
  async apply(user: DiskUser, ops: readonly KvOp[], guards: readonly KvGuard[]): Promise<void> {
    await this.rows.commit(ops, guards);
    // What comes out of a log has been told when it got there.
    const news = this.logs.without(ops);
    if (news.length > 0) this.options.applied?.(user, news);
  }
}

/** The writes of a process to one file, one after the other, each of which takes time and may go wrong. */
export class Writes {
  private failure: MaestroError | null = null;

  constructor(
    private readonly disk: SimulatedDisk,
    private readonly user: DiskUser,
  ) {}

  /**
   * @param apply puts it on disk, torn where it says so; told which write of the world it is
   * @throws STORE_COMMIT, and what `apply` throws
   */
  async perform(
    kind: string,
    text: string,
    apply: (n: number, isTorn: boolean) => Promise<void>,
  ): Promise<void> {
    const { disk, user } = this;
    if (!user.alive) return never();
    if (this.failure !== null) throw this.failure;
    const { latencyMs, faultOf, note } = disk.options;
    const n = disk.commits++;
    const fault = faultOf(n);
    await this.pass(latencyMs() + (fault?.kind === 'slow' ? fault.ms : 0));
    const what = `${kind} ${n}: ${text}`;
    if (disk.full) throw this.fail(`${what} fails: no space`);
    if (fault?.kind === 'fails' && !fault.applied) throw this.fail(`${what} fails`);
    if (fault?.kind === 'hangs' && !fault.applied) return this.hang(`${what} is not written`);
    if (fault?.kind === 'crash' && !fault.applied) return this.crash(`${what} is not written`);
    await apply(n, fault?.kind === 'torn');
    if (fault?.kind === 'torn') return this.crash(`${what} is torn`);
    note?.(user, what);
    if (fault?.kind === 'fails') throw this.fail(`${what} is written but fails`);
    if (fault?.kind === 'hangs') return this.hang(what);
    if (fault?.kind === 'crash') return this.crash(`${what} is written, not answered`);
    await this.pass(latencyMs());
  }

  private async pass(ms: number): Promise<void> {
    await this.disk.timeline.sleep(ms);
    if (!this.user.alive) await never();
  }

  private crash(why: string): Promise<never> {
    this.user.die(why);
    return never();
  }

  private hang(why: string): Promise<never> {
    this.disk.options.note?.(this.user, `${why}, never answered`);
    return never();
  }

  private fail(why: string): MaestroError {
    this.disk.options.note?.(this.user, why);
    this.failure = new MaestroError('STORE_COMMIT', `writing to the store failed: ${why}`);
    return this.failure;
  }
}

/** Nothing is answered to the dead. A promise for each: what waits for one that stays would stay with it. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

class DiskHandle implements Kv {
  private closed = false;
  /** Commits apply in the order of the calls. */
  private tail: Promise<unknown> = Promise.resolve();
  private readonly writes: Writes;

  constructor(
    private readonly disk: SimulatedDisk,
    private readonly user: DiskUser,
  ) {
    this.writes = new Writes(disk, user);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.assertOpen();
    const value = await this.disk.rows.get(key);
    return this.user.alive ? value : never();
  }

  async *scan(range: KvRange): AsyncGenerator<KvEntry> {
    this.assertOpen();
    yield* this.disk.rows.scan(range);
  }

  async *keys(range: KvRange): AsyncGenerator<string> {
    this.assertOpen();
    yield* this.disk.rows.keys(range);
  }

  commit(ops: readonly KvOp[], guards: readonly KvGuard[] = []): Promise<void> {
    if (this.closed) return Promise.reject(closedError());
    const [taken, demands] = [takeOps(ops), takeGuards(guards)];
    const written = this.tail.then(() => this.write(taken, demands));
    this.tail = written.catch(() => {});
    return written;
  }

  async close(): Promise<void> {
    await this.tail;
    this.closed = true;
  }

  private async write(ops: readonly KvOp[], guards: readonly KvGuard[]): Promise<void> {
    await this.writes.perform('commit', shown(ops), (n, isTorn) =>
      this.disk.apply(this.user, isTorn ? damaged(ops, n, this.disk.options.torn) : ops, guards),
    );
  }

  private assertOpen(): void {
    if (this.closed) throw closedError();
  }
}

/** The ops with one value changed in one byte. Not the marker's: without it this is no store at all. */
function damaged(ops: readonly KvOp[], n: number, torn?: (key: string) => void): KvOp[] {
  const puts = ops.flatMap((op, index) =>
    op.op === 'put' && op.value.length > 0 && op.key !== MARKER_KEY ? [index] : [],
  );
  if (puts.length === 0) return [...ops];
  const which = puts[n % puts.length];
  torn?.(ops[which].key);
  return ops.map((op, index) => {
    if (index !== which || op.op !== 'put') return op;
    const value = Uint8Array.from(op.value);
    value[n % value.length] ^= 0x40;
    return { ...op, value };
  });
}

/** What a commit is about: its rows, without index entries. */
function shown(ops: readonly KvOp[]): string {
  const names = ops.filter(({ key }) => !/^[swd]\//.test(key));
  return names.map(({ op, key }) => (op === 'del' ? `-${key}` : key)).join(' ');
}
