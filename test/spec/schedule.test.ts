import { describe, expect, it } from 'vitest';
import { defineWorkflow, validateSpec } from '../../src/spec/index.js';

const withSchedule = (schedule: unknown) =>
  validateSpec({
    workflow: { id: 'w', name: 'w', schedule },
    nodes: [{ id: 'a', name: 'a', type: 'custom', run: 'true' }],
  });
const codesOf = (schedule: unknown): string[] => withSchedule(schedule).problems.map(({ code }) => code);

describe('a schedule in a workflow', () => {
  it.each([
    { cron: '0 6 * * 1-5' },
    {
      cron: '*/5 * * * * *',
      timezone: 'Europe/Berlin',
      catch_up: 'all',
      overlap: 'buffer_one',
      context: { a: 1 },
    },
    { cron: '@hourly' },
    { cron: '0 0 L * *' },
  ])('%j is one', (schedule) => {
    const { spec, problems } = withSchedule(schedule);
    expect(problems).toEqual([]);
    expect(spec!.workflow.schedule).toEqual(schedule);
  });

  it.each([
    [{ cron: 'every day' }, 'BAD_SCHEDULE'],
    [{ cron: '0 25 * * *' }, 'BAD_SCHEDULE'],
    [{ cron: '* * * *' }, 'BAD_SCHEDULE'],
    [{ cron: '0 0 30 2 *' }, 'BAD_SCHEDULE'],
    [{ cron: '0 6 * * *', timezone: 'Mars/Base' }, 'BAD_SCHEDULE'],
  ])('%j is refused', (schedule, code) => {
    expect(codesOf(schedule)).toEqual([code]);
  });

  it.each([
    {},
    { cron: 5 },
    { cron: '' },
    { cron: '0 6 * * *', timezone: 5 },
    { cron: '0 6 * * *', overlap: 'maybe' },
    { cron: '0 6 * * *', catch_up: 'some' },
    { cron: '0 6 * * *', context: [] },
    { cron: '0 6 * * *', every: 1 },
    'daily',
  ])('%j has not its form', (schedule) => {
    const { spec, problems } = withSchedule(schedule);
    expect(spec).toBeUndefined();
    expect(problems.length).toBeGreaterThan(0);
  });

  it('says where and why', () => {
    const [problem] = withSchedule({ cron: '0 25 * * *' }).problems;
    expect(problem.message).toBe('"0 25 * * *" is no cron pattern: Invalid value for hour: 25');
  });

  it('is what the builder takes', () => {
    const schedule = { cron: '0 6 * * *', timezone: 'Asia/Tokyo' };
    const { spec } = defineWorkflow({ id: 'w', schedule })
      .node('a', { execute: () => 1 })
      .build();
    expect(spec.workflow.schedule).toEqual(schedule);
    expect(() =>
      defineWorkflow({ id: 'w', schedule: { cron: 'x' } })
        .node('a', { execute: () => 1 })
        .build(),
    ).toThrow(/no cron pattern/);
  });
});
