import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Kv, type Workflow } from '../../src/runtime/index.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { SimulatedClock } from '../support/simulation.js';
import { add, record } from '../support/store-fixtures.js';
import { outliving } from '../support/outliving-kv.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const quick = defineWorkflow({ id: 'quick' })
  .node('only', { execute: () => ({ done: true }) })
  .build();
const failing = defineWorkflow({ id: 'failing' })
  .node('only', {
    execute: () => {
      throw new Error('no');
    },
  })
  .build();

function waiting(gate: Gate, ran = new Counter()): Workflow {
  return defineWorkflow({ id: 'waiting' })
    .node('first', { execute: () => (ran.note('first'), gate.passed) })
    .node('second', { dependsOn: ['first'], execute: () => ran.note('second') })
    .build();
}

describe.each(storeKinds())('deleting on %s', (_, create) => {
  it('removes what has ended, and the id is free again', async () => {
    const runtime = await open({ store: create()() });
    await (
      await runtime.start(quick, {}, { executionId: 'one' })
    ).result;
    expect(await runtime.delete('one')).toBe(true);
    expect(await runtime.delete('one')).toBe(false);
    expect(await runtime.get('one')).toBeUndefined();
    expect((await runtime.list()).records).toEqual([]);
    const again = await runtime.start(failing, {}, { executionId: 'one' });
    expect((await again.result).status).toBe('failed');
    expect((await runtime.get('one'))!.node_outputs).toEqual({});
  });

  it('refuses what has not ended, here or elsewhere', async () => {
    const place = create()();
    const runtime = await open({ store: place });
    const gate = new Gate();
    const execution = await runtime.start(waiting(gate), {}, { executionId: 'busy' });
    await expect(runtime.delete('busy')).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    await expect(runtime.delete('busy', { force: true })).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    gate.open();
    expect((await execution.result).status).toBe('completed');
    expect(await runtime.delete('busy')).toBe(true);
  });

  it('deletes a paused one by force once nobody has it', async () => {
    const runtime = await open({ store: create()() });
    const gate = new Gate();
    const ran = new Counter();
    const execution = await runtime.start(waiting(gate, ran), {}, { executionId: 'paused' });
    await until(() => ran.of('first') > 0, 'first runs');
    await runtime.pause('paused');
    gate.open();
    await execution.result;
    await expect(runtime.delete('paused')).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    expect(await runtime.delete('paused', { force: true })).toBe(true);
  });
});

