import { atMost, type CancelTimer } from '../base/clock.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import { answer } from './answer.js';
import { Child, type ChildEnd } from './child.js';
import type { ResolvedPoolSettings } from './options.js';
import { crashed, decodeResult, lost } from './outcome.js';
import type { JobOutcome, OutputStream, PoolListener } from './port.js';
import { SlotPool, type SlotJob } from './slot-pool.js';
import { FromWorker, ToWorker, type WorkerMessage } from './worker/protocol.js';
import { encodeBatch } from './worker/wire.js';

/** A child that nobody needed for this long is ended. */
const IDLE_MS = 30_000;
/** How long killed children may take to end. */
const GONE_MS = 2_000;

/** One job in a child. */
class ProcessRun {
  /** The job has begun in the child. */
  taken = false;
  outcome: JobOutcome | undefined;
  clearGrace: CancelTimer | undefined;

  constructor(readonly entry: SlotJob<ProcessRun>) {}
}

/** A child of the pool: what it does, or how long it has done nothing. */
interface Worker {
  readonly child: Child;
  run: ProcessRun | undefined;
  lastWords: { readonly jobId: number; readonly cause: ErrorDocument | undefined } | undefined;
  clearIdle: CancelTimer | undefined;
}

/**
 * Runs the steps of modules in child processes, `processes` at once. A child is kept for further jobs and replaced
 * when it dies; after a cancellation it is ended too, so that nothing of the cancelled attempt goes on.
 */
export class ProcessPool extends SlotPool<ProcessRun> {
  readonly #settings: ResolvedPoolSettings;
  readonly #workers = new Set<Worker>();
  readonly #byRun = new Map<ProcessRun, Worker>();
  #onEmpty: () => void = () => {};

  constructor(settings: ResolvedPoolSettings) {
    super(settings, {
      slots: settings.processes,
      worker: 'process',
      workers: 'worker processes',
      remote: true,
    });
    this.#settings = settings;
  }

  protected override get alive(): number {
    return this.#workers.size;
  }

