/**
 * Keeps an event loop from sleeping for a moment: with something to do at once it looks for messages, and goes on. To wake a
 * thread of an idle virtual machine takes 50 to 100 µs, most of them of the one that wakes it.
 */
export class Lookout {
  private untilMs = 0;
  private isOut = false;

  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    /** Calls back when the event loop has looked for messages once. */
    private readonly soon: (fn: () => void) => void = setImmediate,
  ) {}

  /** For so long from now, in milliseconds, if it is not to be longer anyway. */
  keep(ms: number): void {
    if (ms === 0) return;
    this.untilMs = Math.max(this.untilMs, this.nowMs() + ms);
    if (this.isOut) return;
    this.isOut = true;
    this.soon(() => this.look());
  }

  private look(): void {
    this.isOut = this.nowMs() < this.untilMs;
    if (this.isOut) this.soon(() => this.look());
  }
}
