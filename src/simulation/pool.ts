import type { CancelTimer, Clock } from '../base/clock.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { Job, JobOutcome, Pool, PoolListener, StepKind, StepRef } from '../pool/index.js';

/** What an attempt comes to, unless something happens to it before. */
export interface SimulatedAttempt {
  /** Infinity: it never ends by itself. */
  readonly durationMs: number;
  readonly outcome: JobOutcome;
  /** It finishes when it is cancelled, instead of stopping. */
  readonly late?: boolean;
  /** How often it says that it is alive; undefined: never. */
  readonly heartbeatEveryMs?: number;
}

export interface SimulatedPoolOptions {
  readonly clock: Clock;
  /** Attempts at once; `perKind`: of each kind of step. */
  readonly slots: number | { readonly perKind: Readonly<Record<StepKind, number>> };
  /** Asked once for every attempt, when it begins. */
  attemptOf(job: Job): SimulatedAttempt;
  settled?(job: Job, outcome: JobOutcome): void;
}

interface Open {
  readonly job: Job;
  readonly attempt: SimulatedAttempt;
  stop: CancelTimer;
  cancelled: ErrorDocument | null;
}

/** How many jobs share a worker, which they lose together. */
const JOBS_PER_WORKER = 3;

/** A pool without steps: attempts last and end as they are told to. */
export class SimulatedPool implements Pool {
  private listener!: PoolListener;
  private readonly open = new Map<number, Open>();
  private last: { job: Job; outcome: JobOutcome } | null = null;
  private closed = false;

  constructor(private readonly options: SimulatedPoolOptions) {}

  get busy(): number {
    return this.open.size;
  }

  listen(listener: PoolListener): void {
    this.listener = listener;
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.closed) return;
    for (const job of jobs) {
      const attempt = this.options.attemptOf(job);
      const entry: Open = { job, attempt, stop: () => {}, cancelled: null };
      this.open.set(job.id, entry);
      const begin = (): void => {
        if (job.exclusive) this.listener.started(job.id);
        if (attempt.heartbeatEveryMs !== undefined) this.beat(entry, attempt.heartbeatEveryMs);
        if (attempt.durationMs === Infinity) return;
        entry.stop = this.options.clock.setTimer(attempt.durationMs, () =>
          this.settle(job.id, attempt.outcome),
        );
      };
      entry.stop = this.options.clock.setTimer(0, begin);
    }
  }

  cancel(jobId: number, error: ErrorDocument, graceMs: number): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    entry.stop();
    entry.cancelled ??= error;
    const reason = { ...entry.cancelled, code: entry.cancelled.code ?? 'STEP_CANCELLED' };
    const { attempt } = entry;
    const ends: JobOutcome = { ok: false, kind: 'error', error: reason, durationMs: graceMs };
    const finishes = attempt.late === true && attempt.outcome.ok;
    entry.stop = this.options.clock.setTimer(finishes ? graceMs / 2 : graceMs, () =>
      this.settle(jobId, finishes ? attempt.outcome : ends),
    );
  }

  /** Nothing to see: there are no workers. */
  status(): readonly [] {
    return [];
  }

  room({ kind }: StepRef): number {
    const { slots } = this.options;
    if (typeof slots === 'number') return Math.max(0, slots - this.open.size);
    const taken = [...this.open.values()].filter(({ job }) => job.step.kind === kind).length;
    return Math.max(0, slots.perKind[kind] - taken);
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { stop } of this.open.values()) stop();
    this.open.clear();
  }

  /** A worker dies: one of its jobs is to blame, the others are lost. @returns what it ran */
  killWorker(pick: number): readonly Job[] {
    const ids = [...this.open.keys()];
    if (ids.length === 0) return [];
    const guilty = ids[pick % ids.length];
    const worker = Math.floor(guilty / JOBS_PER_WORKER);
    const ran = ids.filter((id) => Math.floor(id / JOBS_PER_WORKER) === worker);
    const error = toErrorDocument(new MaestroError('WORKER_LOST', 'the worker died'));
    const jobs = ran.map((id) => this.open.get(id)!.job);
    for (const id of ran) {
      this.open.get(id)!.stop();
      const crashed: JobOutcome = { ok: false, kind: 'crashed', error, durationMs: 1 };
      this.settle(id, id === guilty ? crashed : { ok: false, kind: 'lost', error });
    }
    return jobs;
  }

  /** The last result arrives once more. */
  repeat(): Job | undefined {
    if (this.last === null || this.closed) return undefined;
    this.listener.settled(this.last.job.id, this.last.outcome);
    return this.last.job;
  }

  private beat(entry: Open, everyMs: number): void {
    this.options.clock.setTimer(everyMs, () => {
      if (this.open.get(entry.job.id) !== entry || entry.cancelled !== null) return;
      this.listener.heartbeat(entry.job.id);
      this.beat(entry, everyMs);
    });
  }

  private settle(jobId: number, outcome: JobOutcome): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    this.open.delete(jobId);
    this.last = { job: entry.job, outcome };
    this.options.settled?.(entry.job, outcome);
    this.listener.settled(jobId, outcome);
  }
}
