import { IdMap } from '../base/id-map.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { Deaths } from './deaths.js';
import type { ResolvedPoolSettings } from './options.js';
import { cancelReason, toOutcome } from './outcome.js';
import type { FetchKind, Job, JobOutcome, Pool, PoolListener, StepRef } from './port.js';
import { encodeError, type StepResult } from './step-result.js';

/** A job in a slot pool. `run` exists from the moment it executes. */
export class SlotJob<Run> {
  run: Run | undefined;
  cancelled: ErrorDocument | undefined;
  begun = false;
  startedMs = 0;

  constructor(readonly job: Job) {}
}

interface SlotOptions {
  /** Jobs at once. */
  readonly slots: number;
  readonly worker: WorkersStatus['worker'];
  /** The same for people, in the plural. */
  readonly workers: string;
  /** true: large global contexts are asked for, and the start of a job is told, by the worker it runs in. */
  readonly remote?: boolean;
}

/**
 * What pools have in common that run each job by itself, so many at once: a queue, slots, and the promise that each
 * job settles exactly once. Subclasses execute and abort; whatever settles a job first wins, the rest is dropped.
 */
export abstract class SlotPool<Run> implements Pool {
  readonly #options: SlotOptions;
  readonly #deaths: Deaths;
  readonly #jobs = new IdMap<SlotJob<Run>>();
  #waiting: SlotJob<Run>[] = [];
  #begun = 0;
  #scheduled = false;
  /** The time as last read, while steps that run here are started or end one after the other: reading it costs as much as a short step. */
  #nowMs = 0;
  #listener: PoolListener | undefined;
  #stopped: ErrorDocument | undefined;
  #closing: Promise<void> | undefined;
  #onDrained: () => void = () => {};

  protected constructor(settings: ResolvedPoolSettings, options: SlotOptions) {
    this.#options = options;
    this.#deaths = new Deaths(options.workers, settings);
  }

  /**
   * Starts the job and returns its handle; its end is told by `settle`, never before `execute` has returned.
   * `globalContext` is JSON text; of a remote worker's job, only when it is in the call.
   */
  protected abstract execute(entry: SlotJob<Run>, globalContext: string, listener: PoolListener): Run;
  /** The job's handle is known: what is over already may be told. */
  protected executing(_entry: SlotJob<Run>, _run: Run): void {}
  /** Ends an executing job, softly first; it must `settle` soon after `graceMs` in any case. */
  protected abstract abort(entry: SlotJob<Run>, run: Run, reason: ErrorDocument, graceMs: number): void;

  get busy(): number {
    return this.#jobs.size;
  }

  status(): readonly WorkersStatus[] {
    const { worker, slots: limit } = this.#options;
    const now = { attempts: this.#jobs.size, alive: this.alive, busy: this.#begun, limit };
    return [{ worker, ...now, ...this.#deaths.status, stopped: this.#stopped !== undefined }];
  }

  /** Workers there are. One is made for each job, unless a subclass keeps them. */
  protected get alive(): number {
    return this.#begun;
  }

  listen(listener: PoolListener): void {
    this.#listener = listener;
  }

  room(_step: StepRef): number {
    if (this.#closing || this.#stopped) return 0;
    return Math.max(0, this.#options.slots - this.#jobs.size);
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.#closing) return;
    for (const job of jobs) {
      const entry = new SlotJob<Run>(job);
      this.#jobs.set(job.id, entry);
      if (this.#stopped === undefined) this.#waiting.push(entry);
      else this.#loseSoon(entry, this.#stopped);
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
      for (const entry of this.#jobs.values()) {
        const { id } = entry.job;
        if (entry.run === undefined) this.#jobs.delete(id);
        else this.cancel(id, reason, graceMs);
      }
      if (this.#jobs.size === 0) resolve();
    });
    return this.#closing;
  }

  protected settle(entry: SlotJob<Run>, result: StepResult): void {
    this.conclude(entry, toOutcome(result, this.elapsedMs(entry)));
  }

  /** How long the job has executed, in milliseconds. */
  protected elapsedMs(entry: SlotJob<Run>): number {
    if (entry.startedMs === 0) return 0;
    this.#nowMs = performance.now();
    return this.#nowMs - entry.startedMs;
  }

  /** The job executes from now on. */
  protected started(entry: SlotJob<Run>, nowMs = performance.now()): void {
    if (!this.isLive(entry)) return;
    entry.startedMs = nowMs;
    if (entry.job.exclusive && !this.#closing) this.#listener?.started(entry.job.id);
  }

  /** A worker has died and was not ended by us. Too many of them stop the pool: what it has in hand is lost. */
  protected countDeath(error: unknown): void {
    if (this.#closing || this.#stopped) return;
    const tooMany = this.#deaths.count(error);
    if (tooMany === undefined) return;
    this.#stopped = tooMany;
    this.#waiting = [];
    this.#listener?.failed(tooMany);
    for (const entry of this.#jobs.values()) {
      if (entry.run !== undefined) this.abort(entry, entry.run, tooMany, 0);
      this.#loseSoon(entry, tooMany);
    }
  }

  #loseSoon(entry: SlotJob<Run>, error: ErrorDocument): void {
    setImmediate(() => this.conclude(entry, { ok: false, kind: 'lost', error }));
  }

  protected conclude(entry: SlotJob<Run>, outcome: JobOutcome): void {
    if (!this.isLive(entry)) return;
    this.#jobs.delete(entry.job.id);
    if (entry.begun) this.#begun -= 1;
    if (!this.#closing) this.#listener?.settled(entry.job.id, outcome);
    else if (this.#jobs.size === 0) this.#onDrained();
    this.#schedule();
  }

  /** False once the job has settled, or was dropped by close. */
  isLive(entry: SlotJob<Run>): boolean {
    return this.#jobs.get(entry.job.id) === entry;
  }

  async fetch(entry: SlotJob<Run>, kind: FetchKind): Promise<string> {
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
    this.#nowMs = performance.now();
    for (const entry of waiting) {
      if (!this.isLive(entry) || entry.cancelled !== undefined) continue;
      if (this.#begun < this.#options.slots) this.#begin(entry);
      else this.#waiting.push(entry);
    }
  }

  #begin(entry: SlotJob<Run>): void {
    entry.begun = true;
    this.#begun += 1;
    const { globalContext } = entry.job.call;
    if (globalContext !== null || this.#options.remote === true)
      return this.#execute(entry, globalContext ?? '');
    this.fetch(entry, 'globalContext').then(
      (text) => {
        this.#nowMs = performance.now();
        this.#execute(entry, text);
      },
      (error: unknown) => this.settle(entry, encodeError(error)),
    );
  }

  #execute(entry: SlotJob<Run>, globalContext: string): void {
    if (!this.isLive(entry) || entry.cancelled !== undefined || this.#listener === undefined) return;
    if (this.#options.remote !== true) this.started(entry, this.#nowMs);
    entry.run = this.execute(entry, globalContext, this.#listener);
    this.executing(entry, entry.run);
    // What has ended said when.
    if (this.isLive(entry)) this.#nowMs = performance.now();
  }
}
