import { AssertionError } from 'node:assert';
import { join } from 'node:path';
import { setTimeout as real } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { defineWorkflow, type Workflow } from '../../src/runtime/index.js';
import {
  assertEvents,
  failing,
  inTurn,
  never,
  taking,
  testRuntime,
  type TestKit,
  type TestOptions,
} from '../../src/testing/index.js';

const kits: TestKit[] = [];
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close();
});
async function open(options?: TestOptions): Promise<TestKit> {
  const kit = await testRuntime(options);
  kits.push(kit);
  return kit;
}

const HOUR = 3600;
const one = (more: object, id = 'w'): Workflow =>
  defineWorkflow<Record<string, unknown>>({ id })
    .node('a', { run: 'exit 1', ...more })
    .node('b', { dependsOn: ['a'], execute: ({ dependencyOutputs }) => dependencyOutputs.a })
    .build();

describe('stubs', () => {
  it.each<[string, NonNullable<TestOptions['stubs']>[string], unknown]>([
    ['a value', { x: [1] }, { x: [1] }],
    ['null', null, null],
    ['a function', ({ attempt }) => ({ attempt }), { attempt: 1 }],
    ['one that takes time', taking(5, 'late'), 'late'],
    ['one by workflow', 'other', 'other'],
  ])('give what they say: %s', async (what, stub, output) => {
    const kit = await open({
      stubs: what === 'one by workflow' ? { 'w/a': stub, a: 'not this' } : { a: stub },
    });
    const run = await kit.run(one({}));
    expect(await run.outputs()).toEqual({ a: output, b: output });
    expect(kit.calls('b')).toMatchObject([{ attempt: 1, dependencyOutputs: { a: output } }]);
  });

  it('fail as often as they say, and are called in turn', async () => {
    const kit = await open({
      stubs: { a: inTurn(failing(9, 'first'), failing(9, new TypeError('second')), 'third') },
    });
    const run = await kit.run(one({ retry: { maxAttempts: 3, delaySeconds: HOUR } }));
    expect(await run.outputs()).toMatchObject({ a: 'third' });
    assertEvents(run.events, [
      { event_type: 'node_failed', data: { error: 'first' } },
      { event_type: 'node_failed', data: { error: 'second' } },
      'node_completed a',
      'workflow_completed',
    ]);
    expect(kit.now.getTime()).toBe(Date.UTC(2030, 0, 1) + 2 * HOUR * 1000);
  });

  it('stand for modules; modules without one run as they are, commands do not', async () => {
    const baseDir = join(import.meta.dirname, '../fixtures/steps');
    const workflow = defineWorkflow({ id: 'w' })
      .node('module', { uses: './runtime-steps.js#quick', isolation: 'process' })
      .node('command', { run: 'exit 0' })
      .build({ baseDir });
    const kit = await open();
    const run = await kit.run(workflow);
    expect((await run.document()).node_states).toMatchObject({
      module: { status: 'completed', output: { done: true } },
      command: { status: 'failed', error_message: 'node "command" runs a command, and has no stub' },
    });
  });
});

