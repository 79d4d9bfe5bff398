import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkersStatus } from '../base/workers.js';
import { addRestart, recentRestarts, type RestartWindow } from '../policy/restart-intensity.js';
import type { ResolvedPoolSettings } from './options.js';
import { messageOf } from './outcome.js';

/** Counts the deaths of one class of workers: too many within the window are an end, not a reason to go on. */
export class Deaths {
  #window: RestartWindow = [];
  #total = 0;

  constructor(
    /** The class, as users know it: `worker threads`. */
    private readonly what: string,
    private readonly settings: Pick<ResolvedPoolSettings, 'clock' | 'restart'>,
  ) {}

  /** Counts one death. @returns POOL_STOPPED when it was one too many */
  count(error: unknown): ErrorDocument | undefined {
    const { clock, restart } = this.settings;
    const { window, exceeded } = addRestart(this.#window, clock.nowMs(), restart);
    this.#window = window;
    this.#total++;
    if (!exceeded) return undefined;
    const within = `more than ${restart.maxRestarts} within ${restart.withinMs / 1000} s`;
    return poolStopped(`${this.what} keep dying (${within}), the last of: ${messageOf(error)}`, error);
  }

  get status(): Pick<WorkersStatus, 'deaths' | 'recentDeaths' | 'toleratedDeaths'> {
    const { clock, restart } = this.settings;
    return {
      deaths: this.#total,
      recentDeaths: recentRestarts(this.#window, clock.nowMs(), restart),
      toleratedDeaths: restart.maxRestarts,
    };
  }
}

export function poolStopped(message: string, cause: unknown): ErrorDocument {
  return toErrorDocument(new MaestroError('POOL_STOPPED', message, { cause }));
}
