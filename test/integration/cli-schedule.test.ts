import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maestro, makeFolder, start } from './support/maestro.js';

const SPEC = (id: string, schedule: string) =>
  `workflow: { id: ${id}, name: ${id}, schedule: ${schedule} }\nnodes:\n  - { id: a, name: a, type: custom, run: 'true' }\n`;

describe('maestro schedule', () => {
  let folder: ReturnType<typeof makeFolder>;
  beforeAll(() => {
    folder = makeFolder({
      'often.yaml': SPEC('often', "{ cron: '* * * * * *', overlap: allow_all }"),
      'yearly.yaml': SPEC('yearly', "{ cron: '0 5 1 1 *', timezone: Asia/Tokyo }"),
      'never.yaml': SPEC('never', "{ cron: '0 5 30 2 *' }"),
      'plain.yaml':
        "workflow: { id: p, name: p }\nnodes:\n  - { id: a, name: a, type: custom, run: 'true' }\n",
    });
  });
  afterAll(() => folder.remove());
  const run = (...args: string[]) => maestro(args, { cwd: folder.path });
  const json = async (...args: string[]) => {
    const { code, out, err } = await run(...args, '--json');
    expect([code, err.replaceAll(/^\{"notice".*\n/gm, '')]).toEqual([0, '']);
    return JSON.parse(out) as unknown;
  };

  it('adds, lists, pauses, resumes and removes', async () => {
    expect((await run('schedule')).err).toContain('no store');
    const added = await run('schedule', 'add', 'yearly.yaml');
    expect([added.code, added.out]).toEqual([0, expect.stringContaining('Asia/Tokyo')]);
    expect(added.err).toContain('maestro serve');
    const { schedules } = (await json('schedule', 'list', '--next', '3')) as {
      schedules: { next: string[] }[];
    };
    expect(schedules.map(({ next }) => next.map((time) => time.slice(4)))).toEqual([
      Array(3).fill('-12-31T20:00:00.000Z'),
    ]);
    expect((await run('schedule')).out).toMatch(/yearly +0 5 1 1 \* +Asia\/Tokyo +\d{4}-/);
    expect(await json('schedule', 'pause', 'yearly')).toMatchObject({ paused: true });
    expect((await run('schedule')).out).toContain('paused');
    expect(await json('schedule', 'resume', 'yearly')).toMatchObject({ paused: false });
    expect(await json('schedule', 'remove', 'yearly')).toEqual({ workflow_id: 'yearly', removed: true });
    expect((await run('schedule')).out).toContain('no schedules');
  });

  it.each([
    [['add', 'never.yaml'], 1, 'never comes'],
    [['add', 'plain.yaml'], 2, 'has no schedule'],
    [['pause', 'nope'], 1, 'no schedule'],
    [['remove', 'nope'], 1, 'no schedule'],
    [['list', '--next', 'x'], 2, 'whole number'],
  ])('%j ends with %i', async (args, expected, message) => {
    const { code, err } = await run('schedule', ...args);
    expect(err).toContain(message);
    expect(code).toBe(expected);
  });

  it('a service starts what its files and the command have scheduled, also after kill -9, each time once', async () => {
    const serve = () =>
      start(['serve', '--port', '0', '--workflows', 'often.yaml', '--json'], { cwd: folder.path });
    const ids = async () =>
      (
        (await json('list', '--workflow', 'often', '--limit', '1000')) as {
          executions: { execution_id: string }[];
        }
      ).executions.map(({ execution_id }) => execution_id);
    const first = serve();
    await first.until(/started as scheduled[^]*started as scheduled/);
    first.child.kill('SIGKILL');
    await first.finished;
    const before = await ids();
    const second = serve();
    await second.until(/started as scheduled[^]*started as scheduled/);
    second.child.kill('SIGTERM');
    expect((await second.finished).code).toBe(0);
    const after = await ids();
    expect(after.length).toBeGreaterThanOrEqual(before.length + 2);
    expect(new Set(after).size).toBe(after.length);
    expect(after.every((id) => /^often@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/.test(id))).toBe(true);
    const states = (await json('list', '--workflow', 'often', '--limit', '1000')) as {
      executions: { status: string }[];
    };
    expect(new Set(states.executions.map(({ status }) => status))).toEqual(new Set(['completed']));
  });
});
