import { isMaestroError, MaestroError, toErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { dueTimes } from '../policy/schedule.js';
import { scheduleChange, type ScheduleRow } from '../store/schedule-rows.js';
import { contextText } from './context.js';
import { newRecord } from './records.js';
import type { Steering } from './steering.js';

/**
 * Starts what schedules say is due. An execution and the schedule's row that says so are one commit, guarded by the row
 * as it was: however many runtimes look after one store, and whenever one of them dies, a time starts one execution.
 */
export class Scheduler {
  /** Workflows whose schedule could not be followed: said once for each reason. */
  private readonly complained = new Map<string, string>();

  constructor(private readonly steering: Steering) {}

  /** Starts what is due now. Says itself what went wrong, and never throws. */
  async look(stopped: AbortSignal): Promise<void> {
    try {
      const { rows } = await this.steering.host.store.schedules();
      for (const row of rows) {
        if (stopped.aborted) return;
        if (!row.paused) await this.follow(row, stopped);
      }
      this.complained.delete('');
    } catch (error) {
      this.complain('', error);
    }
  }

  /** What is due of one schedule, until it is dealt with or another runtime was faster. */
  private async follow(row: ScheduleRow, stopped: AbortSignal): Promise<void> {
    const { clock } = this.steering.host.settings;
    try {
      let seen = row;
      if (seen.bufferedMs !== null && !(await this.isRunning(seen)))
        seen = await this.start(seen, { ...seen, bufferedMs: null }, seen.bufferedMs);
      for (const atMs of dueTimes(seen.schedule, seen.afterMs, clock.nowMs())) {
        if (stopped.aborted) return;
        seen = await this.startOrNot(seen, atMs);
      }
      this.complained.delete(row.workflowId);
    } catch (error) {
      // Whoever was faster has dealt with it; what is left is seen to at the next look.
      if (!isMaestroError(error, 'STORE_CONFLICT')) this.complain(row.workflowId, error);
    }
  }

  private async startOrNot(seen: ScheduleRow, atMs: number): Promise<ScheduleRow> {
    const { overlap = 'skip' } = seen.schedule;
    const dealtWith = { ...seen, afterMs: atMs };
    if (overlap === 'allow_all' || !(await this.isRunning(seen))) return this.start(seen, dealtWith, atMs);
    if (overlap === 'cancel_other') {
      await this.cancelOther(seen.last!.executionId, atMs);
      return this.start(seen, dealtWith, atMs);
    }
    const isBuffered = overlap === 'buffer_one' && seen.bufferedMs === null;
    const next = { ...dealtWith, ...(isBuffered ? { bufferedMs: atMs } : { skippedMs: atMs }) };
    await this.steering.host.store.changeSchedule(seen, next);
    const fields = {
      workflow_id: seen.workflowId,
      scheduled_at: iso(atMs),
      execution_id: seen.last!.executionId,
    };
    this.steering.host.settings.logger.info(
      fields,
      isBuffered ? 'scheduled start waits' : 'scheduled start left out',
    );
    return next;
  }

  private async isRunning({ last }: ScheduleRow): Promise<boolean> {
    const record = last && (await this.steering.host.store.getRecord(last.executionId));
    return record ? !isWorkflowStatusEnded(record.status) : false;
  }

  private async cancelOther(executionId: string, atMs: number): Promise<void> {
    try {
      await this.steering.cancel(executionId, `the start scheduled for ${iso(atMs)} takes its place`);
    } catch (error) {
      // It has ended meanwhile.
      if (!isMaestroError(error, 'EXECUTION_STATE') && !isMaestroError(error, 'EXECUTION_NOT_FOUND'))
        throw error;
    }
  }

  /** One commit: the new execution, and the row that has it as its last. */
  private async start(seen: ScheduleRow, dealtWith: ScheduleRow, atMs: number): Promise<ScheduleRow> {
    const { host } = this.steering;
    const { store, settings, definitions, ownership } = host;
    const spec = await store.getDefinition(seen.definitionHash);
    if (spec === undefined)
      throw new MaestroError(
        'RECORD_CORRUPT',
        `the definition of the scheduled workflow "${seen.workflowId}" is missing`,
      );
    const executionId = `${seen.workflowId.slice(0, MOST_OF_ID)}@${iso(atMs)}`;
    const { workflow } = definitions.forStored({ ...seen, executionId }, spec);
    const record = newRecord(workflow, { executionId }, settings, ownership.self.ownerId);
    const context = { ...seen.schedule.context, scheduled_at: iso(atMs) };
    const next: ScheduleRow = { ...dealtWith, last: { atMs, executionId } };
    const { op, guard } = scheduleChange(seen, next);
    const ops = [...store.create(record, spec, contextText(workflow, context)), op];
    try {
      await this.steering.startStored(record, ops, { guard });
      const fields = { workflow_id: seen.workflowId, execution_id: executionId, scheduled_at: iso(atMs) };
      settings.logger.info(fields, 'started as scheduled');
    } catch (error) {
      // Somebody has started one of this id by hand: it stands for this time.
      if (!isMaestroError(error, 'EXECUTION_EXISTS')) throw error;
      await store.changeSchedule(seen, next);
    }
    return next;
  }

  private complain(workflowId: string, error: unknown): void {
    const { code, message } = toErrorDocument(error);
    const reason = `${code} ${message}`;
    if (this.complained.get(workflowId) === reason) return;
    this.complained.set(workflowId, reason);
    const { logger } = this.steering.host.settings;
    logger.warn(
      { workflow_id: workflowId, error: toErrorDocument(error) },
      'a schedule could not be followed',
    );
  }
}

/** An id has 255 characters at most; the time takes 25 of them. */
const MOST_OF_ID = 230;

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
