import { atMost, type Clock } from '../base/clock.js';
import { toErrorDocument, MaestroError } from '../base/errors.js';
import type { Logger } from '../observe/logger.js';
import type { Pool } from '../pool/index.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import { attemptFields } from './attempt-log.js';
import { Deferred } from './deferred.js';

/** How long running nodes may go on when nobody says otherwise. */
export const DEFAULT_DRAIN_MS = 30_000;

interface ShutdownOptions {
  readonly supervisor: Supervisor;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Ends what runs: first by itself, then softly, then by force. */
export class Shutdown {
  private readonly hurried = new Deferred<void>();
  private ending = false;
  private maxGraceMs = Infinity;

  constructor(private readonly options: ShutdownOptions) {}

  /** Resolves when nothing runs: after `drainMs` and `graceMs`, and what ending by force takes, at the latest. */
  async run(drainMs: number, graceMs: number): Promise<void> {
    const { supervisor, pool, clock } = this.options;
    await atMost(clock, drainMs, Promise.race([supervisor.drain(), this.hurried.promise]));
    this.ending = true;
    this.tellOfCutOff();
    await pool.close(Math.min(graceMs, this.maxGraceMs));
  }

  /** There is no time: what still runs has `graceMs` from now. */
  hurry(graceMs: number): void {
    const { supervisor, pool } = this.options;
    this.maxGraceMs = graceMs;
    this.hurried.resolve();
    if (!this.ending) return;
    const reason = toErrorDocument(new MaestroError('STEP_CANCELLED', 'the runtime is closing'));
    for (const { id } of supervisor.jobs.sent()) pool.cancel(id, reason, graceMs);
  }

  private tellOfCutOff(): void {
    for (const job of this.options.supervisor.jobs.sent())
      this.options.logger.warn(
        attemptFields(job),
        'cut off by the shutdown: the node runs again after the next start',
      );
  }
}
