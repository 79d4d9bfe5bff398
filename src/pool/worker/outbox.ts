import type { StepResult } from '../step-result.js';
import { FromWorker, type ToHost, type WireEnd } from './protocol.js';

/** Longest that a result waits for others, in milliseconds, while its worker goes on with the batch. */
const LINGER_MS = 0.5;

/**
 * Results on their way to the host, several per message. They leave when LINGER_MS have passed between two jobs,
 * when the worker's event loop turns (a step awaits something), and at the end of the batch.
 */
export class Outbox {
  readonly #toHost: ToHost;
  #batchId = 0;
  #fields: unknown[] = [];
  #sentMs = 0;
  #immediate: NodeJS.Immediate | undefined;

  constructor(toHost: ToHost) {
    this.#toHost = toHost;
  }

  open(batchId: number, nowMs: number): void {
    this.#batchId = batchId;
    this.#sentMs = nowMs;
  }

  add(index: number, result: StepResult, durationMs: number): void {
    this.#fields.push(index, endOf(result), durationMs);
  }

  /** Between two jobs. */
  flushIfDue(nowMs: number): void {
    if (nowMs - this.#sentMs < LINGER_MS) return;
    this.#sentMs = nowMs;
    this.flush();
  }

  /** Before awaiting a step: a step that only waits for microtasks costs no message. */
  flushSoon(): void {
    if (this.#fields.length > 0) this.#immediate ??= setImmediate(() => this.flush());
  }

  flush(): void {
    const fields = this.#take();
    if (fields.length > 0) this.#toHost.postMessage([FromWorker.results, this.#batchId, fields]);
  }

  /** The batch is over: says so, with what was not sent. */
  close(): void {
    this.#toHost.postMessage([FromWorker.over, this.#batchId, this.#take()]);
  }

  #take(): unknown[] {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    const fields = this.#fields;
    this.#fields = [];
    return fields;
  }
}

function endOf(result: StepResult): WireEnd {
  if (!result.ok) return { error: JSON.stringify(result.error) };
  return result.artifacts.length === 0 ? result.output : [result.output, result.artifacts];
}
