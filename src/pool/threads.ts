import { atMost } from '../base/clock.js';
import { IdMap } from '../base/id-map.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { answer } from './answer.js';
import { AWAKE_MS, roomFor, RunningLoad } from './batching.js';
import { Deaths, poolStopped } from './deaths.js';
import type { ResolvedPoolSettings } from './options.js';
import { cancelReason, crashed, decodeResult, lost, messageOf } from './outcome.js';
import type { FetchKind, Job, JobOutcome, Pool, PoolListener, StepRef } from './port.js';
import { Batch, ThreadJob, type SharedWithWorkers } from './thread-batch.js';
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
const FETCH_KINDS: readonly FetchKind[] = ['allOutputs', 'allArtifacts', 'globalContext'];

/**
 * Runs module steps on worker threads. Short jobs of known duration travel in batches, others alone; the queue is
 * here, so that a job goes to whichever worker is free first. A worker runs one step at a time, also when that step
 * only waits. Threads are for trusted steps: running out of memory in one can end the whole process.
 */
export class ThreadPool implements Pool {
  readonly #settings: ResolvedPoolSettings;
  readonly #shared: SharedWithWorkers;
  readonly #crew: Crew;
  readonly #jobs = new IdMap<ThreadJob>();
  readonly #queue = new ThreadQueue();
  readonly #batches = new Map<number, Batch>();
  readonly #freeSlots: number[];
  readonly #deaths: Deaths;
  readonly #load = new RunningLoad();
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
    this.#deaths = new Deaths('worker threads', settings);
    this.#freeSlots = Array.from({ length: threads }, (_, slot) => slot);
    const cells = new Int32Array(new SharedArrayBuffer(threads * CELLS_PER_SLOT * 4));
    this.#shared = { cells, linkOf: (worker) => this.#crew.link(worker) };
    this.#crew = new Crew(
      threads,
      { cells, maxOutputBytes, maxLogChars, echo },
      {
        joined: (link) => this.#onJoined(link),
        message: (link, message) => this.#onMessage(link, message),
        gone: (link) => this.#onGone(link),
        shrunk: () => this.#reissue(),
      },
    );
  }

  get busy(): number {
    return this.#jobs.size;
  }

  get dueMs(): number {
    return this.#load.shortMs;
  }

  get aheadMs(): number {
    return this.#load.aheadMs(this.#settings.threads, this.#freeSlots.length);
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
    return roomFor(this.#queue.cost(step), this.#load, this.#settings.threads);
  }

  dispatch(jobs: readonly Job[]): void {
    if (this.#closing) return;
    for (const job of jobs) {
      const entry = new ThreadJob(job, this.#queue.costOf(job));
      this.#jobs.set(job.id, entry);
      this.#load.add(entry.costMs);
      if (this.#stopped === undefined) this.#queue.push(entry);
      else this.#settleSoon(entry, { ok: false, kind: 'lost', error: this.#stopped });
    }
    // All that a turn starts comes in one call: workers begin while this thread goes on.
    if (this.#crew.ready) this.#pump();
    else this.#schedule();
  }

  cancel(jobId: number, reason: ErrorDocument, graceMs: number): void {
    const entry = this.#jobs.get(jobId);
    if (entry === undefined) return;
    entry.cancelled = { error: entry.cancelled?.error ?? cancelReason(reason), graceMs };
    const { batch } = entry;
    if (batch === undefined) {
      this.#queue.remove(entry);
      this.#settleCancelled(entry);
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
    for (const entry of this.#jobs.values()) {
      const { id } = entry.job;
      this.cancel(id, reason, graceMs);
      if (entry.batch === undefined) this.#jobs.delete(id);
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
    let workers = this.#settings.threads;
    while (this.#queue.length > 0 && this.#freeSlots.length > 0)
      this.#send(this.#queue.takeShare(workers, this.#freeSlots.length < workers--));
  }

  #send(jobs: readonly ThreadJob[]): void {
    const nowMs = this.#settings.clock.nowMs();
    const batch = new Batch(++this.#lastBatchId, this.#freeSlots.pop()!, jobs, nowMs, this.#shared);
    this.#batches.set(batch.id, batch);
    const lone = this.#batches.size === 1 && this.#load.isBrief;
    const wire = encodeBatch({ id: batch.id, slot: batch.slot, lone }, jobs);
    if (lone) this.#settings.clock.stayAwake?.(AWAKE_MS);
    this.#queue.messages
      .timed(() => this.#crew.run(wire, batch.controller.signal))
      .then(
        (results) => this.#onOver(batch, results),
        (error: unknown) => this.#onDeath(batch, error),
      );
    if (jobs.length > 1) this.#watch();
  }

  /** The batch is through. Its worker sent everything else before it said so. */
  #onOver(batch: Batch, results: unknown): void {
    this.#crew.drain(batch.link);
    this.#onResults(batch, results);
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
    for (const entry of entries) if (entry.cancelled !== undefined) this.#settleCancelled(entry);
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
      case FromWorker.dying:
        link.lastWords = { batchId: message[1], index: message[2] };
        return;
      default:
        if (batch !== undefined) this.#onStepMessage(link, batch, message);
    }
  }

  #onStepMessage(link: WorkerLink, batch: Batch, message: WorkerMessage): void {
    const job = batch.jobAt(message[2])?.job;
    if (job === undefined) return;
    if (message[0] === FromWorker.heartbeat) this.#listener?.heartbeat(job.id);
    else if (message[0] === FromWorker.progress) this.#listener?.progress(job.id, message[3], message[4]);
    else if (message[0] === FromWorker.output)
      this.#listener?.output(job.id, message[3], message[4], message[5]);
    else if (message[0] === FromWorker.fetch) this.#answer(link, job, message[3], message[4]);
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
      this.#settle(entry, outcome);
    }
  }

  #answer(link: WorkerLink, job: Job, request: number, kind: FetchKind): void {
    const listener = this.#listener;
    if (FETCH_KINDS.includes(kind) && listener !== undefined)
      void answer(link, request, () => listener.fetch(job.id, kind));
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
      batch.controller.abort();
    } else {
      // It has finished, but its result is held up behind a neighbour, who must not be ended for that.
      this.#settleCancelled(entry);
    }
  }

  #onDeath(batch: Batch, error: unknown): void {
    batch.dead = true;
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
    if (entry.cancelled !== undefined) this.#settleCancelled(entry);
    else if (isGuilty) this.#settle(entry, crashed(`the step ended its worker thread: ${why}`, 0, error));
    else this.#settle(entry, lost(`the worker thread ended beside this job: ${why}`, error));
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
    for (const batch of waiting.slice(0, Math.max(0, alive.length - this.#crew.size))) {
      batch.ending = 'reissued';
      batch.controller.abort(this.#crew.lastError);
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
    this.#queue.clear();
    this.#listener?.failed(error);
    for (const entry of this.#jobs.values()) this.#settle(entry, { ok: false, kind: 'lost', error });
    void this.#crew.destroy().catch(() => {});
  }

  // Settling

  #settleCancelled(entry: ThreadJob): void {
    const { cancelled } = entry;
    if (cancelled !== undefined)
      this.#settleSoon(entry, { ok: false, kind: 'error', error: cancelled.error, durationMs: 0 });
  }

  #settleSoon(entry: ThreadJob, outcome: JobOutcome): void {
    queueMicrotask(() => this.#settle(entry, outcome));
  }

  #settle(entry: ThreadJob, outcome: JobOutcome): void {
    entry.clearGrace?.();
    entry.batch = undefined;
    if (!this.#jobs.delete(entry.job.id)) return;
    this.#load.remove(entry.costMs, this.#jobs.size === 0);
    if (!this.#closing) this.#listener?.settled(entry.job.id, outcome);
  }
}