describe('time', () => {
  it('is skipped: sleeps, retries and timeouts of days take none', async () => {
    const began = performance.now();
    const workflow = defineWorkflow({ id: 'days' })
      .node('nap', { sleepSeconds: 30 * 24 * HOUR })
      .node('hangs', { run: 'x', timeoutSeconds: 24 * HOUR, dependsOn: ['nap'] })
      .build();
    const kit = await open({ stubs: { hangs: never() } });
    const run = await kit.run(workflow);
    expect(await run.end()).toMatchObject({ status: 'failed', error: { code: 'STEP_TIMEOUT' } });
    expect((kit.now.getTime() - Date.UTC(2030, 0, 1)) / (HOUR * 1000)).toBeCloseTo(31 * 24, 1);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('stands still while a function does real work, and goes on when the function waits for it', async () => {
    const kit = await open({
      stubs: {
        a: async () => (await real(50), 'worked'),
        b: ({ signal }) =>
          new Promise((_, fail) => signal.addEventListener('abort', () => fail(new Error('aborted')))),
      },
      patienceMs: 300,
    });
    const workflow = defineWorkflow({ id: 'w' })
      .node('a', { run: 'x', timeoutSeconds: 0.01 })
      .node('b', { run: 'x', timeoutSeconds: HOUR, dependsOn: ['a'] })
      .build();
    const run = await kit.run(workflow);
    expect(await run.outputs()).toEqual({ a: 'worked' });
    expect((await run.end()).error).toMatchObject({ code: 'STEP_TIMEOUT' });
  });

  it('starts what is scheduled', async () => {
    const workflow = defineWorkflow({ id: 'nightly', schedule: { cron: '0 3 * * *' } })
      .node('a', { run: 'x' })
      .build();
    const kit = await open({ stubs: { a: 1 }, schedules: true });
    await kit.passing(kit.runtime.schedules.add(workflow));
    await kit.skip(3 * 24 * HOUR);
    const { records } = await kit.runtime.list();
    expect(records.map(({ executionId }) => executionId).sort()).toEqual([
      'nightly@2030-01-01T03:00:00.000Z',
      'nightly@2030-01-02T03:00:00.000Z',
      'nightly@2030-01-03T03:00:00.000Z',
    ]);
  }, 30_000);

  it('that cannot pass fails what is awaited, and says what everything waits for', async () => {
    const kit = await open();
    const workflow = defineWorkflow({ id: 'w' })
      .node('go', { waitFor: { signal: 'go' } })
      .build();
    const run = await kit.start(workflow);
    const error = (await run.end().catch((e: unknown) => e)) as AssertionError;
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(
      'it does not end: nothing can happen any more; the execution is running: go waits (signal go)',
    );
    await kit.runtime.signal(run.id, 'go', 7);
    expect((await run.end()).status).toBe('completed');
  });
});

describe('running to a node', () => {
  const chain = defineWorkflow<Record<string, unknown>>({ id: 'chain' })
    .node('first', { execute: () => 1 })
    .node('second', { dependsOn: ['first'], execute: () => 2 })
    .node('third', { dependsOn: ['second'], execute: () => 3 })
    .build();

  it('stops before its step begins, or when it has ended and nothing has begun since', async () => {
    const kit = await open();
    const run = await kit.start(chain);
    const reached = await run.until('second', 'reached');
    expect(reached.node_outputs).toEqual({ first: 1 });
    expect(reached.node_states.second.status).toBe('running');
    expect(kit.calls('second')).toEqual([]);
    const settled = await run.until('second');
    expect(settled.node_outputs).toEqual({ first: 1, second: 2 });
    expect(kit.calls('third')).toEqual([]);
    expect((await run.end()).status).toBe('completed');
    expect((await run.until('third')).status).toBe('completed');
    await expect(run.until('fourth')).rejects.toThrow(/node "fourth" is never settled/);
  });

  it('stops at waits, and goes on when they are answered; cancellations end what was held', async () => {
    const kit = await open();
    const workflow = defineWorkflow({ id: 'w' })
      .node('review', { review: {} })
      .node('after', { dependsOn: ['review'], execute: () => 1 })
      .build();
    const run = await kit.start(workflow);
    await run.until('review', 'reached');
    await kit.runtime.review(run.id, 'review', { decision: 'approve' });
    await run.until('after', 'reached');
    await kit.runtime.cancel(run.id);
    expect((await run.end()).status).toBe('cancelled');
    expect(kit.calls('after')).toEqual([]);
  });

  it('reaches into subworkflows and loops, which have stubs like all others', async () => {
    const child = defineWorkflow({ id: 'child' })
      .node('step', { run: 'x', repeat: { until: 'node.output >= 3', max: 9, delaySeconds: HOUR } })
      .build();
    const workflow = defineWorkflow({ id: 'parent' }).node('sub', { workflow: child }).build();
    const kit = await open({ stubs: { 'child/step': ({ iteration }) => iteration } });
    const run = await kit.run(workflow);
    expect(await run.outputs()).toEqual({ sub: { step: 3 } });
    expect(kit.calls('step')).toHaveLength(3);
  });
});

describe('assertions about events', () => {
  it('say what is missing, after what, and what there was', async () => {
    const kit = await open({ stubs: { a: 1 } });
    const { events } = await kit.run(one({}));
    assertEvents(events, [
      'workflow_started',
      'node_completed b',
      { event_type: 'workflow_completed', data: { completed_nodes: 2 } },
    ]);
    expect(() => assertEvents(events, ['node_completed b', 'node_completed a'])).toThrow(
      'there is no event "node_completed a" after "node_completed b"; there were: workflow_completed',
    );
    expect(() => assertEvents(events, [{ event_type: 'node_completed', data: { output: 2 } }])).toThrow(
      AssertionError,
    );
  });
});
