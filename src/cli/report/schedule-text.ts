import type { Colors } from 'picocolors/types.js';
import type { ScheduleDocument } from '../../runtime/index.js';
import { formatLocalTime, formatTable, oneLine } from '../format/text.js';

/** A table of schedules; further times stand below each other. */
export function formatSchedules(schedules: readonly ScheduleDocument[], color: Colors): string {
  const header = ['WORKFLOW', 'CRON', 'TIME ZONE', 'NEXT', 'LAST', 'NOTE'].map(color.dim);
  const rows = schedules.flatMap((each) => {
    const [next = '–', ...more] = each.next.map(at);
    const first = [
      oneLine(each.workflow_id),
      oneLine(each.cron),
      each.timezone,
      next,
      lastOf(each),
      noteOf(each),
    ];
    return [first, ...more.map((time) => ['', '', '', time, '', ''])];
  });
  return formatTable([header, ...rows]).join('\n');
}

function lastOf({ last }: ScheduleDocument): string {
  return last === null ? '–' : last.execution_id;
}

function noteOf({ paused, buffered_at, skipped_at }: ScheduleDocument): string {
  if (paused) return 'paused';
  if (buffered_at !== null) return `${at(buffered_at)} waits for the last one to end`;
  return skipped_at === null ? '' : `${at(skipped_at)} left out: the last one still ran`;
}

function at(time: string): string {
  return formatLocalTime(Date.parse(time));
}