describe.each(storeKinds())('collecting on %s', (_, create) => {
  it('deletes what the policy lets go, after saying so when asked', async () => {
    const runtime = await open({ store: create()() });
    for (const id of ['a', 'b', 'c']) await (await runtime.start(quick, {}, { executionId: id })).result;
    await (
      await runtime.start(failing, {}, { executionId: 'd' })
    ).result;
    const policy = { keep: 1, perStatus: { failed: {} } };
    const planned = await runtime.collect({ ...policy, dryRun: true });
    expect(planned).toEqual({ deleted: ['b', 'a'], dryRun: true });
    expect(await runtime.counts()).toMatchObject({ completed: 3, failed: 1 });
    expect((await runtime.collect(policy)).deleted).toEqual(planned.deleted);
    expect((await runtime.list()).records.map(({ executionId }) => executionId)).toEqual(['d', 'c']);
    await expect(runtime.collect({})).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('never touches what has not ended', async () => {
    const runtime = await open({ store: create()() });
    const gate = new Gate();
    const execution = await runtime.start(waiting(gate), {}, { executionId: 'busy' });
    expect(await runtime.collect({ keep: 0 })).toEqual({ deleted: [], dryRun: false });
    gate.open();
    await execution.result;
  });
});

describe('an execution that has ended and still stops attempts', () => {
  it('is not deleted before they are gone', async () => {
    const kv = outliving(new MemoryKv());
    const runtime = await open({ store: kv, pool: { graceMs: 60_000 } });
    const other = await open({ store: kv });
    const gate = new Gate();
    const ran = new Counter();
    const execution = await runtime.start(waiting(gate, ran), {}, { executionId: 'deaf' });
    await until(() => ran.of('first') > 0, 'first runs');
    await runtime.cancel('deaf');
    expect((await runtime.get('deaf'))!.status).toBe('cancelled');
    for (const each of [runtime, other]) expect((await each.collect({ keep: 0 })).deleted).toEqual([]);
    await expect(other.delete('deaf')).rejects.toMatchObject({ code: 'EXECUTION_OWNED' });
    gate.open();
    await execution.result;
    await until(async () => (await runtime.collect({ keep: 0 })).deleted.length === 1, 'it is at rest');
    expect(await new KvExecutionStore(kv).sizes()).not.toHaveProperty('records');
  });
});

describe('an execution that cannot be deleted', () => {
  it('stops no other', async () => {
    const kv = outliving(new MemoryKv());
    const store = await openStore(kv);
    const ids = Array.from({ length: 250 }, (_, i) => `e${i}`);
    for (const id of ids) await add(store, record(id, { status: 'completed', endedAtMs: 1 }));
    const refusesOne: Kv = {
      ...kv,
      commit: (ops, guards) =>
        guards?.some(({ key }) => key === 'x/e240/r')
          ? Promise.reject(new Error('not this one'))
          : kv.commit(ops, guards),
    };
    const runtime = await open({ store: refusesOne });
    await expect(runtime.collect({ keep: 0 })).rejects.toThrow('not this one');
    expect((await store.list()).records.map(({ executionId }) => executionId)).toEqual(['e240']);
  });
});

describe('a record that changed since it was seen', () => {
  it('is not deleted', async () => {
    const kv = outliving(new MemoryKv());
    const runtime = await open({ store: kv });
    await (
      await runtime.start(failing, {}, { executionId: 'x' })
    ).result;
    const store = new KvExecutionStore(kv);
    const seen = (await store.getRecord('x'))!;
    await (
      await runtime.retry('x')
    ).result;
    await expect(store.delete('x', seen)).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
    expect(await runtime.get('x')).toMatchObject({ status: 'failed' });
  });
});

describe('retention', () => {
  it('deletes in the background, pass after pass', async () => {
    const clock = new SimulatedClock();
    const kv = outliving(new MemoryKv());
    const runtime = await open({ store: kv, clock, retention: { olderThanMs: 50_000, everyMs: 10_000 } });
    await (
      await runtime.start(quick, {}, { executionId: 'old' })
    ).result;
    const passes = async (n: number) => {
      for (let i = 0; i < n; i++) {
        clock.advance();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await passes(4);
    expect((await runtime.counts()).completed).toBe(1);
    await passes(4);
    expect((await runtime.counts()).completed).toBe(0);
  });

  it('removes kept results of steps that are too old, after a while those that were not yet, too', async () => {
    const clock = new SimulatedClock();
    const kv = outliving(new MemoryKv());
    const store = await openStore(kv);
    const keep = (hash: string, expiresAtMs: number) =>
      store.commit([store.cached.put(hash, { output: '1', expiresAtMs, executionId: 'e', nodeId: 'n' })]);
    const left = async (): Promise<string[]> => {
      const hashes: string[] = [];
      for await (const { hash } of store.cached.rows()) hashes.push(hash);
      return hashes;
    };
    await keep('a', clock.nowMs());
    await keep('b', clock.nowMs() + 100_000);
    await keep('c', clock.nowMs() + 1e12);
    await open({ store: kv, clock, retention: { keep: 1, everyMs: 10_000 } });
    await until(async () => (clock.advance(), (await left()).length === 2), 'the first pass');
    expect(await left()).toEqual(['b', 'c']);
    await until(async () => (clock.advance(), (await left()).length === 1), 'a later pass');
    expect(await left()).toEqual(['c']);
  });

  it('does not hold a runtime up that closes: the next one goes on', async () => {
    const kv = outliving(new MemoryKv());
    const store = await openStore(kv);
    for (let i = 0; i < 500; i++) await add(store, record(`e${i}`, { status: 'completed', endedAtMs: 1 }));
    let closing: Promise<void> | undefined;
    const closesWhenItDeletes: Kv = {
      ...kv,
      commit: (ops, guards) => {
        if (ops.some(({ op }) => op === 'del')) closing ??= runtime.close();
        return kv.commit(ops, guards);
      },
    };
    const retention = { olderThanMs: 0 };
    const runtime = await open({ store: closesWhenItDeletes, retention });
    await until(() => closing !== undefined, 'retention deletes');
    await closing;
    const left = (await store.countByStatus()).completed;
    expect(left).toBeGreaterThan(300);
    await open({ store: kv, retention });
    await until(async () => (await store.countByStatus()).completed === 0, 'all are deleted');
  });

  it.each([
    [{ keep: -1 }, /retention keep is -1/],
    [{ keep: 1, everyMs: 0 }, /retention.everyMs is 0/],
  ])('refuses %j', async (retention, message) => {
    await expect(open({ retention })).rejects.toThrow(message);
  });
});

describe.each(storeKinds())('marking stale on %s', (_, create) => {
  it('fails what nobody runs and nothing happened to; a retry brings it back', async () => {
    const place = create();
    const first = await open({ store: place() });
    const gate = new Gate();
    const ran = new Counter();
    await first.start(waiting(gate, ran), {}, { executionId: 'left' });
    await until(() => ran.of('first') > 0, 'first runs');
    const closing = first.close({ drainMs: 0 });
    gate.open();
    await closing;

    const ran2 = new Counter();
    const opened = new Gate();
    opened.open();
    const workflow = waiting(opened, ran2);
    const second = await open({ store: place(), recover: false });
    expect(await second.get('left')).toMatchObject({ interrupted: true });
    expect(await second.markStale({ olderThanMs: 3_600_000 })).toEqual([]);
    expect(await second.markStale({ olderThanMs: 0, dryRun: true })).toEqual(['left']);
    expect(await second.get('left')).toMatchObject({ interrupted: true, status: 'running' });
    expect(await second.markStale({ olderThanMs: 0 })).toEqual(['left']);
    expect(await second.get('left')).toMatchObject({
      status: 'failed',
      interrupted: false,
      failed_node: null,
      error: { code: 'EXECUTION_STALE' },
    });
    expect(await second.markStale({ olderThanMs: 0 })).toEqual([]);
    const events: string[] = [];
    for await (const event of second.events('left')) events.push(event.event_type);
    expect(events.at(-1)).toMatch(/workflow_failed|node_cancelled/);
    expect(events).toContain('workflow_failed');

    const again = await second.retry('left', { workflow });
    expect((await again.result).status).toBe('completed');
    expect(ran2.of('second')).toBe(1);
  });

  it('leaves alone what somebody runs', async () => {
    const runtime = await open({ store: create()() });
    const gate = new Gate();
    const execution = await runtime.start(waiting(gate), {}, { executionId: 'busy' });
    expect(await runtime.markStale({ olderThanMs: 0 })).toEqual([]);
    gate.open();
    expect((await execution.result).status).toBe('completed');
  });
});

describe('a crowded store', () => {
  it.each([
    [1000, 0],
    [1001, 1],
  ])('of %i executions is warned of %i times', async (stored, warnings) => {
    const kv = outliving(new MemoryKv());
    const store = await openStore(kv);
    for (let i = 0; i < stored; i++)
      await add(store, record(`e${i}`, { status: 'completed', endedAtMs: 2000, createdAtMs: 1000 + i }));
    const warned: string[] = [];
    const silent = (): void => {};
    const logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (_: unknown, message: string) => void warned.push(message),
    };
    const runtime = await open({ store: kv, logger });
    expect(warned.filter((message) => message.includes('many executions'))).toHaveLength(warnings);
    expect((await runtime.collect({ keep: 10 })).deleted).toHaveLength(stored - 10);
  });
});
