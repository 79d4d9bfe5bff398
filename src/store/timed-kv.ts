import { inTime, type Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange, Visible } from './kv.js';

/** How long a store may take for one answer. Adapters of ours give up before that. */
export const ANSWER_WITHIN_MS = 60_000;
/** How long a store that has left a commit unanswered may take to close. */
const LAST_WAIT_MS = 1_000;

/**
 * A store that somebody else wrote, of which every call settles: what is not answered in time fails. Nobody knows what
 * has become of such a commit, so that nothing is written after it any more.
 */
export class TimedKv implements Kv {
  readonly space: Kv['space'];
  readonly absorb: Kv['absorb'];
  readonly settled: Kv['settled'];
  readonly onFailure: Kv['onFailure'];
  private failure: MaestroError | null = null;
  /** Those whose commits are under way. */
  private readonly waiting = new Set<(error: MaestroError) => void>();

  constructor(
    private readonly kv: Kv,
    private readonly clock: Clock,
  ) {
    this.space = kv.space?.bind(kv);
    this.onFailure = kv.onFailure?.bind(kv);
    const [absorb, settled] = [kv.absorb?.bind(kv), kv.settled?.bind(kv)];
    if (absorb) this.absorb = (owner) => this.inTime(absorb(owner), ANSWER_WITHIN_MS, silentCommit);
    if (settled) this.settled = (owner) => this.read(settled(owner));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.read(this.kv.get(key));
  }

  scan(range: KvRange): AsyncIterable<KvEntry> {
    return this.each(() => this.kv.scan(range));
  }

  keys(range: KvRange): AsyncIterable<string> {
    return this.each(() => this.kv.keys(range));
  }

  async commit(ops: readonly KvOp[], guards?: readonly KvGuard[], visible?: Visible): Promise<void> {
    if (this.failure !== null) throw this.failure;
    const written = this.inTime(this.kv.commit(ops, guards, visible), ANSWER_WITHIN_MS, () => this.giveUp());
    await new Promise<void>((resolve, reject) => {
      this.waiting.add(reject);
      written.then(resolve, reject).finally(() => this.waiting.delete(reject));
    });
  }

  async close(): Promise<void> {
    const waitMs = this.failure === null ? ANSWER_WITHIN_MS : LAST_WAIT_MS;
    await this.inTime(this.kv.close(), waitMs, () => silent('closing the store'));
  }

  /** What was to be written after it waits for nothing: commits apply in their order. */
  private giveUp(): MaestroError {
    this.failure ??= silentCommit();
    for (const reject of this.waiting) reject(this.failure);
    return this.failure;
  }

  private read<T>(work: Promise<T>): Promise<T> {
    return this.inTime(work, ANSWER_WITHIN_MS, () => silent('reading the store'));
  }

  private async *each<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
    const entries = open()[Symbol.asyncIterator]();
    let isOpen = true;
    try {
      for (;;) {
        isOpen = false;
        const next = await this.read(entries.next());
        if (next.done === true) return;
        isOpen = true;
        yield next.value;
      }
    } finally {
      // Whoever stopped early lets go of the cursor; one that hangs, failed or has ended has nothing to let go of.
      if (isOpen && entries.return !== undefined) await this.read(entries.return());
    }
  }

  private inTime<T>(work: Promise<T>, ms: number, late: () => MaestroError): Promise<T> {
    return inTime(this.clock, ms, work, late);
  }
}

function silentCommit(): MaestroError {
  const what = `writing to the store failed: it gave no answer within ${ANSWER_WITHIN_MS / 1000} s`;
  return new MaestroError('STORE_COMMIT', what, {
    next: 'Find out why the store does not answer; executions resume on the next start.',
  });
}

function silent(what: string): MaestroError {
  return new MaestroError('STORE_UNAVAILABLE', `${what} failed: it gave no answer`, {
    next: 'Find out why the store does not answer; executions resume on the next start.',
  });
}
