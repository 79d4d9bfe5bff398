import type { CancelTimer } from '../base/clock.js';
import type { ErrorDocument } from '../base/errors.js';
import type { Job } from './port.js';
import type { Service } from './thread-service.js';
import type { WorkerLink } from './threads-crew.js';
import { BEGUN, CELLS_PER_SLOT, CLOSED, SEALED, TAKEN } from './worker/protocol.js';

/** A job of the thread pool: in the queue while it has no batch. */
export class ThreadJob {
  batch: Batch | undefined;
  index = 0;
  cancelled: { readonly error: ErrorDocument; graceMs: number } | undefined;
  clearGrace: CancelTimer | undefined;

  constructor(
    readonly job: Job,
    /** What it was expected to cost when it was taken on, in milliseconds. */
    readonly costMs: number,
  ) {}
}

/** What host and workers know of batches without telling each other: see protocol.ts. */
export interface SharedWithWorkers {
  /** CELLS_PER_SLOT for each slot. */
  readonly cells: Int32Array;
  /** The worker of this number, if it can be spoken to. */
  linkOf(worker: number): WorkerLink | undefined;
}

/** Jobs that were sent to a worker together. */
export class Batch {
  /** What it was sent with. */
  service: Service | undefined;
  /** Why its worker was, or is to be, ended by us. */
  ending: 'killed' | 'reissued' | undefined;
  /** Its worker is no more. */
  dead = false;
  #link: WorkerLink | undefined;
  readonly #at: number;

  constructor(
    readonly id: number,
    readonly slot: number,
    readonly jobs: readonly ThreadJob[],
    /** When its jobs could begin. */
    public sentMs: number,
    private readonly shared: SharedWithWorkers,
    isSealed = false,
  ) {
    const { cells } = shared;
    this.#at = slot * CELLS_PER_SLOT;
    Atomics.store(cells, this.#at + BEGUN, 0);
    Atomics.store(cells, this.#at + CLOSED, 0);
    Atomics.store(cells, this.#at + TAKEN, 0);
    Atomics.store(cells, this.#at + SEALED, isSealed ? 1 : 0);
    for (const [index, job] of jobs.entries()) {
      job.batch = this;
      job.index = index;
    }
  }

  /** The worker that has taken it, once that can be spoken to; it stays known when it is gone. */
  get link(): WorkerLink | undefined {
    this.#link ??= this.service?.link;
    if (this.#link !== undefined) return this.#link;
    const worker = Atomics.load(this.shared.cells, this.#at + TAKEN);
    if (worker !== 0) this.#link = this.shared.linkOf(worker);
    return this.#link;
  }

  /** How many jobs have begun; more than there are when the worker is through. */
  get begun(): number {
    return Atomics.load(this.shared.cells, this.#at + BEGUN);
  }

  /** Lets its jobs begin, from this moment on. */
  unseal(nowMs: number): void {
    this.sentMs = nowMs;
    this.#break();
  }

  /** Sends it back unopened: its jobs belong to nobody then. */
  withdraw(): void {
    for (const job of this.jobs) job.batch = undefined;
    Atomics.store(this.shared.cells, this.#at + CLOSED, 1);
    this.#break();
  }

  #break(): void {
    Atomics.store(this.shared.cells, this.#at + SEALED, 0);
    Atomics.notify(this.shared.cells, this.#at + SEALED);
  }

  /** Whether this job is the one that runs now. */
  isRunning(job: ThreadJob): boolean {
    return job.index === this.begun - 1;
  }

  /** Lets no further job begin, and takes out those that have not. */
  takeBack(): ThreadJob[] {
    Atomics.store(this.shared.cells, this.#at + CLOSED, 1);
    const { begun } = this;
    const back = this.open().filter((job) => job.index >= begun);
    for (const job of back) job.batch = undefined;
    return back;
  }

  /** Jobs that have neither settled nor been taken back. */
  open(): ThreadJob[] {
    return this.jobs.filter((job) => job.batch === this);
  }

  /** The job at that place, unless it has settled or was taken back. */
  jobAt(index: unknown): ThreadJob | undefined {
    const job = typeof index === 'number' ? this.jobs[index] : undefined;
    return job?.batch === this ? job : undefined;
  }

  /**
   * The index of the job whose code ended the worker, or -1. The worker's last words name it; when it could not speak
   * (out of memory) or does not know, it is the one that was running.
   */
  guiltyIndex(): number {
    const said = this.link?.lastWords;
    if (said === undefined || said.batchId === 0) return this.begun - 1;
    return said.batchId === this.id ? said.index : -1;
  }
}
