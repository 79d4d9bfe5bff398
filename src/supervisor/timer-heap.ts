import type { CancelTimer, Clock } from '../base/clock.js';
import { Heap } from '../base/heap.js';

interface Timer {
  atMs: number;
  fn: (() => void) | null;
}

/**
 * Every deadline of the runtime, behind one timer of the clock. Deadlines are absolute, so a clock that jumps
 * forward fires what is due and one that jumps back waits again. Cancelled timers are dropped when they surface.
 */
export class TimerHeap {
  private readonly heap = new Heap<Timer>((a, b) => a.atMs < b.atMs);
  private armedAtMs = Infinity;
  private disarm: CancelTimer = () => {};

  constructor(private readonly clock: Clock) {}

  /** Calls `fn` once, not before `atMs` (epoch ms) and never synchronously. */
  add(atMs: number, fn: () => void): CancelTimer {
    const timer: Timer = { atMs, fn };
    this.heap.push(timer);
    this.arm();
    return () => {
      timer.fn = null;
    };
  }

  /** Forgets every timer. */
  clear(): void {
    this.heap.clear();
    this.disarm();
    this.armedAtMs = Infinity;
  }

  private arm(): void {
    const nextMs = this.heap.peek()?.atMs ?? Infinity;
    if (nextMs >= this.armedAtMs) return;
    this.disarm();
    this.armedAtMs = nextMs;
    this.disarm = this.clock.setTimer(nextMs - this.clock.nowMs(), () => this.fire());
  }

  private fire(): void {
    this.armedAtMs = Infinity;
    const nowMs = this.clock.nowMs();
    for (let next = this.heap.peek(); next !== undefined; next = this.heap.peek()) {
      if (next.atMs > nowMs && next.fn !== null) break;
      this.heap.pop();
      next.fn?.();
    }
    this.arm();
  }
}
