import type { CatchUp, Overlap } from '../policy/schedule.js';
import type { Workflow } from '../spec/index.js';

/** A schedule as `runtime.schedules` tells of it. Times are ISO 8601 in UTC. */
export interface ScheduleDocument {
  workflow_id: string;
  workflow_name: string;
  cron: string;
  timezone: string;
  catch_up: CatchUp;
  overlap: Overlap;
  paused: boolean;
  created_at: string;
  /** The next times, whether it is paused or not. */
  next: string[];
  /** The time that the newest execution was started for, and its id; null before the first. */
  last: { scheduled_at: string; execution_id: string } | null;
  /** A time that waits for the execution before to end. */
  buffered_at: string | null;
  /** The newest time that was left out because the execution before still ran. */
  skipped_at: string | null;
}

export interface ListSchedulesOptions {
  /** How many of the next times. Default 1. */
  next?: number;
}

/**
 * Workflows that start by themselves. They are kept in the store; their executions are started by whichever runtime on
 * it has the option `schedules`, each time by one of them and once, with `scheduled_at` in the global context.
 */
export interface Schedules {
  /**
   * Adds the workflow, or replaces what is stored under its id: from the next time on this definition starts. Whether it
   * is paused, and what it has dealt with, stays.
   * @throws USAGE for a workflow without a schedule, CONTEXT_INVALID
   */
  add(workflow: Workflow, options?: ListSchedulesOptions): Promise<ScheduleDocument>;
  /** All of them, by workflow id. */
  list(options?: ListSchedulesOptions): Promise<ScheduleDocument[]>;
  /** Nothing starts until it is resumed; times that pass meanwhile are as good as missed. @throws SCHEDULE_NOT_FOUND */
  pause(workflowId: string): Promise<ScheduleDocument>;
  /** @throws SCHEDULE_NOT_FOUND */
  resume(workflowId: string): Promise<ScheduleDocument>;
  /** Executions it has started are not touched. @returns whether there was one */
  remove(workflowId: string): Promise<boolean>;
}
