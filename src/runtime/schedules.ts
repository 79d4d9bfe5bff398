import { isMaestroError, MaestroError } from '../base/errors.js';
import { upcomingMs } from '../policy/schedule.js';
import type { Workflow } from '../spec/index.js';
import type { ScheduleRow } from '../store/schedule-rows.js';
import { contextText } from './context.js';
import type { ListSchedulesOptions, ScheduleDocument, Schedules } from './schedule-types.js';
import type { Steering } from './steering.js';

/** The schedules of a store. What starts their executions is the Scheduler. */
export class StoredSchedules implements Schedules {
  constructor(private readonly host: Steering['host']) {}

  async add(workflow: Workflow, options?: ListSchedulesOptions): Promise<ScheduleDocument> {
    const { spec, baseDir, definitionHash } = workflow;
    const { id: workflowId, name: workflowName, schedule } = spec.workflow;
    if (schedule === undefined)
      throw new MaestroError('USAGE', `workflow "${workflowId}" has no schedule`, {
        next: 'Give it one: `schedule: { cron: "0 6 * * *" }` under `workflow`.',
      });
    contextText(workflow, schedule.context ?? {});
    // The store cannot keep functions: the runtime that was given them has them.
    this.host.definitions.of(workflow);
    const nowMs = this.host.settings.clock.nowMs();
    const row = await this.change(workflowId, (seen) => {
      const fresh = { createdAtMs: nowMs, paused: false, bufferedMs: null, skippedMs: null, last: null };
      // Times of another pattern that have passed were nobody's.
      const isSame = seen?.schedule.cron === schedule.cron && seen.schedule.timezone === schedule.timezone;
      const afterMs = isSame ? seen.afterMs : nowMs;
      return [
        { ...fresh, ...seen, workflowId, workflowName, definitionHash, baseDir, schedule, afterMs },
        spec,
      ];
    });
    return documentOf(row!, nowMs, options);
  }

  async list(options?: ListSchedulesOptions): Promise<ScheduleDocument[]> {
    const { store, settings } = this.host;
    const { rows, damaged } = await store.schedules();
    for (const workflow_id of damaged) settings.logger.warn({ workflow_id }, 'a schedule cannot be read');
    return rows.map((row) => documentOf(row, settings.clock.nowMs(), options));
  }

  pause(workflowId: string): Promise<ScheduleDocument> {
    return this.setPaused(workflowId, true);
  }

  resume(workflowId: string): Promise<ScheduleDocument> {
    return this.setPaused(workflowId, false);
  }

  async remove(workflowId: string): Promise<boolean> {
    let was = false;
    await this.change(workflowId, (seen) => {
      was = seen !== undefined;
      return [undefined];
    });
    return was;
  }

  private async setPaused(workflowId: string, paused: boolean): Promise<ScheduleDocument> {
    const row = await this.change(workflowId, (seen) => {
      if (seen === undefined)
        throw new MaestroError(
          'SCHEDULE_NOT_FOUND',
          `workflow "${workflowId}" has no schedule in this store`,
        );
      return [{ ...seen, paused }];
    });
    return documentOf(row!, this.host.settings.clock.nowMs());
  }

  /** Reads, decides and writes, again when somebody was faster in between. */
  private async change(
    workflowId: string,
    decide: (seen: ScheduleRow | undefined) => [next: ScheduleRow | undefined, spec?: Workflow['spec']],
  ): Promise<ScheduleRow | undefined> {
    const { store, assertOpen } = this.host;
    for (;;) {
      assertOpen();
      const seen = await store.getSchedule(workflowId);
      const [next, spec] = decide(seen);
      if (seen === undefined && next === undefined) return undefined;
      try {
        await store.changeSchedule(seen, next, spec);
        return next;
      } catch (error) {
        if (!isMaestroError(error, 'STORE_CONFLICT')) throw error;
      }
    }
  }
}

function documentOf(
  row: ScheduleRow,
  nowMs: number,
  { next = 1 }: ListSchedulesOptions = {},
): ScheduleDocument {
  const { cron, timezone = 'UTC', catch_up = 'latest', overlap = 'skip' } = row.schedule;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    workflow_id: row.workflowId,
    workflow_name: row.workflowName,
    ...{ cron, timezone, catch_up, overlap },
    paused: row.paused,
    created_at: iso(row.createdAtMs),
    next: upcomingMs(row.schedule, Math.max(nowMs, row.afterMs), next).map(iso),
    last: row.last && { scheduled_at: iso(row.last.atMs), execution_id: row.last.executionId },
    buffered_at: row.bufferedMs === null ? null : iso(row.bufferedMs),
    skipped_at: row.skippedMs === null ? null : iso(row.skippedMs),
  };
}
