import { describe, expect, it } from 'vitest';
import { queueLimits } from '../../src/policy/queue.js';
import { createRuntime, defineWorkflow, type Kv, type Workflow } from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { outliving } from '../support/outliving-kv.js';
import { quiet, simulate, type Fate } from '../support/simulation.js';

/** So many nodes that may all start at once, each in the queue. */
function wide(count: number, slots = 1): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'wide' });
  for (let n = 0; n < count; n++) builder.node(`n${n}`, { queue: 'q', slots, execute: () => null });
  return builder.build();
}

/** Nodes of the workflow run for ever. */
async function running(
  executionId: string,
  workflow: Workflow,
  kv: Kv = new MemoryKv(),
  queues: Record<string, number> = { q: 2 },
) {
  const fateOf = (): Fate => ({ outcome: 'ok', durationMs: 1e9, output: '1' });
  const given = { seed: executionId.length, workflows: [workflow], lossRate: 0, slots: 100, queues, fateOf };
  const { runtime, clock, pool } = await simulate(kv, given);
  await clock.run(runtime.start(workflow, {}, { executionId }));
  await quiet();
  const state = async () => (await runtime.metrics()).queues.find(({ queue }) => queue === 'q')!;
  return { runtime, clock, pool, state };
}

describe('a queue', () => {
  it('that becomes larger lets more in at once; one that becomes smaller stops nothing', async () => {
    const { runtime, pool, state } = await running('e0', wide(10));
    expect(await state()).toMatchObject({ size: 2, from: 'process', used: 2, waiting: 8 });
    expect(await runtime.queues.set('q', { slots: 5 })).toEqual({
      queue: 'q',
      setting: { slots: 5, rate: null },
      processes: [expect.objectContaining({ slots: 2, rate: null })],
    });
    await quiet();
    expect(pool.dispatched).toHaveLength(5);
    expect(await state()).toMatchObject({ size: 5, from: 'store', used: 5, waiting: 5 });
    await runtime.queues.set('q', { slots: 1 });
    await quiet();
    expect(await state()).toMatchObject({ size: 1, used: 5, waiting: 5 });
    expect(await runtime.queues.unset('q')).toBe(true);
    expect(await runtime.queues.unset('q')).toBe(false);
    expect(await state()).toMatchObject({ size: 2, from: 'process', used: 5 });
    expect(await runtime.queues.set('q', { rate: '1000/s' })).toMatchObject({ setting: { slots: null } });
    expect(await state()).toMatchObject({ size: Infinity, rate: '1000/s' });
  });

  it('counts what wishes for more than there is as all of it, whatever its size was at the start', async () => {
    const { runtime, state, clock } = await running('e0', wide(3, 4));
    expect(await state()).toMatchObject({ size: 2, used: 2, waiting: 2 });
    await runtime.queues.set('q', { slots: 9 });
    await quiet();
    expect(await state()).toMatchObject({ size: 9, used: 8, waiting: 1 });
    await runtime.queues.set('q', { slots: 3 });
    expect(await state()).toMatchObject({ size: 3, used: 6, waiting: 1 });
    await clock.run(runtime.cancel('e0'));
    for (let n = 0; n < 500 && (await state()).used > 0; n++) {
      clock.advance();
      await quiet();
    }
    expect(await state()).toMatchObject({ size: 3, used: 0, waiting: 0 });
  });

  it('is looked at again at once when its rate becomes higher', async () => {
    const { runtime, pool, clock } = await running('e0', wide(3), new MemoryKv(), { other: 1 });
    await runtime.queues.set('q', { rate: '1/h' });
    await quiet();
    const before = pool.dispatched.length;
    expect(before).toBeLessThan(3);
    const beganMs = clock.nowMs();
    await runtime.queues.set('q', { rate: '10/s' });
    for (let n = 0; n < 50 && pool.dispatched.length < 3; n++) {
      clock.advance();
      await quiet();
    }
    expect(pool.dispatched).toHaveLength(3);
    expect(clock.nowMs() - beganMs).toBeLessThan(3_600_000);
  });

  it('is set for other processes on the store, too, also for those that are opened later', async () => {
    const kv = outliving(new MemoryKv());
    const here = await running('here', wide(10), kv);
    const there = await running('elsewhere', wide(10), kv, { q: 3 });
    expect(await there.state()).toMatchObject({ size: 3, used: 3 });
    await here.runtime.queues.set('q', { slots: 4 });
    for (let n = 0; n < 20 && (await there.state()).from !== 'store'; n++) {
      there.clock.advance();
      await quiet();
    }
    expect(await there.state()).toMatchObject({ size: 4, from: 'store', used: 4, waiting: 6 });
    const later = await createRuntime({ store: kv, queues: { q: 9 }, recover: false });
    expect((await later.metrics()).queues).toMatchObject([{ queue: 'q', size: 4, from: 'store' }]);
    const [{ processes }] = await later.queues.list();
    expect(processes.map(({ slots }) => slots).sort()).toEqual([2, 3, 9]);
    await later.close();
  });

  it.each([
    ['a b', {}, /no name of a queue/],
    ['q', { slots: 0 }, /its size is 0/],
    ['q', { rate: '1/y' }, /its rate is "1\/y"/],
  ])('%j cannot be set to %j', async (name, limit, message) => {
    const { runtime } = await running('e0', wide(1));
    await expect(runtime.queues.set(name, limit)).rejects.toThrow(message);
    expect(await runtime.queues.list()).toMatchObject([{ queue: 'q', setting: null }]);
  });
});

it('limits say how they were given', () => {
  expect(queueLimits({ a: 2, b: { rate: '60/m' } })).toEqual(
    new Map([
      ['a', { size: 2, rate: null, spacingMs: 0 }],
      ['b', { size: Infinity, rate: '60/m', spacingMs: 1000 }],
    ]),
  );
});
