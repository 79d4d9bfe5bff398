import { toErrorDocument } from '../base/errors.js';
import type { Settings } from './options.js';
import { Periodic } from './periodic.js';
import { defaultEveryMs, type RetentionPolicy } from './retention.js';

/** What a runtime does now and then, as its settings say: it deletes what may go, looks for what others left, and starts what is due. */
export function beginChores(
  settings: Settings,
  {
    tidy,
    recover,
    schedule,
  }: {
    tidy: (policy: RetentionPolicy, stopped: AbortSignal) => Promise<{ deleted: number; cached: number }>;
    recover: () => Promise<unknown>;
    schedule: (stopped: AbortSignal) => Promise<void>;
  },
): Periodic[] {
  const { retention, recoverEveryMs, clock, logger } = settings;
  const chores: Periodic[] = [];
  if (retention !== undefined) {
    const pass = async (stopped: AbortSignal): Promise<void> => {
      try {
        const { deleted, cached } = await tidy(retention, stopped);
        if (deleted > 0) logger.info({ deleted }, 'retention deleted ended executions');
        if (cached > 0) logger.info({ cached }, 'retention deleted results of steps that are too old');
      } catch (error) {
        logger.warn({ error: toErrorDocument(error) }, 'retention could not delete; it is tried again');
      }
    };
    chores.push(new Periodic(clock, retention.everyMs ?? defaultEveryMs(retention), pass).start(0));
  }
  if (recoverEveryMs !== undefined) {
    const look = async (): Promise<void> => {
      await recover().catch((error: unknown) =>
        logger.warn({ error: toErrorDocument(error) }, 'could not look for interrupted executions'),
      );
    };
    chores.push(new Periodic(clock, recoverEveryMs, look).start(recoverEveryMs));
  }
  if (settings.schedules) chores.push(new Periodic(clock, settings.schedulesEveryMs, schedule).start(0));
  return chores;
}
