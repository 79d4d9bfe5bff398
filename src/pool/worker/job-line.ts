import type { ErrorDocument } from '../../base/errors.js';
import type { FetchKind, OutputStream } from '../port.js';
import type { StepHost } from '../step-runner.js';
import { Prints } from './prints.js';
import { FromWorker, type ToHost, type WorkerMessage } from './protocol.js';

/** A step may report in a tight loop: no more than one message of a kind in this time, in milliseconds. */
const QUIET_MS = 10;

/** The line of one job to the host. */
export class JobLine implements StepHost {
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #progressMs = Number.NEGATIVE_INFINITY;
  #unsent: WorkerMessage | undefined;
  #prints: Prints | undefined;
  #ended = false;

  constructor(
    readonly batchId: number,
    readonly index: number,
    readonly toHost: ToHost,
    readonly questions: Questions,
    /** Most that is held back of what the step prints, in characters; 0: nothing of it is sent. */
    readonly maxLogChars: number,
  ) {}

  heartbeat(): void {
    const nowMs = performance.now();
    if (nowMs - this.#heartbeatMs < QUIET_MS) return;
    this.#heartbeatMs = nowMs;
    this.#post([FromWorker.heartbeat, this.batchId, this.index]);
  }

  progress(fraction: number, message: string | undefined): void {
    const nowMs = performance.now();
    const report = [FromWorker.progress, this.batchId, this.index, fraction, message] as const;
    if (nowMs - this.#progressMs < QUIET_MS) {
      this.#unsent = report;
      return;
    }
    this.#progressMs = nowMs;
    this.#unsent = undefined;
    this.#post(report);
  }

  fetch(kind: FetchKind): Promise<string> {
    return this.questions.ask((id) => this.#post([FromWorker.fetch, this.batchId, this.index, id, kind]));
  }

  /** The step prints. @returns false when that is nobody's any more */
  print(stream: OutputStream, chunk: Uint8Array | string): boolean {
    if (this.#ended || this.maxLogChars === 0) return false;
    this.#prints ??= new Prints(this.maxLogChars, (from, text, skippedChars) =>
      this.#post([FromWorker.output, this.batchId, this.index, from, text, skippedChars]),
    );
    this.#prints.write(stream, chunk);
    return true;
  }

  /** The step has ended: the last progress is never swallowed, nor what it printed. */
  end(): void {
    this.#ended = true;
    this.#prints?.flush();
    if (this.#unsent !== undefined) this.#post(this.#unsent);
    this.#unsent = undefined;
  }

  #post(message: WorkerMessage): void {
    this.toHost.postMessage(message);
  }
}

/** Questions to the host that have not been answered. */
export class Questions {
  readonly #open = new Map<number, { resolve: (text: string) => void; reject: (error: Error) => void }>();
  #lastId = 0;

  ask(send: (id: number) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#open.set(id, { resolve, reject });
      send(id);
    });
  }

  answer(id: number, ok: boolean, text: string): void {
    const question = this.#open.get(id);
    this.#open.delete(id);
    if (ok) question?.resolve(text);
    else question?.reject(toError(JSON.parse(text) as ErrorDocument));
  }
}

function toError({ name, message, code }: ErrorDocument): Error {
  return Object.assign(new Error(message), { name }, code === undefined ? {} : { code });
}
