import { nextTimeMs, type Schedule } from '../policy/schedule.js';
import { isRecord } from './draft.js';
import type { Findings } from './findings.js';

/** A pattern's every time lies in these years, or there is none. */
const ANY_TIME_MS = Date.UTC(1970, 0, 1);

/** Checks that a schedule's pattern and time zone say something. */
export function checkSchedule(document: unknown, findings: Findings): void {
  const header = isRecord(document) ? document.workflow : undefined;
  const schedule = isRecord(header) ? header.schedule : undefined;
  if (!isRecord(schedule) || typeof schedule.cron !== 'string') return;
  if (schedule.timezone !== undefined && typeof schedule.timezone !== 'string') return;
  if (schedule.timezone !== undefined && !isTimezone(schedule.timezone)) {
    const message = `there is no time zone ${JSON.stringify(schedule.timezone)}: use an IANA name such as Europe/Berlin`;
    findings.error('BAD_SCHEDULE', ['workflow', 'schedule', 'timezone'], message);
    return;
  }
  const place = ['workflow', 'schedule', 'cron'];
  try {
    if (nextTimeMs(schedule as unknown as Schedule, ANY_TIME_MS) === null)
      findings.error('BAD_SCHEDULE', place, `${JSON.stringify(schedule.cron)} never comes`);
  } catch (error) {
    const why = (error as Error).message.replace(/^Cron\w+: /, '');
    findings.error('BAD_SCHEDULE', place, `${JSON.stringify(schedule.cron)} is no cron pattern: ${why}`);
  }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
