import type { CancelTimer, Clock } from '../base/clock.js';

/**
 * Work done again and again while a runtime is open, one time after the other: the next begins `everyMs` after the
 * last has ended. It does not keep the process alive.
 */
export class Periodic {
  private cancelTimer: CancelTimer = () => {};
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  /** @param work must not reject: it says itself what went wrong. It ends early when told to stop */
  constructor(
    private readonly clock: Clock,
    private readonly everyMs: number,
    private readonly work: (stopped: AbortSignal) => Promise<void>,
  ) {}

  /** The first time is `delayMs` from now. */
  start(delayMs: number): this {
    if (!this.stopping.signal.aborted)
      this.cancelTimer = this.clock.setTimer(delayMs, () => this.run(), 'background');
    return this;
  }

  /** It is not done any more; resolves when the time under way has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.cancelTimer();
    await this.running;
  }

  private run(): void {
    this.running = this.work(this.stopping.signal).then(() => void this.start(this.everyMs));
  }
}
