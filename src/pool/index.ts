import type { ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { CommandPool } from './commands.js';
import { InlinePool } from './inline.js';
import { resolveSettings, type PoolSettings } from './options.js';
import type { Job, Pool, PoolListener, StepKind, StepRef } from './port.js';
import { ProcessPool } from './processes.js';
import { ThreadPool } from './threads.js';

export { hasStep, resolveStep, kindOfStep } from './resolve-step.js';
export { STEP_KINDS } from './port.js';
export type { PoolSettings } from './options.js';
export type * from './port.js';

/**
 * The pool: functions run in this thread, modules on worker threads or in child processes, commands in processes
 * of their own. Nothing is started before the first job that needs it.
 */
export function createPool(settings: PoolSettings = {}): Pool {
  const resolved = resolveSettings(settings);
  return new PoolRouter({
    inline: new InlinePool(resolved),
    module: new ThreadPool(resolved),
    process: new ProcessPool(resolved),
    command: new CommandPool(resolved),
  });
}

type Adapters = Readonly<Record<StepKind, Pool>>;

/** Sends each job to the adapter for its kind of step. */
class PoolRouter implements Pool {
  readonly #adapters: Adapters;
  readonly #all: readonly Pool[];

  constructor(adapters: Adapters) {
    this.#adapters = adapters;
    this.#all = Object.values(adapters);
  }

  get busy(): number {
    return this.#all.reduce((sum, pool) => sum + pool.busy, 0);
  }

  get dueMs(): number {
    return this.#adapters.module.dueMs ?? 0;
  }

  get aheadMs(): number {
    return this.#adapters.module.aheadMs ?? 0;
  }

  status(): readonly WorkersStatus[] {
    return this.#all.flatMap((pool) => pool.status());
  }

  listen(listener: PoolListener): void {
    for (const pool of this.#all) pool.listen(listener);
  }

  stage(jobs: readonly Job[]): void {
    if (jobs.every(({ step }) => step.kind === 'module')) this.#adapters.module.stage?.(jobs);
  }

  dispatch(jobs: readonly Job[]): void {
    const [first] = jobs;
    if (first === undefined) return;
    const { kind: only } = first.step;
    if (jobs.every(({ step }) => step.kind === only)) return this.#adapters[only].dispatch(jobs);
    const byKind = new Map<StepKind, Job[]>();
    for (const job of jobs) {
      const same = byKind.get(job.step.kind);
      if (same === undefined) byKind.set(job.step.kind, [job]);
      else same.push(job);
    }
    for (const [kind, same] of byKind) this.#adapters[kind].dispatch(same);
  }

  /** Job ids are unique in the runtime: the adapters that do not know this one ignore it. */
  cancel(jobId: number, reason: ErrorDocument, graceMs: number): void {
    for (const pool of this.#all) pool.cancel(jobId, reason, graceMs);
  }

  room(step: StepRef): number {
    return this.#adapters[step.kind].room(step);
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#all.map((pool) => pool.close(graceMs)));
  }
}
