import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { cancelReason, toOutcome } from './outcome.js';
import type { FetchKind, Job, Pool, PoolListener, StepRef } from './port.js';
import { encodeError, type StepResult } from './step-result.js';

/** A job in a slot pool. `run` exists from the moment it executes. */
export class SlotJob<Run> {
  run: Run | undefined;
  cancelled: ErrorDocument | undefined;
  begun = false;
  startedMs = 0;

  constructor(readonly job: Job) {}
}

/**
 * What pools have in common that run each job by itself, so many at once: a queue, slots, and the promise that each
 * job settles exactly once. Subclasses execute and abort; whatever settles a job first wins, the rest is dropped.
 */
export abstract class SlotPool<Run> implements Pool {
  readonly #slots: number;
  readonly #jobs = new Map<number, SlotJob<Run>>();
  #waiting: SlotJob<Run>[] = [];
  #begun = 0;
  #scheduled = false;
  #listener: PoolListener | undefined;
  #closing: Promise<void> | undefined;
  #onDrained: () => void = () => {};

  protected constructor(
    private readonly worker: WorkersStatus['worker'],
    slots: number,
  ) {
    this.#slots = slots;
  }

  /** Starts the job and returns its handle; its end is told by `settle`, never before `execute` has returned. */
  protected abstract execute(entry: SlotJob<Run>, globalContext: string, listener: PoolListener): Run;
  /** Ends an executing job, softly first; it must `settle` soon after `graceMs` in any case. */
  protected abstract abort(entry: SlotJob<Run>, run: Run, reason: ErrorDocument, graceMs: number): void;

  get busy(): number {
    return this.#jobs.size;
  }

  /** A worker is made for one job, and its end is the job's: none dies unasked. */
  status(): readonly WorkersStatus[] {
    const running = this.#begun;
    return [
      {
        worker: this.worker,
        attempts: this.#jobs.size,
        alive: running,
        busy: running,
        limit: this.#slots,
        deaths: 0,
        recentDeaths: 0,
        toleratedDeaths: 0,
        stopped: false,
      },
    ];
  }

  listen(listener: PoolListener): void {
    this.#listener = listener;
  }

  room(_step: StepRef): number {
    return this.#closing ? 0 : Math.max(0, this.#slots - this.#jobs.size);
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.#closing) return;
    for (const job of jobs) {
      const entry = new SlotJob<Run>(job);
      this.#jobs.set(job.id, entry);
      this.#waiting.push(entry);
    }
    this.#schedule();
  }

  cancel(jobId: number, reason: ErrorDocument, graceMs: number): void {
    const entry = this.#jobs.get(jobId);
    if (entry === undefined) return;
    entry.cancelled ??= cancelReason(reason);
    const error = entry.cancelled;
    if (entry.run !== undefined) this.abort(entry, entry.run, error, graceMs);
    else setImmediate(() => this.settle(entry, { ok: false, error }));
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#onDrained = resolve;
      const reason = toErrorDocument(new MaestroError('STEP_CANCELLED', 'the pool is closing'));
      for (const [id, entry] of this.#jobs) {
        if (entry.run === undefined) this.#jobs.delete(id);
        else this.cancel(id, reason, graceMs);
      }
      if (this.#jobs.size === 0) resolve();
    });
    return this.#closing;
  }

  protected settle(entry: SlotJob<Run>, result: StepResult): void {
    if (!this.isLive(entry)) return;
    this.#jobs.delete(entry.job.id);
    if (entry.begun) this.#begun -= 1;
    const durationMs = entry.run === undefined ? 0 : performance.now() - entry.startedMs;
    if (!this.#closing) this.#listener?.settled(entry.job.id, toOutcome(result, durationMs));
    else if (this.#jobs.size === 0) this.#onDrained();
    this.#schedule();
  }

  /** False once the job has settled, or was dropped by close. */
  protected isLive(entry: SlotJob<Run>): boolean {
    return this.#jobs.get(entry.job.id) === entry;
  }

  protected async fetch(entry: SlotJob<Run>, kind: FetchKind): Promise<string> {
    if (this.#listener === undefined || !this.isLive(entry))
      throw new MaestroError('STEP_CANCELLED', `the attempt is over: ${kind} cannot be fetched any more`);
    return this.#listener.fetch(entry.job.id, kind);
  }

  /** In a macrotask, so that a chain of short jobs never starves timers and input. */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of waiting) {
      if (!this.isLive(entry) || entry.cancelled !== undefined) continue;
      if (this.#begun < this.#slots) this.#begin(entry);
      else this.#waiting.push(entry);
    }
  }

  #begin(entry: SlotJob<Run>): void {
    entry.begun = true;
    this.#begun += 1;
    const { globalContext } = entry.job.call;
    if (globalContext !== null) return this.#execute(entry, globalContext);
    this.fetch(entry, 'globalContext').then(
      (text) => this.#execute(entry, text),
      (error: unknown) => this.settle(entry, encodeError(error)),
    );
  }

  #execute(entry: SlotJob<Run>, globalContext: string): void {
    if (!this.isLive(entry) || entry.cancelled !== undefined || this.#listener === undefined) return;
    if (entry.job.exclusive) this.#listener.started(entry.job.id);
    entry.startedMs = performance.now();
    entry.run = this.execute(entry, globalContext, this.#listener);
  }
}
