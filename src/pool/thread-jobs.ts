import { IdMap } from '../base/id-map.js';
import { RunningLoad, type Load } from './batching.js';
import type { JobOutcome } from './port.js';
import type { ThreadJob } from './thread-batch.js';

/** The jobs that a pool has taken on and not settled, and how much work they are. Each settles once; what comes later is dropped. */
export class ThreadJobs {
  readonly #jobs = new IdMap<ThreadJob>();
  readonly #load = new RunningLoad();
  readonly #settled: (jobId: number, outcome: JobOutcome) => void;

  constructor(settled: (jobId: number, outcome: JobOutcome) => void) {
    this.#settled = settled;
  }

  get size(): number {
    return this.#jobs.size;
  }

  get load(): Pick<RunningLoad, keyof Load | 'isBrief' | 'aheadMs'> {
    return this.#load;
  }

  get(jobId: number): ThreadJob | undefined {
    return this.#jobs.get(jobId);
  }

  values(): ThreadJob[] {
    return this.#jobs.values();
  }

  add(entry: ThreadJob): void {
    this.#jobs.set(entry.job.id, entry);
    this.#load.add(entry.costMs);
  }

  /** Nobody is told of it. */
  drop(entry: ThreadJob): void {
    this.#jobs.delete(entry.job.id);
  }

  settle(entry: ThreadJob, outcome: JobOutcome): void {
    entry.clearGrace?.();
    entry.batch = undefined;
    if (!this.#jobs.delete(entry.job.id)) return;
    this.#load.remove(entry.costMs, this.#jobs.size === 0);
    this.#settled(entry.job.id, outcome);
  }

  /** Not within the call that leads to it. */
  settleSoon(entry: ThreadJob, outcome: JobOutcome): void {
    queueMicrotask(() => this.settle(entry, outcome));
  }

  settleCancelled(entry: ThreadJob): void {
    const { cancelled } = entry;
    if (cancelled !== undefined)
      this.settleSoon(entry, { ok: false, kind: 'error', error: cancelled.error, durationMs: 0 });
  }
}
