import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  systemClock,
  type Clock,
  type ExecutionRecord,
  type Runtime,
  type RuntimeOptions,
  type ScheduleSpec,
} from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const BEGIN = Date.parse('2026-03-01T00:00:30Z');
const MINUTE = 60_000;

/** A clock that stands still until it is moved. What is done now and then is done all the time. */
class SetClock implements Clock {
  atMs = BEGIN;
  nowMs = (): number => this.atMs;
  setTimer: Clock['setTimer'] = (delayMs, fn, kind) =>
    systemClock.setTimer(kind === 'background' ? Math.min(delayMs, 5) : delayMs, fn, kind);
}

const steps = () => ({ gate: new Gate(), ran: new Counter() });

function tick(
  schedule: Partial<ScheduleSpec> = {},
  { gate, ran } = { ...steps(), gate: null as Gate | null },
) {
  return defineWorkflow({ id: 'tick', schedule: { cron: '* * * * *', ...schedule } })
    .node('one', {
      execute: async ({ globalContext, signal }) => {
        ran.note(String(globalContext.scheduled_at));
        if (gate !== null)
          await Promise.race([gate.passed, new Promise((done) => signal.addEventListener('abort', done))]);
        return null;
      },
    })
    .build();
}

const all = async (runtime: Runtime): Promise<ExecutionRecord[]> =>
  [...(await runtime.list({ workflowId: 'tick', order: 'oldest' })).records].sort((a, b) =>
    a.executionId < b.executionId ? -1 : 1,
  );
const timesOf = async (runtime: Runtime): Promise<string[]> =>
  (await all(runtime)).map(({ executionId }) =>
    executionId.slice('tick@2026-03-01T'.length, -'.000Z'.length),
  );
const statusesOf = async (runtime: Runtime): Promise<string[]> =>
  (await all(runtime)).map(({ status }) => status);
const scheduleOf = async (runtime: Runtime) => (await runtime.schedules.list())[0];

/** Waits until the schedule's row says that everything up to now is dealt with, or as much as `what` wants. */
const dealt = (runtime: Runtime, times: string[]) =>
  until(
    async () => JSON.stringify(await timesOf(runtime)) === JSON.stringify(times),
    `${times.join(' ')} started`,
  );

