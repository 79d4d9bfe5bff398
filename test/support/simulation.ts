import type { CancelTimer, Clock } from '../../src/base/clock.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../../src/base/errors.js';
import type { WorkersStatus } from '../../src/base/workers.js';
import { seededRandom } from '../../src/base/random.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { Job, JobOutcome, Pool, PoolListener } from '../../src/pool/port.js';
import { LocalRuntime } from '../../src/runtime/local-runtime.js';
import { NOWHERE } from '../../src/simulation/world.js';
import { settingsOf } from '../../src/runtime/options.js';
import type { RuntimeOptions } from '../../src/runtime/types.js';
import type { Workflow } from '../../src/spec/types.js';
import type { Kv } from '../../src/store/kv.js';
import { OWNERS } from '../../src/store/keys.js';
import { openStore } from '../../src/store/open.js';

/** Time that stands still until it is told to go to the next timer. */
export class SimulatedClock implements Clock {
  private timers: { atMs: number; order: number; fn: () => void }[] = [];
  private order = 0;

  constructor(private now = Date.UTC(2030, 0, 1)) {}

  nowMs(): number {
    return this.now;
  }

  setTimer(delayMs: number, fn: () => void): CancelTimer {
    const timer = { atMs: this.now + Math.max(0, delayMs), order: this.order++, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** A process died: its timers never fire. */
  forget(): void {
    this.timers = [];
  }

  /** Fires the next timer. @returns false when there is none */
  advance(): boolean {
    if (this.timers.length === 0) return false;
    const next = this.timers.reduce((a, b) => ((b.atMs - a.atMs || b.order - a.order) < 0 ? b : a));
    this.timers = this.timers.filter((other) => other !== next);
    this.now = Math.max(this.now, next.atMs);
    next.fn();
    return true;
  }

  /** Lets time pass until the promise settles. Everything between two timers happens in between. */
  async run<T>(promise: Promise<T>, maxTimers = 100_000): Promise<T> {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    for (let fired = 0; ; fired++) {
      await quiet();
      if (settled) return promise;
      if (fired > maxTimers || !this.advance()) throw new Error('the simulation came to a standstill');
    }
  }
}

/** Resolves when nothing can happen any more without a timer. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What an attempt of a node comes to, by node and attempt: the same whenever it is asked. */
export interface Fate {
  readonly outcome: 'ok' | 'fail' | 'crash';
  readonly durationMs: number;
  readonly output: string;
}

/** A pool without steps: attempts last and end as their fates say, some are lost with their worker. */
export class SimulatedPool implements Pool {
  private listener!: PoolListener;
  private readonly open = new Map<number, { job: Job; stop: CancelTimer }>();
  private closed = false;
  readonly dispatched: Job[] = [];
  /** Set by tests that want to know. */
  stage?: (jobs: readonly Job[]) => void;
  maxBusy = 0;

  constructor(
    private readonly clock: Clock,
    private readonly fateOf: (nodeId: string, attempt: number) => Fate,
    private readonly slots: number,
    /** Takes an attempt's worker away. */
    private readonly isLost: () => boolean,
  ) {}

  get busy(): number {
    return this.open.size;
  }

  status(): readonly WorkersStatus[] {
    return [];
  }

  listen(listener: PoolListener): void {
    this.listener = listener;
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.closed) return;
    for (const job of jobs) {
      this.dispatched.push(job);
      const { outcome, durationMs, output } = this.fateOf(job.call.nodeId, job.call.attempt);
      const error = toErrorDocument(new MaestroError('STEP_FAILED', `${job.call.nodeId} failed`));
      let end: JobOutcome = { ok: true, output, artifacts: [], durationMs };
      if (outcome === 'fail') end = { ok: false, kind: 'error', error, durationMs };
      if (outcome === 'crash') end = { ok: false, kind: 'crashed', error, durationMs };
      if (this.isLost()) end = { ok: false, kind: 'lost', error };
      const stop = this.clock.setTimer(durationMs, () => this.settle(job.id, end));
      this.open.set(job.id, { job, stop });
    }
    this.maxBusy = Math.max(this.maxBusy, this.open.size);
  }

  cancel(jobId: number, error: ErrorDocument, graceMs: number): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    entry.stop();
    const end: JobOutcome = { ok: false, kind: 'error', error, durationMs: 1 };
    entry.stop = this.clock.setTimer(graceMs, () => this.settle(jobId, end));
  }

  room(): number {
    return Math.max(0, this.slots - this.open.size);
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { stop } of this.open.values()) stop();
    this.open.clear();
  }

  private settle(jobId: number, outcome: JobOutcome): void {
    if (this.open.delete(jobId)) this.listener.settled(jobId, outcome);
  }
}

/** A whole runtime with a simulated clock, pool and randomness over a given store. */
export async function simulate(
  kv: Kv,
  options: Pick<RuntimeOptions, 'durability' | 'mode' | 'concurrency' | 'queues' | 'maxActiveExecutions'> & {
    seed: number;
    workflows: readonly Workflow[];
    fateOf: (nodeId: string, attempt: number) => Fate;
    slots: number;
    lossRate: number;
    onEvent?: (event: ExecutionEvent) => void;
    clock?: SimulatedClock;
  },
): Promise<{ runtime: LocalRuntime; clock: SimulatedClock; pool: SimulatedPool }> {
  const { seed, workflows, fateOf, slots, lossRate, onEvent, ...rest } = options;
  const clock = options.clock ?? new SimulatedClock();
  const random = seededRandom(seed);
  const settings = settingsOf({ artifactRoot: NOWHERE, ...rest, store: kv, clock, random });
  const pool = new SimulatedPool(clock, fateOf, slots, () => random() < lossRate);
  const store = await openStore(kv, clock);
  const runtime = new LocalRuntime(store, pool, settings, workflows, onEvent ?? null);
  return { runtime, clock, pool };
}

/**
 * A store whose process dies at a commit: that one is applied or not, and neither it nor any later one is answered.
 * `dead` resolves then.
 */
export function crashing(kv: Kv, commits: number, applyLast: boolean): Kv & { dead: Promise<void> } {
  let die!: () => void;
  const dead = new Promise<void>((resolve) => (die = resolve));
  let left = commits;
  return {
    dead,
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    async commit(ops, guards) {
      if (left-- > 0) return kv.commit(ops, guards);
      if (left === -1 && applyLast) await kv.commit(ops, guards);
      die();
      return new Promise(() => undefined);
    },
    close: async () => {},
  };
}

/** The processes that left their leases in this store are dead from now on. */
export async function buryOwners(kv: Kv): Promise<void> {
  for await (const key of kv.keys({ start: OWNERS, end: `${OWNERS}~` }))
    await kv.commit([{ op: 'del', key }]);
}
