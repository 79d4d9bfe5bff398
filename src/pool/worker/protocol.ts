import type { MessagePort } from 'node:worker_threads';
import type { FetchKind, Job, OutputStream, StepCall, StepRef } from '../port.js';

/**
 * What host and workers say to each other: one protocol for threads and for child processes. A thread gets a batch
 * of jobs as one Piscina task and everything else over a private port; a child process gets all of it over its
 * channel, and its batches have one job. Either side ignores what it does not know, and nothing is ever called by a
 * name the other side has sent.
 *
 * Host and thread also share two numbers per batch slot, so that they agree on what has begun without messages.
 * The worker writes BEGUN, then reads CLOSED; the host writes CLOSED, then reads BEGUN. Both are sequentially
 * consistent: a job that the host finds not begun in a closed batch will never begin there.
 */
export const CELLS_PER_SLOT = 2;
/** How many of the batch's jobs have begun; one more than there are when the batch is over. */
export const BEGUN = 0;
/** 1: no further job of the batch may begin. */
export const CLOSED = 1;

/** What a worker is told before anything else. */
export interface WorkerSettings {
  /** CELLS_PER_SLOT for each slot. A child process has one slot, and shares it with nobody. */
  readonly cells: Int32Array;
  readonly maxOutputBytes: number;
  readonly maxLogChars: number;
  readonly echo: boolean;
}

export const HELLO = 'maestro:hello';

/** The first message of a worker, over Piscina's own channel: it hands over the private port. */
export interface Hello {
  readonly type: typeof HELLO;
  readonly port: MessagePort;
}

/** Where a worker's messages go. */
export interface ToHost {
  postMessage(message: WorkerMessage): void;
}

/** Worker to host. The second field is always the batch. */
export const FromWorker = {
  taken: 0,
  results: 1,
  heartbeat: 2,
  progress: 3,
  fetch: 4,
  dying: 5,
  output: 6,
  over: 7,
} as const;
export type WorkerMessage =
  | readonly [typeof FromWorker.taken, number]
  | readonly [typeof FromWorker.results, number, readonly unknown[]]
  | readonly [typeof FromWorker.heartbeat, number, number]
  | readonly [typeof FromWorker.progress, number, number, number, string | undefined]
  | readonly [typeof FromWorker.fetch, number, number, number, FetchKind]
  | readonly [typeof FromWorker.output, number, number, OutputStream, string, number]
  /** The job whose code ended the worker, as far as that is known: batch 0 when it is not; and why, as JSON text. */
  | readonly [typeof FromWorker.dying, number, number, string | undefined]
  /** From a child process: the batch is through, with the results that were not sent before. */
  | readonly [typeof FromWorker.over, number, readonly unknown[]];

/** Host to worker. */
export const ToWorker = { abort: 0, answer: 1, run: 2 } as const;
export type HostMessage =
  /** Batch, index, and the reason as the JSON text of an error document. */
  | readonly [typeof ToWorker.abort, number, number, string]
  /** Request, whether it succeeded, and JSON text: of the answer, or of an error document. */
  | readonly [typeof ToWorker.answer, number, boolean, string]
  /** To a child process, which runs one batch at a time. */
  | readonly [typeof ToWorker.run, WireBatch];

/** Jobs that travel together. `jobs` is flat: JOB_STRIDE fields per job, `undefined` where a job is like the one before. */
export interface WireBatch {
  readonly id: number;
  readonly slot: number;
  /** Two fields per step: URL and export name. */
  readonly steps: readonly string[];
  readonly jobs: readonly unknown[];
}

const CALL_FIELDS = [
  'workflowId',
  'executionId',
  'nodeId',
  'nodeName',
  'attempt',
  'idempotencyKey',
  'artifactDir',
  'nodeConfig',
  'dependencyOutputs',
  'dependencyArtifacts',
  'globalContext',
  'repeat',
  'index',
  'item',
] as const satisfies readonly (keyof StepCall)[];

export const JOB_STRIDE = CALL_FIELDS.length + 1;

/** Writes a batch of jobs whose steps are in modules. */
export function encodeBatch(id: number, slot: number, jobs: readonly Job[]): WireBatch {
  const steps: string[] = [];
  const stepIndex = new Map<StepRef, number>();
  const fields = new Array<unknown>(jobs.length * JOB_STRIDE);
  let at = 0;
  let before: StepCall | undefined;
  for (const { step, call } of jobs) {
    if (step.kind !== 'module' && step.kind !== 'process') continue;
    let index = stepIndex.get(step);
    if (index === undefined) {
      index = steps.push(step.url, step.exportName) / 2 - 1;
      stepIndex.set(step, index);
    }
    fields[at++] = index;
    for (const field of CALL_FIELDS)
      fields[at++] = before !== undefined && before[field] === call[field] ? undefined : call[field];
    before = call;
  }
  fields.length = at;
  return { id, slot, steps, jobs: fields };
}

/** Reads one job's call. `before`: the call of the job before it in the batch. */
export function decodeCall(batch: WireBatch, index: number, before: StepCall | undefined): StepCall {
  const at = index * JOB_STRIDE + 1;
  const call: Record<string, unknown> = { ...before };
  for (let i = 0; i < CALL_FIELDS.length; i++) {
    const value = batch.jobs[at + i];
    if (value !== undefined) call[CALL_FIELDS[i]] = value;
  }
  return call as unknown as StepCall;
}

/** Results are flat too: so many fields each. */
export const RESULT_STRIDE = 5;
/** Index, whether it succeeded, output or error document as JSON text, artifacts, milliseconds. */
export type WireResult = [
  index: number,
  ok: boolean,
  text: string,
  artifacts: string[] | undefined,
  durationMs: number,
];