describe.each(storeKinds())('a schedule on %s', (_, create) => {
  const openWith = (clock: Clock, place: () => RuntimeOptions['store'], more: RuntimeOptions = {}) =>
    open({ store: place(), clock, schedules: true, ...more });

  it('starts each time once, with the time in the context, and tells the next ones', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    const own = { ...steps(), gate: null };
    const added = await runtime.schedules.add(tick({ context: { who: 'me' } }, own), { next: 2 });
    expect(added).toMatchObject({
      workflow_id: 'tick',
      timezone: 'UTC',
      catch_up: 'latest',
      overlap: 'skip',
      paused: false,
      next: ['2026-03-01T00:01:00.000Z', '2026-03-01T00:02:00.000Z'],
      last: null,
    });
    for (const minute of [1, 2, 3]) {
      clock.atMs = BEGIN + minute * MINUTE;
      await dealt(runtime, ['00:01:00', '00:02:00', '00:03:00'].slice(0, minute));
      await until(async () => (await statusesOf(runtime)).every((each) => each === 'completed'), 'all ended');
    }
    expect([...own.ran.counts.values()]).toEqual([1, 1, 1]);
    const id = 'tick@2026-03-01T00:03:00.000Z';
    expect((await runtime.get(id))!.global_context).toEqual({
      who: 'me',
      scheduled_at: '2026-03-01T00:03:00.000Z',
    });
    expect(await scheduleOf(runtime)).toMatchObject({
      last: { scheduled_at: '2026-03-01T00:03:00.000Z', execution_id: id },
      next: ['2026-03-01T00:04:00.000Z'],
    });
  });

  it.each([
    ['none', []],
    ['latest', ['00:30:00']],
    ['all', ['00:10:00', '00:20:00', '00:30:00']],
  ] as const)('catches up after a time without a runtime: %s', async (catch_up, times) => {
    const clock = new SetClock();
    const place = create();
    const workflow = tick({ cron: '*/10 * * * *', catch_up, overlap: 'allow_all' });
    const before = await openWith(clock, place);
    await before.schedules.add(workflow);
    await before.close();
    clock.atMs = BEGIN + 35 * MINUTE;
    const runtime = await openWith(clock, place, { workflows: [workflow] });
    await dealt(runtime, [...times]);
    // Also the service that adds its workflows again when it starts.
    await runtime.schedules.add(workflow);
    clock.atMs = BEGIN + 40 * MINUTE;
    await dealt(runtime, [...times, '00:40:00']);
  });

  it('leaves out what comes while the one before still runs', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    const own = steps();
    await runtime.schedules.add(tick({ overlap: 'skip' }, own));
    clock.atMs = BEGIN + MINUTE;
    await until(() => own.ran.counts.size === 1, 'the first runs');
    clock.atMs = BEGIN + 2 * MINUTE;
    await until(async () => (await scheduleOf(runtime)).skipped_at === '2026-03-01T00:02:00.000Z', 'skipped');
    own.gate.open();
    await until(async () => (await statusesOf(runtime))[0] === 'completed', 'the first has ended');
    clock.atMs = BEGIN + 3 * MINUTE;
    await dealt(runtime, ['00:01:00', '00:03:00']);
  });

  it('keeps one back until the one before has ended, also over a restart', async () => {
    const clock = new SetClock();
    const place = create();
    const own = steps();
    const workflow = tick({ overlap: 'buffer_one' }, own);
    const before = await openWith(clock, place);
    await before.schedules.add(workflow);
    clock.atMs = BEGIN + MINUTE;
    await until(() => own.ran.counts.size === 1, 'the first runs');
    for (const minute of [2, 3]) {
      clock.atMs = BEGIN + minute * MINUTE;
      const { buffered_at: buffered, skipped_at: skipped } = {
        buffered_at: '2026-03-01T00:02:00.000Z',
        skipped_at: minute === 3 ? '2026-03-01T00:03:00.000Z' : null,
      };
      await until(async () => {
        const found = await scheduleOf(before);
        return found.buffered_at === buffered && found.skipped_at === skipped;
      }, `minute ${minute} is dealt with`);
    }
    await before.close({ drainMs: 0 });
    own.gate.open();
    const runtime = await openWith(clock, place, { workflows: [workflow] });
    await dealt(runtime, ['00:01:00', '00:02:00']);
    expect((await scheduleOf(runtime)).buffered_at).toBe(null);
  });

  it('cancels the one before, or starts beside it', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    const own = steps();
    await runtime.schedules.add(tick({ overlap: 'cancel_other' }, own));
    clock.atMs = BEGIN + MINUTE;
    await until(() => own.ran.counts.size === 1, 'the first runs');
    clock.atMs = BEGIN + 2 * MINUTE;
    await until(() => own.ran.counts.size === 2, 'the second runs');
    expect(await statusesOf(runtime)).toEqual(['cancelled', 'running']);
    await runtime.schedules.add(tick({ overlap: 'allow_all' }, own));
    clock.atMs = BEGIN + 3 * MINUTE;
    await until(() => own.ran.counts.size === 3, 'the third runs');
    expect(await statusesOf(runtime)).toEqual(['cancelled', 'running', 'running']);
    own.gate.open();
  });

  it('is paused, resumed and removed; pausing counts as missing what passes', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    await runtime.schedules.add(tick({ catch_up: 'none' }));
    expect(await runtime.schedules.pause('tick')).toMatchObject({ paused: true });
    clock.atMs = BEGIN + 10 * MINUTE;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await timesOf(runtime)).toEqual([]);
    await runtime.schedules.resume('tick');
    // The time of this minute is on time.
    await dealt(runtime, ['00:10:00']);
    expect([await runtime.schedules.remove('tick'), await runtime.schedules.remove('tick')]).toEqual([
      true,
      false,
    ]);
    clock.atMs = BEGIN + 11 * MINUTE;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await timesOf(runtime)).toEqual(['00:10:00']);
    expect(await runtime.schedules.list()).toEqual([]);
    for (const change of [runtime.schedules.pause('tick'), runtime.schedules.resume('tick')])
      await expect(change).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
  });

  it('starts with the newest definition; another pattern begins from now', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    await runtime.schedules.add(tick({ cron: '30 0 * * *' }));
    await runtime.schedules.add(tick({ context: { version: 2 } }));
    expect((await runtime.schedules.list()).map(({ cron }) => cron)).toEqual(['* * * * *']);
    clock.atMs = BEGIN + MINUTE;
    await dealt(runtime, ['00:01:00']);
    await until(async () => (await statusesOf(runtime))[0] === 'completed', 'the first has ended');
    expect((await runtime.get('tick@2026-03-01T00:01:00.000Z'))!.global_context.version).toBe(2);
    clock.atMs = BEGIN + 40 * MINUTE;
    await dealt(runtime, ['00:01:00', '00:40:00']);
    await runtime.schedules.add(tick({ cron: '30 0 * * *' }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await timesOf(runtime)).toEqual(['00:01:00', '00:40:00']);
    expect((await scheduleOf(runtime)).next).toEqual(['2026-03-02T00:30:00.000Z']);
  });

  it('takes an execution of the same id that somebody has started by hand for the one of this time', async () => {
    const clock = new SetClock();
    const runtime = await openWith(clock, create());
    const own = { ...steps(), gate: null };
    const workflow = tick({}, own);
    const executionId = 'tick@2026-03-01T00:01:00.000Z';
    await (
      await runtime.start(workflow, { scheduled_at: 'by hand' }, { executionId })
    ).result;
    await runtime.schedules.add(workflow);
    clock.atMs = BEGIN + MINUTE;
    await until(
      async () => (await scheduleOf(runtime)).last?.execution_id === executionId,
      'it is dealt with',
    );
    expect([...own.ran.counts]).toEqual([['by hand', 1]]);
  });
});

