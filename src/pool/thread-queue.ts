import { ALONE, batchLength, Durations, MessageCost, MIN_SHARE_MS, shareMs } from './batching.js';
import { JobQueue } from './job-queue.js';
import type { Job } from './port.js';
import type { ThreadJob } from './thread-batch.js';

/** Jobs that wait for a worker thread, and what is known of how long such jobs take. */
export class ThreadQueue extends JobQueue<ThreadJob> {
  readonly #durations = new Durations();
  readonly messages = new MessageCost();

  /** Milliseconds that a job of this step is expected to take; ALONE when it must travel alone. */
  cost(step: Job['step']): number {
    return this.#durations.cost(step.key);
  }

  costOf({ step, exclusive }: Job): number {
    return exclusive ? ALONE : this.cost(step);
  }

  /** A job of this step has taken so long. */
  record(step: Job['step'], durationMs: number): void {
    this.#durations.record(step.key, durationMs);
  }

  /**
   * Takes what goes into the next message.
   * @param workers how many have not got their part yet
   * @param areSomeBusy some of them do not wait for a message yet
   * @param isAhead it is sent while nothing else is to be done: what a message costs does not matter
   */
  takeShare(workers: number, areSomeBusy: boolean, isAhead: boolean): ThreadJob[] {
    const costAt = (index: number): number => this.costOf(this.at(index).job);
    const leastMs = isAhead ? MIN_SHARE_MS : this.messages.leastShareMs;
    const share = shareMs(costAt, this.length, { workers, leastMs, areSomeBusy });
    return this.take(batchLength(costAt, this.length, share));
  }
}
