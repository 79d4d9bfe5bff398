import type { CancelTimer } from '../base/clock.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { ResolvedPoolSettings } from './options.js';
import type { FetchKind, PoolListener } from './port.js';
import { SlotPool, type SlotJob } from './slot-pool.js';
import type { StepResult } from './step-result.js';
import { RunningStep, type StepHost } from './step-runner.js';

/** A step that runs here, and the place it runs in. */
class InlineRun implements StepHost {
  readonly step: RunningStep;
  /** What a synchronous step came to. */
  result: StepResult | undefined;
  clearGrace: CancelTimer | undefined;

  constructor(
    private readonly pool: InlinePool,
    private readonly entry: SlotJob<InlineRun>,
    private readonly listener: PoolListener,
    globalContext: string,
  ) {
    this.step = new RunningStep(entry.job.call, globalContext, this);
  }

  heartbeat(): void {
    if (this.pool.isLive(this.entry)) this.listener.heartbeat(this.entry.job.id);
  }

  progress(fraction: number, message: string | undefined): void {
    if (this.pool.isLive(this.entry)) this.listener.progress(this.entry.job.id, fraction, message);
  }

  fetch(kind: FetchKind): Promise<string> {
    return this.pool.fetch(this.entry, kind);
  }
}

/**
 * Runs inline functions in this thread, `inline` at once. Cancellation can only be asked for here: the signal
 * fires, and after the grace period the job settles as cancelled although its promise may still be running;
 * whatever comes of that later is dropped. A function that blocks this thread blocks everything in it.
 */
export class InlinePool extends SlotPool<InlineRun> {
  readonly #settings: ResolvedPoolSettings;

  constructor(settings: ResolvedPoolSettings) {
    super(settings, { slots: settings.inline, worker: 'inline', workers: 'inline steps' });
    this.#settings = settings;
  }

  protected override execute(
    entry: SlotJob<InlineRun>,
    globalContext: string,
    listener: PoolListener,
  ): InlineRun {
    const { step } = entry.job;
    invariant(step.kind === 'inline', 'the inline pool was given a step of another kind');
    const run = new InlineRun(this, entry, listener, globalContext);
    const result = run.step.run(step.fn, this.#settings.maxOutputBytes);
    if (result instanceof Promise) void result.then((settled) => this.#finish(entry, run, settled));
    else run.result = result;
    return run;
  }

  protected override executing(entry: SlotJob<InlineRun>, run: InlineRun): void {
    if (run.result !== undefined) this.#finish(entry, run, run.result);
  }

  protected override abort(
    entry: SlotJob<InlineRun>,
    run: InlineRun,
    error: ErrorDocument,
    graceMs: number,
  ): void {
    run.clearGrace?.();
    run.clearGrace = this.#settings.clock.setTimer(graceMs, () => this.settle(entry, { ok: false, error }));
    run.step.abort(error);
  }

  #finish(entry: SlotJob<InlineRun>, run: InlineRun, result: StepResult): void {
    run.clearGrace?.();
    this.settle(entry, result);
  }
}
