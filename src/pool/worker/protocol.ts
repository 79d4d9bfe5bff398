import type { MessagePort } from 'node:worker_threads';
import type { FetchKind, OutputStream } from '../port.js';
import type { WireBatch } from './wire.js';

/**
 * What host and workers say to each other: one protocol for threads and for child processes. A thread is taken into service
 * by a Piscina task, which carries its first batch of jobs; all else goes over a private port, so that it comes in the order
 * in which it was sent. A child process gets all of it over its channel, and its batches have one job. Either side ignores what
 * it does not know, and nothing is ever called by a name the other side has sent.
 *
 * Host and thread also share four numbers per batch slot, so that they agree on what has begun without messages, each of
 * which would wake the host. The worker writes TAKEN, waits while the batch is SEALED, writes BEGUN, then reads CLOSED; the
 * host writes CLOSED, then reads BEGUN. All are sequentially consistent: a job that the host finds not begun in a closed
 * batch will never begin there, and of one that has begun it is known where.
 */
export const CELLS_PER_SLOT = 4;
/** How many of the batch's jobs have begun; one more than there are when the batch is over. */
export const BEGUN = 0;
/** 1: no further job of the batch may begin. */
export const CLOSED = 1;
/** The worker that has taken the batch which came with its Piscina task; 0: none has. */
export const TAKEN = 2;
/** 1: no job of the batch may begin yet. Whoever sets it to 0 notifies. */
export const SEALED = 3;

/** What a worker is told before anything else. */
export interface WorkerSettings {
  /** CELLS_PER_SLOT for each slot. A child process has one slot, and shares it with nobody. */
  readonly cells: Int32Array;
  /** Its own number, from 1. */
  readonly worker: number;
  readonly maxOutputBytes: number;
  readonly maxLogChars: number;
  readonly echo: boolean;
}

export const HELLO = 'maestro:hello';

/** The first message of a worker, over Piscina's own channel: it hands over the private port. */
export interface Hello {
  readonly type: typeof HELLO;
  readonly worker: number;
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
  /** A batch that wants to be told of has begun. */
  | readonly [typeof FromWorker.taken, number]
  | readonly [typeof FromWorker.results, number, readonly unknown[]]
  | readonly [typeof FromWorker.heartbeat, number, number]
  | readonly [typeof FromWorker.progress, number, number, number, string | undefined]
  | readonly [typeof FromWorker.fetch, number, number, number, FetchKind]
  | readonly [typeof FromWorker.output, number, number, OutputStream, string, number]
  /** The job whose code ended the worker, as far as that is known: batch 0 when it is not; and why, as JSON text. */
  | readonly [typeof FromWorker.dying, number, number, string | undefined]
  /** The batch is through, with the results that were not sent before. */
  | readonly [typeof FromWorker.over, number, readonly unknown[]];

/** Host to worker. */
export const ToWorker = { abort: 0, answer: 1, run: 2, rest: 3 } as const;
export type HostMessage =
  /** Batch, index, and the reason as the JSON text of an error document. */
  | readonly [typeof ToWorker.abort, number, number, string]
  /** Request, whether it succeeded, and JSON text: of the answer, or of an error document. */
  | readonly [typeof ToWorker.answer, number, boolean, string]
  /** A worker runs one batch at a time. */
  | readonly [typeof ToWorker.run, WireBatch]
  /** To a thread: it is in service no longer. */
  | readonly [typeof ToWorker.rest];

/** Results are flat: so many fields each, because each costs when it is cloned. */
export const RESULT_STRIDE = 3;
/** The output as JSON text, with paths of artifacts where there are any; or an error document in JSON text. */
export type WireEnd =
  string | readonly [output: string, artifacts: readonly string[]] | { readonly error: string };
/** Its place in the batch, its end, and how long it has taken in milliseconds. */
export type WireResult = readonly [index: number, end: WireEnd, durationMs: number];
