import type { CancelTimer } from '../base/clock.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { ResolvedPoolSettings } from './options.js';
import type { PoolListener } from './port.js';
import { SlotPool, type SlotJob } from './slot-pool.js';
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
    void this.#finish(entry, run, run.step.run(step.fn, this.#settings.maxOutputBytes));
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

  async #finish(
    entry: SlotJob<InlineRun>,
    run: InlineRun,
    result: ReturnType<RunningStep['run']>,
  ): Promise<void> {
    const settled = await result;
    run.clearGrace?.();
    this.settle(entry, settled);
  }
}
