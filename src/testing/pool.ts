import type { CancelTimer, Clock } from '../base/clock.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import type { StepFunction } from '../base/step.js';
import { InlinePool } from '../pool/inline.js';
import { resolveSettings } from '../pool/options.js';
import type { Job, JobOutcome, Pool, PoolListener, StepCall } from '../pool/port.js';
import { loadStep } from '../pool/worker/modules.js';
import { stubbedCall, type Stub } from './stubs.js';

interface Open {
  readonly job: Job;
  readonly beganMs: number;
  /** Ends its simulated time; null while it is held, or executes. */
  stop: CancelTimer | null;
  state: 'held' | 'lasting' | 'executing';
}

/** Steps at once: more than any test has. */
const ROOM = 10_000;

/**
 * Runs everything in this thread: stubs by node, functions and modules as they are; commands must have stubs. What an
 * attempt lasts is simulated time. Attempts can be held before they begin.
 */
export class TestPool implements Pool {
  private readonly inner: InlinePool;
  private listener!: PoolListener;
  private readonly open = new Map<number, Open>();
  private readonly calls = new Map<string, number>();
  /** Whether this attempt must not begin yet. */
  holds: (call: StepCall) => boolean = () => false;
  /** What was given to steps, in the order in which they began. */
  readonly given: StepCall[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly stubOf: (call: StepCall) => Stub | undefined,
  ) {
    this.inner = new InlinePool(resolveSettings({ clock, inline: ROOM }));
  }

  /** Steps that are in real functions now. */
  get executing(): number {
    return this.inner.busy;
  }

  get busy(): number {
    return this.open.size;
  }

  listen(listener: PoolListener): void {
    this.listener = listener;
    this.inner.listen({
      started: () => {},
      settled: (id, outcome) => this.settle(id, outcome),
      heartbeat: (id) => listener.heartbeat(id),
      progress: (id, fraction, message) => listener.progress(id, fraction, message),
      output: (id, stream, text, skipped) => listener.output(id, stream, text, skipped),
      fetch: (id, kind) => listener.fetch(id, kind),
      failed: (error) => listener.failed(error),
    });
  }

  dispatch(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const entry: Open = { job, beganMs: this.clock.nowMs(), stop: null, state: 'held' };
      this.open.set(job.id, entry);
      // What is told with it may say that it is to be held.
      queueMicrotask(() => this.holds(job.call) || this.begin(entry));
    }
  }

  /** Begins what was held and need not be any more. */
  release(): void {
    for (const entry of [...this.open.values()])
      if (entry.state === 'held' && !this.holds(entry.job.call)) this.begin(entry);
  }

  cancel(jobId: number, error: ErrorDocument, graceMs: number): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    if (entry.state === 'executing') return this.inner.cancel(jobId, error, graceMs);
    entry.stop?.();
    const reason = { ...error, code: error.code ?? 'STEP_CANCELLED' };
    queueMicrotask(() => this.settle(jobId, { ok: false, kind: 'error', error: reason, durationMs: 0 }));
  }

  room(): number {
    return Math.max(0, ROOM - this.open.size);
  }

  status(): readonly [] {
    return [];
  }

  close(graceMs: number): Promise<void> {
    for (const { stop } of this.open.values()) stop?.();
    return this.inner.close(graceMs);
  }

  private begin(entry: Open): void {
    const { job } = entry;
    if (this.open.get(job.id) !== entry || entry.state !== 'held') return;
    entry.state = 'lasting';
    this.given.push(job.call);
    if (job.exclusive) this.listener.started(job.id);
    const { delayMs, fn } = this.callOf(job);
    const execute = (): void => {
      entry.state = 'executing';
      entry.stop = null;
      this.inner.dispatch([{ ...job, step: { kind: 'inline', key: job.step.key, fn }, exclusive: false }]);
    };
    if (delayMs === 0) execute();
    else if (delayMs < Infinity) entry.stop = this.clock.setTimer(delayMs, execute);
  }

  private callOf({ call, step }: Job): { delayMs: number; fn: StepFunction } {
    const stub = this.stubOf(call);
    if (stub !== undefined) {
      const key = `${call.executionId}/${call.nodeId}`;
      const count = (this.calls.get(key) ?? 0) + 1;
      this.calls.set(key, count);
      return stubbedCall(stub, count);
    }
    if (step.kind === 'inline') return { delayMs: 0, fn: step.fn };
    if (step.kind === 'command') return { delayMs: 0, fn: () => Promise.reject(noStub(call)) };
    const { url, exportName } = step;
    return { delayMs: 0, fn: async (context) => (await loadStep(url, exportName)).fn(context) };
  }

  private settle(id: number, outcome: JobOutcome): void {
    const entry = this.open.get(id);
    if (entry === undefined) return;
    this.open.delete(id);
    const durationMs = this.clock.nowMs() - entry.beganMs;
    this.listener.settled(id, 'durationMs' in outcome ? { ...outcome, durationMs } : outcome);
  }
}

function noStub({ nodeId }: StepCall): MaestroError {
  return new MaestroError('EXECUTOR_MISSING', `node "${nodeId}" runs a command, and has no stub`, {
    next: 'Give it one: commands do not run in tests.',
  });
}
