import { availableParallelism } from 'node:os';
import { Lookout } from './lookout.js';

/** Cancels what a clock was asked to do. Calling it twice is harmless. */
export type CancelTimer = () => void;

/**
 * Time as the runtime sees it. Injected everywhere, so that whole runtimes can run under a simulated clock.
 */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /**
   * Calls `fn` once, `delayMs` from now, never synchronously. Delays past 2^31-1 ms are clamped to it.
   * A `background` timer does not keep the process alive.
   */
  setTimer(delayMs: number, fn: () => void, kind?: 'background'): CancelTimer;
  /** What comes within so many milliseconds is likely to be waited for by everything: the event loop does not sleep meanwhile. */
  stayAwake?(ms: number): void;
}

/** setTimeout fires at once for delays over this (Node's limit): longer waits re-arm. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

const lookout = new Lookout();
/** Whether this thread can be awake without keeping others from running. */
const HAS_CORE = availableParallelism() > 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  setTimer(delayMs, fn, kind) {
    const timer = setTimeout(fn, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    if (kind === 'background') timer.unref();
    return () => clearTimeout(timer);
  },
  ...(HAS_CORE && { stayAwake: (ms: number) => lookout.keep(ms) }),
};

/**
 * Calls `fn` once, `delayMs` from now, however long that is and however the wall time jumps meanwhile: for what is a
 * span, such as a timeout. What is due at a time of day (a retry that outlives its process) has an absolute time.
 */
export function after(clock: Clock, delayMs: number, fn: () => void): CancelTimer {
  let leftMs = delayMs;
  let stop: CancelTimer = () => {};
  const arm = (): void => {
    const partMs = Math.min(leftMs, MAX_TIMER_MS);
    leftMs -= partMs;
    stop = clock.setTimer(partMs, () => (leftMs > 0 ? arm() : fn()));
  };
  arm();
  return () => stop();
}

/**
 * Settles as `work` does, or rejects with `late()` when that has taken `ms`. A process that was not its turn for long finds
 * timer and answer at once: the answer counts.
 */
export function inTime<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  late: () => Error,
  kind?: 'background',
): Promise<T> {
  return new Promise((resolve, reject) => {
    let stop = clock.setTimer(ms, () => (stop = clock.setTimer(0, () => reject(late()), kind)), kind);
    work.then(resolve, reject).finally(() => stop());
  });
}

/** Waits for `work`, but not longer than `ms`. Leaves no timer behind: one would keep the process alive. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let stop: CancelTimer = () => {};
  const late = new Promise<void>((resolve) => (stop = clock.setTimer(ms, resolve)));
  await Promise.race([work, late]).finally(stop);
}
