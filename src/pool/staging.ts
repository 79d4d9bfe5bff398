import type { CancelTimer, Clock } from '../base/clock.js';
import type { Job } from './port.js';
import type { Batch, ThreadJob } from './thread-batch.js';

/** A worker is not kept from other work for longer than this, in milliseconds. */
const STAGED_MS = 10;

/**
 * Sealed batches: workers have them already, and begin none of their jobs before these are dispatched. So encoding a batch,
 * waking its worker and decoding it fall into the time of the commit that its jobs wait for.
 * Invariant: a job in here has not been dispatched, and is known to nobody else in the pool.
 */
export class Staging {
  #batches: Batch[] = [];
  #stopTimer: CancelTimer | undefined;

  constructor(private readonly clock: Clock) {}

  has(batch: Batch): boolean {
    return this.#batches.includes(batch);
  }

  /** Holds these, for a moment. */
  hold(batches: Batch[]): void {
    this.#batches = batches;
    this.#stopTimer = this.clock.setTimer(STAGED_MS, () => this.withdraw(), 'background');
  }

  /**
   * These are dispatched. What is staged begins if it is just what they begin with, and else never.
   * @returns what has begun
   */
  open(jobs: readonly Job[]): readonly ThreadJob[] {
    if (this.#batches.length === 0) return NONE;
    const staged = this.#batches.flatMap((batch) => batch.jobs);
    if (!staged.every(({ job }, index) => jobs[index] === job)) {
      this.withdraw();
      return NONE;
    }
    const nowMs = this.clock.nowMs();
    for (const batch of this.#take()) batch.unseal(nowMs);
    return staged;
  }

  /** Nothing of what is staged begins. */
  withdraw(): void {
    for (const batch of this.#take()) batch.withdraw();
  }

  #take(): Batch[] {
    this.#stopTimer?.();
    const batches = this.#batches;
    this.#batches = [];
    return batches;
  }
}

const NONE: readonly ThreadJob[] = [];
