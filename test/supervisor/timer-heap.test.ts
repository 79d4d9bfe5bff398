import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { TimerHeap } from '../../src/supervisor/timer-heap.js';

/** A clock that a test moves. It has room for one timer at a time, as the heap promises to need. */
class HandClock implements Clock {
  now = 0;
  private timer: { atMs: number; fn: () => void } | null = null;

  nowMs(): number {
    return this.now;
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    expect(this.timer).toBeNull();
    const timer = { atMs: this.now + Math.max(0, delayMs), fn };
    this.timer = timer;
    return () => {
      if (this.timer === timer) this.timer = null;
    };
  }

  moveTo(ms: number): void {
    this.now = ms;
    while (this.timer !== null && this.timer.atMs <= ms) {
      const { fn } = this.timer;
      this.timer = null;
      fn();
    }
  }
}

describe('the timer heap', () => {
  it('fires what is due, in order, once, and nothing that was cancelled, behind one timer of the clock', () => {
    const timers = fc.array(fc.record({ atMs: fc.nat(100), cancelled: fc.boolean() }), { maxLength: 40 });
    fc.assert(
      fc.property(timers, fc.array(fc.nat(110), { maxLength: 10 }), (given, stops) => {
        const clock = new HandClock();
        const heap = new TimerHeap(clock);
        const fired: number[] = [];
        const cancels = given.map(({ atMs }) => heap.add(atMs, () => fired.push(atMs)));
        given.forEach(({ cancelled }, index) => cancelled && cancels[index]());
        for (const stop of [...stops].sort((a, b) => a - b)) {
          clock.moveTo(stop);
          const due = given
            .filter(({ atMs, cancelled }) => !cancelled && atMs <= stop)
            .map(({ atMs }) => atMs);
          expect(fired).toEqual(due.sort((a, b) => a - b));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes timers that a timer adds', () => {
    const clock = new HandClock();
    const heap = new TimerHeap(clock);
    const fired: string[] = [];
    heap.add(10, () => {
      fired.push('first');
      heap.add(5, () => fired.push('overdue'));
      heap.add(20, () => fired.push('later'));
    });
    clock.moveTo(15);
    expect(fired).toEqual(['first', 'overdue']);
    clock.moveTo(20);
    expect(fired).toEqual(['first', 'overdue', 'later']);
  });

  it('waits again when the clock jumped back', () => {
    const clock = new HandClock();
    clock.now = 1_000;
    const heap = new TimerHeap(clock);
    let fired = 0;
    heap.add(1_100, () => fired++);
    clock.now = 500;
    clock.moveTo(1_099);
    expect(fired).toBe(0);
    clock.moveTo(1_100);
    expect(fired).toBe(1);
  });
});