describe('several runtimes on one store', () => {
  it.each(storeKinds())('start each time once: %s', async (_, create) => {
    const clock = new SetClock();
    const place = create();
    const own = { ...steps(), gate: null };
    const workflow = tick({ cron: '*/10 * * * * *', overlap: 'allow_all', catch_up: 'all' }, own);
    const several: Runtime[] = [];
    for (let k = 0; k < 3; k++)
      several.push(await open({ store: place(), clock, schedules: true, workflows: [workflow] }));
    await several[0].schedules.add(workflow);
    for (let k = 1; k <= 30; k++) {
      clock.atMs = BEGIN + k * 10_000;
      await until(async () => (await all(several[0])).length === k, `${k} have started`);
    }
    await until(
      async () => (await statusesOf(several[0])).every((each) => each === 'completed'),
      'all ended',
    );
    expect([...own.ran.counts.values()]).toEqual(Array(30).fill(1));
  });

  it('leave alone what they have no functions for, and say so once', async () => {
    const clock = new SetClock();
    const place = storeKinds()[1][1]();
    const warnings: string[] = [];
    const nothing = (): void => {};
    const warn = (fields: { error?: { code?: string } }) => void warnings.push(String(fields.error?.code));
    const logger = {
      debug: nothing,
      info: nothing,
      warn,
      error: nothing,
    } as unknown as RuntimeOptions['logger'];
    const stranger = await open({ store: place(), clock, schedules: true, logger });
    const adding = await open({ store: place(), clock });
    await adding.schedules.add(tick());
    clock.atMs = BEGIN + MINUTE;
    await until(() => warnings.length > 0, 'it warns');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(warnings).toEqual(['EXECUTOR_MISSING']);
    expect(await timesOf(stranger)).toEqual([]);
    const able = await open({ store: place(), clock, schedules: true, workflows: [tick()] });
    await dealt(able, ['00:01:00']);
  });
});

it('a workflow without a schedule, and a context that is none, are refused', async () => {
  const runtime = await open({});
  const plain = defineWorkflow({ id: 'w' })
    .node('a', { execute: () => 1 })
    .build();
  await expect(runtime.schedules.add(plain)).rejects.toMatchObject({ code: 'USAGE' });
  expect(await runtime.schedules.list()).toEqual([]);
});
