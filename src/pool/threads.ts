import { atMost } from '../base/clock.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { AWAKE_MS, isBrief, roomFor } from './batching.js';
import { Deaths, poolStopped } from './deaths.js';
import type { ResolvedPoolSettings } from './options.js';
import { cancelReason, crashed, decodeResult, lost, messageOf } from './outcome.js';
import type { Job, Pool, PoolListener, StepRef } from './port.js';
import { relay } from './relay.js';
import { Staging } from './staging.js';
import { Batch, ThreadJob, type SharedWithWorkers } from './thread-batch.js';
import { ThreadJobs } from './thread-jobs.js';
import { ThreadQueue } from './thread-queue.js';
import { Crew, type WorkerLink } from './threads-crew.js';
import {
  CELLS_PER_SLOT,
  FromWorker,
  RESULT_STRIDE,
  ToWorker,
  type WorkerMessage,
} from './worker/protocol.js';
import { encodeBatch } from './worker/wire.js';

/** A batch that is still running after this long was taken for shorter: what has not begun is taken back. */
const STALL_MS = 10;
/** How long a terminated thread may take to end; one that is stuck in native code may never. */
const GONE_MS = 1_000;

/**
 * Runs module steps on worker threads. Short jobs of known duration travel in batches, others alone; the queue is
 * here, so that a job goes to whichever worker is free first. A worker runs one step at a time, also when that step
 * only waits. Threads are for trusted steps: running out of memory in one can end the whole process.
 */
