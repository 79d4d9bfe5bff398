import { MAX_TIMER_MS, type CancelTimer, type Clock } from '../base/clock.js';
import { Heap } from '../base/heap.js';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  fn: (() => void) | null;
}

/** Resolves when nothing can happen any more without a timer. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The time of a simulated world. It stands still until everything that can happen has happened, then goes to the next
 * timer: so hours pass in moments, and the order of events depends on nothing but the timers.
 */
export class Timeline {
  private readonly timers = new Heap<Timer>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order),
  );
  private order = 0;
  /** Timers fired so far. */
  steps = 0;

  constructor(public nowMs = Date.UTC(2030, 0, 1)) {}

  /** Calls `fn` once, `delayMs` from now. */
  after(delayMs: number, fn: () => void): CancelTimer {
    const timer: Timer = { atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, fn };
    this.timers.push(timer);
    return () => {
      timer.fn = null;
    };
  }

  /** Resolves `delayMs` from now. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Fires the next timer. @returns false when there is none */
  private advance(): boolean {
    for (let next = this.timers.pop(); next !== undefined; next = this.timers.pop()) {
      if (next.fn === null) continue;
      this.nowMs = next.atMs;
      this.steps++;
      next.fn();
      return true;
    }
    return false;
  }

  /**
   * Lets time pass until `done`. `beforeStep` is called whenever everything is quiet.
   * @returns false when it came to a standstill, or to `maxSteps` or `untilMs`, before
   */
  async run(
    done: () => boolean,
    limits: { maxSteps?: number; untilMs?: number; beforeStep?: () => void } = {},
  ): Promise<boolean> {
    const { maxSteps = Infinity, untilMs = Infinity, beforeStep } = limits;
    const last = this.steps + maxSteps;
    for (;;) {
      await quiet();
      if (done()) return true;
      if (this.steps >= last || this.nowMs > untilMs) return false;
      beforeStep?.();
      if (!this.advance()) return false;
    }
  }
}

/** The clock of one simulated process: its wall time may jump, its timers do not. */
export class SimulatedClock implements Clock {
  private offsetMs = 0;

  constructor(
    private readonly timeline: Timeline,
    /** Whether the process still runs: the timers of a dead one never fire. */
    private readonly isAlive: () => boolean,
  ) {}

  nowMs(): number {
    return Math.floor(this.timeline.nowMs + this.offsetMs);
  }

  setTimer(delayMs: number, fn: () => void): CancelTimer {
    return this.timeline.after(Math.min(delayMs, MAX_TIMER_MS), () => {
      if (this.isAlive()) fn();
    });
  }

  /** The wall time steps by so much, as when it is set. */
  jump(byMs: number): void {
    this.offsetMs += byMs;
  }
}
