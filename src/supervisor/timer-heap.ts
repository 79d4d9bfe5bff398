import type { CancelTimer, Clock } from '../base/clock.js';

interface Timer {
  atMs: number;
  fn: (() => void) | null;
}

/**
 * Every deadline of the runtime, behind one timer of the clock. Deadlines are absolute, so a clock that jumps
 * forward fires what is due and one that jumps back waits again. Cancelled timers are dropped when they surface.
 */
export class TimerHeap {
  private readonly heap: Timer[] = [];
  private armedAtMs = Infinity;
  private disarm: CancelTimer = () => {};

  constructor(private readonly clock: Clock) {}

  /** Calls `fn` once, not before `atMs` (epoch ms) and never synchronously. */
  add(atMs: number, fn: () => void): CancelTimer {
    const timer: Timer = { atMs, fn };
    this.siftUp(timer);
    this.arm();
    return () => {
      timer.fn = null;
    };
  }

  /** Forgets every timer. */
  clear(): void {
    this.heap.length = 0;
    this.disarm();
    this.armedAtMs = Infinity;
  }

  private arm(): void {
    const next = this.heap.length > 0 ? this.heap[0].atMs : Infinity;
    if (next >= this.armedAtMs) return;
    this.disarm();
    this.armedAtMs = next;
    this.disarm = this.clock.setTimer(next - this.clock.nowMs(), () => this.fire());
  }

  private fire(): void {
    this.armedAtMs = Infinity;
    const nowMs = this.clock.nowMs();
    while (this.heap.length > 0 && (this.heap[0].atMs <= nowMs || this.heap[0].fn === null)) {
      const { fn } = this.pop();
      fn?.();
    }
    if (this.heap.length === 0) return;
    this.armedAtMs = this.heap[0].atMs;
    this.disarm = this.clock.setTimer(this.armedAtMs - nowMs, () => this.fire());
  }

  private siftUp(timer: Timer): void {
    const { heap } = this;
    let child = heap.push(timer) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (heap[parent].atMs <= timer.atMs) break;
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = timer;
  }

  private pop(): Timer {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].atMs < heap[child].atMs) child++;
      if (heap[child].atMs >= last.atMs) break;
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return top;
  }
}
