import { Cron } from 'croner';

/** What becomes of times that passed while nobody looked. Airflow's catchup, Temporal's catch-up window. */
export const CATCH_UPS = ['none', 'latest', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

/** What becomes of a time while the execution before still runs: Temporal's overlap policies. */
export const OVERLAPS = ['skip', 'buffer_one', 'cancel_other', 'allow_all'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** When a workflow starts by itself. */
export interface Schedule {
  /** Five fields (minute to weekday), six with seconds before them, or `@daily` and the like. */
  readonly cron: string;
  /** IANA name. Default UTC. */
  readonly timezone?: string;
  /** Default latest. */
  readonly catch_up?: CatchUp;
  /** Default skip. */
  readonly overlap?: Overlap;
}

/** A time that is found this late has been missed: it is a matter of catching up. */
export const MISSED_AFTER_MS = 60_000;
/** Times that are caught up with in one go: what is left follows at the next look. */
export const MOST_AT_ONCE = 100;

/**
 * The first time after a moment, epoch ms; null: there is none. As croner has it, a local time that a change of clocks
 * skips moves to the moment of the change; one that occurs twice counts once if minute and hour are fixed, else twice.
 * @throws SyntaxError or RangeError, with a message for people, for what is no pattern or no time zone
 */
export function nextTimeMs({ cron, timezone = 'UTC' }: Schedule, afterMs: number): number | null {
  return patternOf(cron, timezone).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** The next `count` times after a moment, fewer when there are no more. */
export function upcomingMs(schedule: Schedule, afterMs: number, count: number): number[] {
  const { cron, timezone = 'UTC' } = schedule;
  return patternOf(cron, timezone)
    .nextRuns(count, new Date(afterMs))
    .map((date) => date.getTime());
}

/** Patterns are few, and asked for again and again. */
const known = new Map<string, Cron>();
const MOST_KNOWN = 1000;

function patternOf(cron: string, timezone: string): Cron {
  const key = `${timezone} ${cron}`;
  let pattern = known.get(key);
  if (pattern === undefined) {
    pattern = new Cron(cron, { timezone, paused: true, mode: '5-or-6-parts' });
    // The time zone is looked at when a time is asked for.
    pattern.nextRun(new Date(0));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(key, pattern);
  }
  return pattern;
}

/**
 * The times after `afterMs` up to now for which something is to start, oldest first: those on time, and of the missed
 * ones what is caught up with. The work does not grow with how long nobody looked. With the last of them as the next
 * `afterMs` nothing is due twice, also when the clock is set back.
 */
export function dueTimes(schedule: Schedule, afterMs: number, nowMs: number): number[] {
  const catchUp = schedule.catch_up ?? 'latest';
  if (nowMs <= afterMs) return [];
  if (catchUp === 'all') return timesBetween(schedule, afterMs, nowMs, MOST_AT_ONCE);
  const times = timesBetween(schedule, Math.max(afterMs, nowMs - MISSED_AFTER_MS), nowMs, Infinity);
  if (catchUp === 'latest' && times.length === 0) {
    const lastMs = lastTimeMs(schedule, nowMs);
    if (lastMs !== null && lastMs > afterMs) times.push(lastMs);
  }
  return times;
}

function timesBetween(schedule: Schedule, afterMs: number, untilMs: number, most: number): number[] {
  const times: number[] = [];
  let atMs = nextTimeMs(schedule, afterMs);
  while (atMs !== null && atMs <= untilMs && times.length < most) {
    times.push(atMs);
    atMs = nextTimeMs(schedule, atMs);
  }
  return times;
}

/** The newest time that is not after a moment. */
function lastTimeMs({ cron, timezone = 'UTC' }: Schedule, nowMs: number): number | null {
  const [last] = patternOf(cron, timezone).previousRuns(1, new Date(nowMs + 1));
  return last?.getTime() ?? null;
}