export class ThreadPool implements Pool {
  readonly #settings: ResolvedPoolSettings;
  readonly #shared: SharedWithWorkers;
  readonly #crew: Crew;
  readonly #jobs = new ThreadJobs((jobId, outcome) => {
    if (!this.#closing) this.#listener?.settled(jobId, outcome);
  });
  readonly #queue = new ThreadQueue();
  readonly #batches = new Map<number, Batch>();
  readonly #freeSlots: number[];
  readonly #deaths: Deaths;
  readonly #staging: Staging;
  #lastBatchId = 0;
  #pumping = false;
  #watching = false;
  #stopped: ErrorDocument | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: () => void = () => {};
  #listener: PoolListener | undefined;

  constructor(settings: ResolvedPoolSettings) {
    const { threads, maxOutputBytes, maxLogChars, echo } = settings;
    this.#settings = settings;
    this.#staging = new Staging(settings.clock);
    this.#deaths = new Deaths('worker threads', settings);
    this.#freeSlots = Array.from({ length: threads }, (_, slot) => slot);
    const cells = new Int32Array(new SharedArrayBuffer(threads * CELLS_PER_SLOT * 4));
    this.#shared = { cells, linkOf: (worker) => this.#crew.link(worker) };
    this.#crew = new Crew(
      threads,
      settings.clock,
      { cells, maxOutputBytes, maxLogChars, echo },
      {
        joined: (link) => this.#onJoined(link),
        message: (link, message) => this.#onMessage(link, message),
        gone: (link) => this.#onGone(link),
        shrunk: () => this.#reissue(),
        died: (batchId, error) => this.#onDeath(this.#batches.get(batchId), error),
      },
    );
  }

  get busy(): number {
    return this.#jobs.size;
  }

  get dueMs(): number {
    return this.#jobs.load.shortMs;
  }

  get aheadMs(): number {
    return this.#jobs.load.aheadMs(this.#settings.threads, this.#freeSlots.length);
  }

  status(): readonly WorkersStatus[] {
    const { threads: limit } = this.#settings;
    const now = { attempts: this.#jobs.size, alive: this.#crew.size, busy: this.#batches.size, limit };
    return [{ worker: 'thread', ...now, ...this.#deaths.status, stopped: this.#stopped !== undefined }];
  }

  listen(listener: PoolListener): void {
    this.#listener = listener;
  }

  room(step: StepRef): number {
    if (this.#closing || this.#stopped) return 0;
    return roomFor(this.#queue.cost(step), this.#jobs.load, this.#settings.threads);
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.#closing) return;
    const begun = this.#staging.open(jobs);
    for (const entry of begun) this.#jobs.add(entry);
    if (begun.length > 0) this.#lookOut();
    for (let i = begun.length; i < jobs.length; i++) {
      const entry = new ThreadJob(jobs[i], this.#queue.costOf(jobs[i]));
      this.#jobs.add(entry);
      if (this.#stopped === undefined) this.#queue.push(entry);
      else this.#jobs.settleSoon(entry, { ok: false, kind: 'lost', error: this.#stopped });
    }
    // All that a turn starts comes in one call: workers begin while this thread goes on.
    if (this.#crew.ready) this.#pump();
    else this.#schedule();
  }

  /** Only where workers have nothing else to do. */
  stage(jobs: readonly Job[]): void {
    const isIdle = this.#crew.ready && this.#batches.size === 0 && this.#queue.length === 0;
    if (!isIdle || this.#closing || this.#stopped || jobs.some(({ exclusive }) => exclusive)) return;
    for (const job of jobs) this.#queue.push(new ThreadJob(job, this.#queue.costOf(job)));
    this.#sendShares(true);
    this.#staging.hold([...this.#batches.values()]);
    this.#queue.clear();
  }

  cancel(jobId: number, reason: ErrorDocument, graceMs: number): void {
    const entry = this.#jobs.get(jobId);
    if (entry === undefined) return;
    entry.cancelled = { error: entry.cancelled?.error ?? cancelReason(reason), graceMs };
    const { batch } = entry;
    if (batch === undefined) {
      this.#queue.remove(entry);
      this.#jobs.settleCancelled(entry);
    } else {
      this.#takeBack(batch);
      if (entry.batch === batch) this.#askToStop(entry, batch);
    }
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const reason = toErrorDocument(new MaestroError('STEP_CANCELLED', 'the pool is closing'));
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#staging.withdraw();
    for (const entry of this.#jobs.values()) {
      this.cancel(entry.job.id, reason, graceMs);
      if (entry.batch === undefined) this.#jobs.drop(entry);
    }
    this.#queue.clear();
    if (this.#batches.size > 0) await idle;
    await atMost(this.#settings.clock, GONE_MS, this.#crew.destroy());
  }

  // Sending

  /** What comes back one by one in the same turn travels together. */
  #schedule(): void {
    if (this.#pumping || this.#queue.length === 0) return;
    this.#pumping = true;
    queueMicrotask(() => {
      if (this.#crew.ready) return this.#pump();
      this.#crew.start().then(
        () => this.#pump(),
        (error: unknown) =>
          this.#stop(poolStopped(`worker threads cannot be started: ${messageOf(error)}`, error)),
      );
    });
  }

  #pump(): void {
    this.#pumping = false;
    if (this.#closing || this.#stopped) return;
    this.#sendShares(false);
  }

  #sendShares(sealed: boolean): void {
    let workers = this.#settings.threads;
    while (this.#queue.length > 0 && this.#freeSlots.length > 0)
      this.#send(this.#queue.takeShare(workers, this.#freeSlots.length < workers--, sealed), sealed);
  }

  #send(jobs: readonly ThreadJob[], sealed: boolean): void {
    const nowMs = this.#settings.clock.nowMs();
    const batch = new Batch(++this.#lastBatchId, this.#freeSlots.pop()!, jobs, nowMs, this.#shared, sealed);
    this.#batches.set(batch.id, batch);
    const lone = this.#batches.size === 1 && (sealed ? isBrief(jobs) : this.#jobs.load.isBrief);
    const wire = encodeBatch({ id: batch.id, slot: batch.slot, lone }, jobs);
    if (!sealed) this.#lookOut();
    batch.service = this.#queue.messages.timed(() => this.#crew.run(wire));
  }

  /** For answers that come at once, and for those that do not come. */
  #lookOut(): void {
    if (this.#batches.size === 1 && this.#jobs.load.isBrief) this.#settings.clock.stayAwake?.(AWAKE_MS);
    for (const { jobs } of this.#batches.values()) if (jobs.length > 1) return this.#watch();
  }

  /** The batch is through. Its worker sent everything else before it said so. */
  #onOver(link: WorkerLink, batch: Batch, results: unknown): void {
    this.#onResults(batch, results);
    // What is being ended is concluded when it has.
    if (batch.dead || batch.ending !== undefined || batch.service === undefined) return;
    this.#crew.free(batch.service, link);
    this.#takeBack(batch);
    const notBegun = batch.open();
    for (const entry of notBegun) entry.batch = undefined;
    this.#requeue(notBegun);
    this.#release(batch);
  }

  #release(batch: Batch): void {
    this.#batches.delete(batch.id);
    this.#freeSlots.push(batch.slot);
    if (this.#batches.size === 0) this.#onIdle();
    this.#schedule();
  }

  #takeBack(batch: Batch): void {
    this.#requeue(batch.takeBack());
  }

  #requeue(entries: readonly ThreadJob[]): void {
    for (const entry of entries) if (entry.cancelled !== undefined) this.#jobs.settleCancelled(entry);
    const waiting = entries.filter((entry) => entry.cancelled === undefined);
    if (waiting.length > 0) this.#queue.putBack(waiting);
    this.#schedule();
  }

  /** While batches of several jobs are out: nobody waits long behind a neighbour that turns out slow. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#settings.clock.setTimer(STALL_MS, () => {
      this.#watching = false;
      const nowMs = this.#settings.clock.nowMs();
      for (const batch of this.#batches.values()) {
        if (batch.jobs.length === 1) continue;
        if (batch.begun > 0 && nowMs - batch.sentMs >= STALL_MS) this.#takeBack(batch);
        else this.#watch();
      }
    });
  }

  // Hearing

  #onMessage(link: WorkerLink, received: unknown): void {
    if (!Array.isArray(received)) return;
    const message = received as unknown as WorkerMessage;
    const batch = this.#batches.get(message[1]);
    switch (message[0]) {
      case FromWorker.taken:
        if (batch !== undefined) this.#onTaken(batch);
        return;
      case FromWorker.results:
        if (batch !== undefined) this.#onResults(batch, message[2]);
        return;
      case FromWorker.over:
        if (batch !== undefined) this.#onOver(link, batch, message[2]);
        return;
      case FromWorker.dying:
        link.lastWords = { batchId: message[1], index: message[2] };
        return;
      default:
        if (batch !== undefined) this.#onStepMessage(link, batch, message);
    }
  }

  #onStepMessage(link: WorkerLink, batch: Batch, message: WorkerMessage): void {
    const job = batch.jobAt(message[2])?.job;
    if (job !== undefined && this.#listener !== undefined) relay(this.#listener, link, job.id, message);
  }

  #onTaken(batch: Batch): void {
    for (const { job } of batch.open()) if (job.exclusive && !this.#closing) this.#listener?.started(job.id);
  }

  /** What was cancelled while its worker could not be spoken to yet is asked to stop now. */
  #onJoined(link: WorkerLink): void {
    for (const batch of this.#batches.values())
      if (batch.link === link) for (const entry of batch.open()) this.#askToStop(entry, batch);
  }

  #onResults(batch: Batch, fields: unknown): void {
    if (!Array.isArray(fields)) return;
    for (let at = 0; at < fields.length; at += RESULT_STRIDE) {
      const entry = batch.jobAt(fields[at]);
      if (entry === undefined) continue;
      const outcome = decodeResult(fields, at);
      this.#queue.record(entry.job.step, outcome.durationMs);
      this.#jobs.settle(entry, outcome);
    }
  }

  // Ending

  /** The ladder's first steps, for a job that has begun. The grace period counts from the moment it is asked. */
  #askToStop(entry: ThreadJob, batch: Batch): void {
    const { cancelled } = entry;
    if (cancelled === undefined || batch.link === undefined) return;
    batch.link.post([ToWorker.abort, batch.id, entry.index, JSON.stringify(cancelled.error)]);
    entry.clearGrace?.();
    const { clock } = this.#settings;
    entry.clearGrace = clock.setTimer(cancelled.graceMs, () => this.#terminate(entry, batch));
  }

  #terminate(entry: ThreadJob, batch: Batch): void {
    this.#crew.drain();
    if (entry.batch !== batch || batch.dead || batch.begun > batch.jobs.length) return;
    if (batch.isRunning(entry)) {
      batch.ending = 'killed';
      batch.service?.abort();
    } else {
      // It has finished, but its result is held up behind a neighbour, who must not be ended for that.
      this.#jobs.settleCancelled(entry);
    }
  }

  #onDeath(batch: Batch | undefined, error: unknown): void {
    if (batch === undefined) return;
    batch.dead = true;
    if (this.#staging.has(batch)) this.#staging.withdraw();
    this.#crew.drain();
    if (batch.ending !== 'killed' || batch.link === undefined) return this.#conclude(batch, error);
    // Not before the thread has really ended: a next attempt must not overlap with this one.
    let concluded = false;
    const conclude = (): void => {
      if (!concluded) this.#conclude(batch, error);
      concluded = true;
    };
    const clear = this.#settings.clock.setTimer(GONE_MS, conclude);
    batch.link.whenGone(() => {
      clear();
      conclude();
    });
  }

  #conclude(batch: Batch, error: unknown): void {
    const open = batch.open();
    const guilty = batch.ending === undefined ? batch.guiltyIndex() : -1;
    if (batch.link !== undefined) batch.link.mourned = true;
    if (batch.ending === 'reissued') {
      for (const entry of open) entry.batch = undefined;
      this.#requeue(open);
    } else for (const entry of open) this.#settleDead(entry, entry.index === guilty, error);
    this.#release(batch);
    if (batch.ending !== 'killed') this.#countDeath(error);
  }

  #settleDead(entry: ThreadJob, isGuilty: boolean, error: unknown): void {
    const why = messageOf(error);
    if (entry.cancelled !== undefined) this.#jobs.settleCancelled(entry);
    else if (isGuilty)
      this.#jobs.settle(entry, crashed(`the step ended its worker thread: ${why}`, 0, error));
    else this.#jobs.settle(entry, lost(`the worker thread ended beside this job: ${why}`, error));
  }

  #onGone(link: WorkerLink): void {
    const inUse = [...this.#batches.values()].some((batch) => batch.link === link);
    // Something that an earlier step left running has ended an idle worker.
    if (link.lastWords !== undefined && !inUse && !link.mourned) this.#countDeath(this.#crew.lastError);
  }

  /** Piscina starts no worker in place of one that failed to start: batches that wait for it are sent again. */
  #reissue(): void {
    if (this.#closing || this.#stopped) return;
    this.#crew.drain();
    const alive = [...this.#batches.values()].filter((batch) => !batch.dead && batch.ending === undefined);
    const waiting = alive.filter((batch) => batch.link === undefined && batch.begun === 0);
    for (const batch of waiting.slice(0, this.#crew.forsaken)) {
      batch.ending = 'reissued';
      batch.service?.abort(this.#crew.lastError);
    }
  }

  #countDeath(error: unknown): void {
    if (this.#closing || this.#stopped) return;
    const tooMany = this.#deaths.count(error);
    if (tooMany !== undefined) this.#stop(tooMany);
  }

  #stop(error: ErrorDocument): void {
    if (this.#closing || this.#stopped) return;
    this.#stopped = error;
    this.#staging.withdraw();
    this.#queue.clear();
    this.#listener?.failed(error);
    for (const entry of this.#jobs.values()) this.#jobs.settle(entry, { ok: false, kind: 'lost', error });
    void this.#crew.destroy().catch(() => {});
  }
}