  override async close(graceMs: number): Promise<void> {
    await super.close(graceMs);
    if (this.#workers.size === 0) return;
    const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
    for (const { child } of this.#workers) child.kill();
    await atMost(this.#settings.clock, GONE_MS, empty);
  }

  protected override execute(
    entry: SlotJob<ProcessRun>,
    _context: string,
    listener: PoolListener,
  ): ProcessRun {
    const { job } = entry;
    invariant(job.step.kind === 'process', 'the process pool was given a step of another kind');
    const worker = this.#idle(job.step.maxHeapMb) ?? this.#add(job.step.maxHeapMb, listener);
    const run = new ProcessRun(entry);
    worker.clearIdle?.();
    worker.run = run;
    this.#byRun.set(run, worker);
    worker.child.hold(true);
    worker.child.post([ToWorker.run, encodeBatch({ id: job.id, slot: 0 }, [{ job }])]);
    return run;
  }

  protected override abort(
    entry: SlotJob<ProcessRun>,
    run: ProcessRun,
    error: ErrorDocument,
    graceMs: number,
  ): void {
    const child = this.#byRun.get(run)?.child;
    run.clearGrace?.();
    run.clearGrace = this.#settings.clock.setTimer(graceMs, () => child?.kill());
    child?.post([ToWorker.abort, entry.job.id, 0, JSON.stringify(error)]);
  }

  /** A waiting child with this limit. Another one makes room: `processes` is how many there are, not how many work. */
  #idle(maxHeapMb: number | undefined): Worker | undefined {
    const idle = [...this.#workers].filter(({ run, child }) => run === undefined && !child.gone);
    const fitting = idle.find(({ child }) => child.maxHeapMb === maxHeapMb);
    if (fitting === undefined && this.#workers.size >= this.#settings.processes) idle[0]?.child.kill();
    return fitting;
  }

  #add(maxHeapMb: number | undefined, listener: PoolListener): Worker {
    const worker: Worker = {
      child: new Child(maxHeapMb, this.#settings, {
        message: (message) => {
          try {
            this.#onMessage(worker, message, listener);
          } catch {
            // Steps share the channel with their worker: it was not a message of ours.
          }
        },
        output: (stream, text) => this.#onOutput(worker, stream, text, listener),
        gone: (end) => this.#onGone(worker, end),
      }),
      run: undefined,
      lastWords: undefined,
      clearIdle: undefined,
    };
    this.#workers.add(worker);
    return worker;
  }

  #onOutput({ run }: Worker, stream: OutputStream, text: string, listener: PoolListener): void {
    if (this.#settings.echo) process.stderr.write(text);
    if (run !== undefined && this.#settings.maxLogChars > 0)
      listener.output(run.entry.job.id, stream, text, 0);
  }

  #onMessage(worker: Worker, received: unknown, listener: PoolListener): void {
    if (!Array.isArray(received)) return;
    const message = received as unknown as WorkerMessage;
    if (message[0] === FromWorker.dying) {
      const cause = message[3] === undefined ? undefined : (JSON.parse(message[3]) as ErrorDocument);
      worker.lastWords = { jobId: message[1], cause };
      return;
    }
    const { run } = worker;
    const job = run?.entry.job;
    if (run === undefined || job?.id !== message[1] || !this.isLive(run.entry)) return;
    switch (message[0]) {
      case FromWorker.taken:
        run.taken = true;
        this.started(run.entry);
        return;
      case FromWorker.heartbeat:
        listener.heartbeat(job.id);
        return;
      case FromWorker.progress:
        listener.progress(
          job.id,
          Number(message[3]),
          message[4] === undefined ? undefined : String(message[4]),
        );
        return;
      case FromWorker.fetch:
        void answer(worker.child, message[3], () => this.fetch(run.entry, message[4]));
        return;
      case FromWorker.output:
        // What children print comes through their pipes.
        return;
      case FromWorker.results:
      case FromWorker.over:
        run.outcome = decodeResult(message[2], 0);
        // What the step has printed is in the pipes by now, and is read before the next turn.
        if (message[0] === FromWorker.over) setImmediate(() => this.#onOver(worker, run));
        return;
    }
  }

  #onOver(worker: Worker, run: ProcessRun): void {
    if (worker.run !== run) return;
    // Ended, and settled when it is gone: what a cancelled step has left running must not go on.
    if (run.entry.cancelled !== undefined) return worker.child.kill();
    this.#leave(worker, run);
    worker.child.hold(false);
    worker.clearIdle = this.#settings.clock.setTimer(IDLE_MS, () => worker.child.kill(), 'background');
    this.#conclude(run);
  }

  #leave(worker: Worker, run: ProcessRun): void {
    run.clearGrace?.();
    worker.run = undefined;
    this.#byRun.delete(run);
  }

  #onGone(worker: Worker, end: ChildEnd): void {
    const { run } = worker;
    this.#workers.delete(worker);
    worker.clearIdle?.();
    if (run !== undefined) {
      this.#leave(worker, run);
      run.outcome ??= outcomeOf(worker, run, end, this.elapsedMs(run.entry));
      this.#conclude(run);
    }
    if (!end.killed) this.countDeath(new Error(end.how));
    if (this.#workers.size === 0) this.#onEmpty();
  }

  #conclude({ entry, outcome }: ProcessRun): void {
    const { cancelled } = entry;
    if (cancelled !== undefined) this.settle(entry, { ok: false, error: cancelled });
    else if (outcome !== undefined) this.conclude(entry, outcome);
  }
}

/** Whose fault it was: the last words say; a child that could not speak was ended by the job it had begun. */
function outcomeOf(
  { lastWords }: Worker,
  { taken, entry }: ProcessRun,
  { how, cause }: ChildEnd,
  durationMs: number,
): JobOutcome {
  const { id } = entry.job;
  const guilty = lastWords === undefined || lastWords.jobId === 0 ? taken : lastWords.jobId === id;
  if (!guilty) return lost(`the worker process ended beside this job: ${how}`, cause);
  const why = lastWords?.cause;
  const outcome = crashed(`the step ended its worker process: ${why?.message ?? how}`, durationMs, cause);
  if (!outcome.ok && why !== undefined) outcome.error.cause = why;
  return outcome;
}
