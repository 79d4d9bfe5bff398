/**
 * How long a worker looks out for its next batch before it sleeps, in milliseconds. To wake a thread takes about as long on a
 * virtual machine, and most of it is paid by the one that wakes it.
 */
const LOOKOUT_MS = 0.1;

/** Keeps an event loop from sleeping for a moment: with something to do at once it looks for messages, and goes on. */
export class Lookout {
  #untilMs = 0;
  #looking = false;

  /** @param soon calls back when the event loop has looked for messages once */
  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly soon: (fn: () => void) => void = setImmediate,
  ) {}

  /** From now on. */
  begin(): void {
    this.#untilMs = this.nowMs() + LOOKOUT_MS;
    if (this.#looking) return;
    this.#looking = true;
    this.soon(() => this.#look());
  }

  #look(): void {
    this.#looking = this.nowMs() < this.#untilMs;
    if (this.#looking) this.soon(() => this.#look());
  }
}
