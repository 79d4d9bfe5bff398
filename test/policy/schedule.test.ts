import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dueTimes,
  MISSED_AFTER_MS,
  MOST_AT_ONCE,
  nextTimeMs,
  upcomingMs,
  type Schedule,
} from '../../src/policy/schedule.js';

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const next = (schedule: Schedule, after: string, count = 1) =>
  upcomingMs(schedule, at(after), count).map(iso);

describe('the times of a schedule', () => {
  it.each<[cron: string, after: string, times: string[]]>([
    ['*/15 * * * *', '2026-01-01T00:00:00Z', ['2026-01-01T00:15:00.000Z', '2026-01-01T00:30:00.000Z']],
    ['0 6 * * 1-5', '2026-01-02T07:00:00Z', ['2026-01-05T06:00:00.000Z', '2026-01-06T06:00:00.000Z']],
    ['*/20 * * * * *', '2026-01-01T00:00:00Z', ['2026-01-01T00:00:20.000Z', '2026-01-01T00:00:40.000Z']],
    ['@monthly', '2026-01-01T00:00:00Z', ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00.000Z', '2032-02-29T00:00:00.000Z']],
    ['2026-02-03T04:05:06', '2026-01-01T00:00:00Z', ['2026-02-03T04:05:06.000Z']],
  ])('%s after %s', (cron, after, times) => {
    expect(next({ cron }, after, 2)).toEqual(times);
  });

  it('are local to the time zone, over changes of clocks too', () => {
    const daily = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };
    // There is no 02:30 on the 29th of March: it is the moment of the change.
    expect(next(daily, '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    // 02:30 occurs twice on the 25th of October: it counts once.
    expect(next(daily, '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it.each([
    ['nonsense', undefined],
    ['* * * *', undefined],
    ['0 25 * * *', undefined],
    ['0 0 * * * * 2027', undefined],
    ['0 5 * * *', 'Mars/Base'],
  ])('%s in %s is refused', (cron, timezone) => {
    expect(() => nextTimeMs({ cron, timezone }, 0)).toThrow(/Cron/);
  });

  it('may be none', () => {
    expect(nextTimeMs({ cron: '0 0 30 2 *' }, 0)).toBe(null);
    expect(nextTimeMs({ cron: '2026-02-03T04:05:06' }, at('2026-02-03T04:05:06Z'))).toBe(null);
  });
});

describe('what is due', () => {
  const hourly = { cron: '0 * * * *' };
  const [last, now] = [at('2026-01-01T00:30:00Z'), at('2026-01-01T05:00:10Z')];
  const due = (schedule: Schedule, nowMs = now) =>
    dueTimes(schedule, last, nowMs).map((ms) => new Date(ms).getUTCHours());

  it('is what has come on time, whatever the policy', () => {
    for (const catch_up of ['none', 'latest', 'all'] as const)
      expect(dueTimes({ ...hourly, catch_up }, at('2026-01-01T04:59:59Z'), now)).toEqual([
        at('2026-01-01T05:00:00Z'),
      ]);
  });

  it('drops what was missed, or catches up with the latest of it, or with all', () => {
    const late = at('2026-01-01T05:30:00Z');
    expect(due({ ...hourly, catch_up: 'none' }, late)).toEqual([]);
    expect(due(hourly, late)).toEqual([5]);
    expect(due(hourly)).toEqual([5]);
    expect(due({ ...hourly, catch_up: 'all' }, late)).toEqual([1, 2, 3, 4, 5]);
  });

  it('is found at once, however long nobody looked', () => {
    const years = last + 20 * 365 * 86_400_000;
    expect(dueTimes({ cron: '0 * * * * *' }, last, years + 30_000)).toEqual([years]);
    expect(dueTimes({ cron: '* * * * * *', catch_up: 'all' }, last, years).length).toBe(MOST_AT_ONCE);
  });

  it('is each time once, whenever it is looked, also when the clock is set back', () => {
    const steps = fc.array(fc.integer({ min: -300_000, max: 900_000 }), { minLength: 1, maxLength: 12 });
    const policies = fc.constantFrom('none' as const, 'latest' as const, 'all' as const);
    const crons = fc.constantFrom('* * * * *', '*/7 * * * *', '0 * * * *', '*/20 * * * * *');
    fc.assert(
      fc.property(steps, policies, crons, (moves, catch_up, cron) => {
        const schedule = { cron, catch_up };
        const started: number[] = [];
        let nowMs = last;
        let newest = last;
        for (const move of moves) {
          nowMs += move;
          newest = Math.max(newest, nowMs);
          let found;
          do {
            found = dueTimes(schedule, started.at(-1) ?? last, nowMs);
            started.push(...found);
            for (const ms of found) expect(ms).toBeLessThanOrEqual(nowMs);
          } while (found.length >= MOST_AT_ONCE);
        }
        expect(started).toEqual([...new Set(started)].sort((a, b) => a - b));
        const all: number[] = [];
        for (let ms = nextTimeMs(schedule, last)!; ms <= newest; ms = nextTimeMs(schedule, ms)!) all.push(ms);
        expect(all).toEqual(expect.arrayContaining(started));
        if (catch_up === 'all') expect(started).toEqual(all);
        if (catch_up === 'latest') expect(started.at(-1)).toBe(all.at(-1));
      }),
      { numRuns: 50 },
    );
  });

  it('counts what is found within a minute as on time', () => {
    const exact = at('2026-01-01T05:00:00Z');
    const none = { ...hourly, catch_up: 'none' as const };
    expect(due(none, exact + MISSED_AFTER_MS - 1)).toEqual([5]);
    expect(due(none, exact + MISSED_AFTER_MS)).toEqual([]);
  });
});
