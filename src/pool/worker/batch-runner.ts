import { AsyncLocalStorage } from 'node:async_hooks';
import type { ErrorDocument } from '../../base/errors.js';
import type { OutputStream, StepCall } from '../port.js';
import { encodeError, type StepResult } from '../step-result.js';
import { RunningStep } from '../step-runner.js';
import { ContextCache } from './context-cache.js';
import { JobLine, Questions } from './job-line.js';
import { findStep, loadStep, type LoadedStep } from './modules.js';
import { Outbox } from './outbox.js';
import {
  BEGUN,
  CELLS_PER_SLOT,
  CLOSED,
  FromWorker,
  TAKEN,
  SEALED,
  ToWorker,
  type HostMessage,
  type ToHost,
  type WorkerSettings,
} from './protocol.js';
import { BatchReader, type WireBatch, type WireJob } from './wire.js';

interface CurrentJob {
  readonly line: JobLine;
  running?: RunningStep;
  abortedBy?: ErrorDocument;
  /** When its own code began: loading its module is not counted. */
  startedMs: number;
}

/**
 * A worker's side of the protocol, whatever carries it: runs the jobs of a batch one after another, an asynchronous
 * step to its end first.
 */
export class BatchRunner {
  readonly #toHost: ToHost;
  readonly #settings: WorkerSettings;
  readonly #questions = new Questions();
  readonly #outbox: Outbox;
  readonly #contexts = new ContextCache();
  /** Whose code is running: follows timers and promises, so that a late error is charged to the job it comes from. */
  readonly #culprit = new AsyncLocalStorage<JobLine>();
  #current: CurrentJob | undefined;
  /** By their number in the batch: found once for all its jobs. */
  #steps: (LoadedStep | undefined)[] = [];
  #lastWordsSaid = false;

  constructor(toHost: ToHost, settings: WorkerSettings) {
    this.#toHost = toHost;
    this.#settings = settings;
    this.#outbox = new Outbox(toHost);
  }

  /** Resolves when all results have been sent to the host. */
  async run(batch: WireBatch): Promise<void> {
    const { cells, maxLogChars, worker } = this.#settings;
    const at = batch.slot * CELLS_PER_SLOT;
    const { count } = batch;
    const reader = new BatchReader(batch);
    this.#steps = [];
    Atomics.store(cells, at + TAKEN, worker);
    while (Atomics.load(cells, at + SEALED) === 1) Atomics.wait(cells, at + SEALED, 1);
    let nowMs = performance.now();
    if (batch.tells) this.#toHost.postMessage([FromWorker.taken, batch.id]);
    this.#outbox.open(batch.id, nowMs);
    for (let index = 0; index < count; index++) {
      // The order of these two lets the host take back jobs that have not begun: see protocol.ts.
      Atomics.store(cells, at + BEGUN, index + 1);
      if (Atomics.load(cells, at + CLOSED) === 1) break;
      this.#outbox.flushIfDue(nowMs);
      const line = new JobLine(batch.id, index, this.#toHost, this.#questions, maxLogChars);
      const job: CurrentJob = { line, startedMs: nowMs };
      this.#current = job;
      let result = this.#runJob(reader.next(), job);
      if (result instanceof Promise) {
        this.#outbox.flushSoon();
        result = await result;
      }
      this.#current = undefined;
      line.end();
      nowMs = performance.now();
      this.#outbox.add(index, result, nowMs - job.startedMs);
    }
    Atomics.store(cells, at + BEGUN, count + 1);
    this.#outbox.close();
  }

  /** Takes what the host says beside batches. */
  hear(message: HostMessage): void {
    if (message[0] === ToWorker.answer) this.#questions.answer(message[1], message[2], message[3]);
    else if (message[0] === ToWorker.abort) this.#abort(message[1], message[2], message[3]);
  }

  /** What the code of a job prints. @returns false when it is nobody's */
  print(stream: OutputStream, chunk: Uint8Array | string): boolean {
    return this.#culprit.getStore()?.print(stream, chunk) ?? false;
  }

  /** This worker is about to end by its own fault: says whose it was, and hands over what was finished. */
  sayLastWords(cause?: unknown): void {
    if (this.#lastWordsSaid) return;
    this.#lastWordsSaid = true;
    const line = this.#culprit.getStore();
    line?.end();
    this.#current?.line.end();
    this.#outbox.flush();
    const why = cause === undefined ? undefined : JSON.stringify(encodeError(cause).error);
    this.#toHost.postMessage([FromWorker.dying, line?.batchId ?? 0, line?.index ?? 0, why]);
  }

  /** Synchronous when the step is, its module is loaded and its global context is at hand. */
  #runJob(
    { step: number, url, exportName, call }: WireJob,
    job: CurrentJob,
  ): StepResult | Promise<StepResult> {
    const step = (this.#steps[number] ??= findStep(url, exportName));
    const globalContext = call.globalContext ?? this.#contexts.get(call.executionId);
    if (step !== undefined && globalContext !== undefined)
      return this.#execute(step, call, globalContext, job);
    return this.#culprit.run(job.line, () => this.#prepare(url, exportName, call, job));
  }

  async #prepare(url: string, exportName: string, call: StepCall, job: CurrentJob): Promise<StepResult> {
    try {
      const step = findStep(url, exportName) ?? (await loadStep(url, exportName));
      const globalContext =
        call.globalContext ??
        (await this.#contexts.fetch(call.executionId, () => job.line.fetch('globalContext')));
      job.startedMs = performance.now();
      return await this.#execute(step, call, globalContext, job);
    } catch (error) {
      return encodeError(error);
    }
  }

  #execute(
    step: LoadedStep,
    call: StepCall,
    globalContext: string,
    job: CurrentJob,
  ): StepResult | Promise<StepResult> {
    if (job.abortedBy !== undefined) return { ok: false, error: job.abortedBy };
    const { maxOutputBytes } = this.#settings;
    const running = new RunningStep(call, globalContext, job.line);
    job.running = running;
    if (step.builtin) return running.run(step.fn, maxOutputBytes);
    return this.#culprit.run(job.line, () => running.run(step.fn, maxOutputBytes));
  }

  #abort(batchId: number, index: number, reasonText: string): void {
    const current = this.#current;
    if (current?.line.batchId !== batchId || current.line.index !== index) return;
    const reason = JSON.parse(reasonText) as ErrorDocument;
    current.abortedBy = reason;
    // A listener of the signal that throws must be charged to this job.
    this.#culprit.run(current.line, () => current.running?.abort(reason));
  }
}
