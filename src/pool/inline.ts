import type { CancelTimer } from '../base/clock.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { ResolvedPoolSettings } from './options.js';
import type { PoolListener } from './port.js';
import { SlotPool, type SlotJob } from './slot-pool.js';
import type { StepResult } from './step-result.js';
import { RunningStep } from './step-runner.js';

interface InlineRun {
  readonly step: RunningStep;
  clearGrace?: CancelTimer;
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
    const { id, call, step } = entry.job;
    invariant(step.kind === 'inline', 'the inline pool was given a step of another kind');
    const run: InlineRun = {
      step: new RunningStep(call, globalContext, {
        heartbeat: () => {
          if (this.isLive(entry)) listener.heartbeat(id);
        },
        progress: (fraction, message) => {
          if (this.isLive(entry)) listener.progress(id, fraction, message);
        },
        fetch: (kind) => this.fetch(entry, kind),
      }),
    };
    const result = run.step.run(step.fn, this.#settings.maxOutputBytes);
    if (result instanceof Promise) void result.then((settled) => this.#finish(entry, run, settled));
    // Never before the handle has been returned.
    else queueMicrotask(() => this.#finish(entry, run, result));
    return run;
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
