import { AsyncLocalStorage } from 'node:async_hooks';
import { MessageChannel, parentPort, workerData } from 'node:worker_threads';
import type { ErrorDocument } from '../../base/errors.js';
import type { StepCall } from '../port.js';
import { encodeError, type StepResult } from '../step-result.js';
import { RunningStep } from '../step-runner.js';
import { ContextCache } from './context-cache.js';
import { JobLine, Questions } from './job-line.js';
import { findStep, loadStep, type LoadedStep } from './modules.js';
import { Outbox } from './outbox.js';
import { divertPrints } from './divert.js';
import {
  BEGUN,
  CELLS_PER_SLOT,
  CLOSED,
  decodeCall,
  FromWorker,
  HELLO,
  JOB_STRIDE,
  ToWorker,
  type Hello,
  type HostMessage,
  type WireBatch,
  type WorkerSettings,
} from './protocol.js';

/** A worker thread's side: runs the jobs of a batch one after another, an asynchronous step to its end first. */

const { cells, maxOutputBytes, maxLogChars, echo } = workerData as WorkerSettings;
const { port1: port, port2: hostPort } = new MessageChannel();
const questions = new Questions();
const outbox = new Outbox(port);
const contexts = new ContextCache();
/** Whose code is running: follows timers and promises, so that a late error is charged to the job it comes from. */
const culprit = new AsyncLocalStorage<JobLine>();
let current: CurrentJob | undefined;
let lastWordsSaid = false;

interface CurrentJob {
  readonly line: JobLine;
  running?: RunningStep;
  abortedBy?: ErrorDocument;
  /** When its own code began: loading its module is not counted. */
  startedMs: number;
}

const hello: Hello = { type: HELLO, port: hostPort };
parentPort?.postMessage(hello, [hostPort]);
port.on('message', (message: HostMessage) => {
  if (message[0] === ToWorker.answer) questions.answer(message[1], message[2], message[3]);
  else if (message[0] === ToWorker.abort) abort(message[1], message[2], message[3]);
});
divertPrints((stream, chunk) => culprit.getStore()?.print(stream, chunk) ?? false, echo);
process.on('uncaughtExceptionMonitor', sayLastWords);
process.on('exit', sayLastWords);

/** The Piscina task. Resolves with those results that have not been sent over the port. */
export async function runBatch(batch: WireBatch): Promise<unknown[]> {
  const at = batch.slot * CELLS_PER_SLOT;
  const count = batch.jobs.length / JOB_STRIDE;
  let call: StepCall | undefined;
  let nowMs = performance.now();
  port.postMessage([FromWorker.taken, batch.id]);
  outbox.open(batch.id, nowMs);
  for (let index = 0; index < count; index++) {
    // The order of these two lets the host take back jobs that have not begun: see protocol.ts.
    Atomics.store(cells, at + BEGUN, index + 1);
    if (Atomics.load(cells, at + CLOSED) === 1) break;
    outbox.flushIfDue(nowMs);
    call = decodeCall(batch, index, call);
    const line = new JobLine(batch.id, index, port, questions, maxLogChars);
    const job: CurrentJob = { line, startedMs: nowMs };
    current = job;
    let result = runJob(batch, index, call, job);
    if (result instanceof Promise) {
      outbox.flushSoon();
      result = await result;
    }
    current = undefined;
    line.end();
    nowMs = performance.now();
    outbox.add(index, result, nowMs - job.startedMs);
  }
  Atomics.store(cells, at + BEGUN, count + 1);
  return outbox.close();
}

/** Synchronous when the step is, its module is loaded and its global context is at hand. */
function runJob(
  batch: WireBatch,
  index: number,
  call: StepCall,
  job: CurrentJob,
): StepResult | Promise<StepResult> {
  const stepAt = (batch.jobs[index * JOB_STRIDE] as number) * 2;
  const url = batch.steps[stepAt];
  const exportName = batch.steps[stepAt + 1];
  const step = findStep(url, exportName);
  const globalContext = call.globalContext ?? contexts.get(call.executionId);
  if (step !== undefined && globalContext !== undefined) return execute(step, call, globalContext, job);
  return culprit.run(job.line, () => prepare(url, exportName, call, job));
}

async function prepare(
  url: string,
  exportName: string,
  call: StepCall,
  job: CurrentJob,
): Promise<StepResult> {
  try {
    const step = findStep(url, exportName) ?? (await loadStep(url, exportName));
    const globalContext =
      call.globalContext ?? (await contexts.fetch(call.executionId, () => job.line.fetch('globalContext')));
    job.startedMs = performance.now();
    return await execute(step, call, globalContext, job);
  } catch (error) {
    return encodeError(error);
  }
}

function execute(
  step: LoadedStep,
  call: StepCall,
  globalContext: string,
  job: CurrentJob,
): StepResult | Promise<StepResult> {
  if (job.abortedBy !== undefined) return { ok: false, error: job.abortedBy };
  const running = new RunningStep(call, globalContext, job.line);
  job.running = running;
  if (step.builtin) return running.run(step.fn, maxOutputBytes);
  return culprit.run(job.line, () => running.run(step.fn, maxOutputBytes));
}

function abort(batchId: number, index: number, reasonText: string): void {
  if (current?.line.batchId !== batchId || current.line.index !== index) return;
  current.abortedBy = JSON.parse(reasonText) as ErrorDocument;
  const { running, abortedBy } = current;
  // A listener of the signal that throws must be charged to this job.
  culprit.run(current.line, () => running?.abort(abortedBy));
}

/** This thread is about to end by its own fault: says whose it was, and hands over what was finished. */
function sayLastWords(): void {
  if (lastWordsSaid) return;
  lastWordsSaid = true;
  const line = culprit.getStore();
  line?.end();
  current?.line.end();
  outbox.flush();
  port.postMessage([FromWorker.dying, line?.batchId ?? 0, line?.index ?? 0]);
}
