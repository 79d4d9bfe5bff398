import { describe, expect, it } from 'vitest';
import { defineWorkflow, openKv, type Durability, type Kv } from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';
import { outliving } from '../support/outliving-kv.js';
import { collect, Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

/** first → second, which waits at the gate unless it is told to stop → third. */
function gated(gate: Gate, ran = new Counter(), id = 'gated') {
  const execute = ({ nodeId }: { nodeId: string }) => (ran.note(nodeId), nodeId);
  return defineWorkflow({ id })
    .node('first', { execute })
    .node('second', {
      dependsOn: ['first'],
      execute: async ({ signal, idempotencyKey }) => {
        ran.note('second');
        await Promise.race([gate.passed, new Promise((_, stop) => signal.addEventListener('abort', stop))]);
        return idempotencyKey;
      },
    })
    .node('third', { dependsOn: ['second'], execute })
    .build();
}

describe.each(storeKinds())('a runtime that is closed with work left, on %s', (_, create) => {
  it('leaves it to the next one, whatever waits or runs', async () => {
    const place = create()();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = gated(gate, ran);
    const first = await open({ store: place, maxActiveExecutions: 2 });
    const executions = await Promise.all(Array.from({ length: 4 }, () => first.start(workflow)));
    await until(() => ran.of('second') === 2, 'two wait at the gate');
    await first.close({ drainMs: 0 });
    for (const { result } of executions)
      await expect(result).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
    gate.open();
    const second = await open({ store: place, workflows: [workflow] });
    expect(second.recovered.map(({ executionId }) => executionId).sort()).toEqual(
      executions.map(({ id }) => id).sort(),
    );
    for (const { id } of executions) {
      await until(async () => (await second.get(id))!.status === 'completed', `${id} has ended`);
      expect((await second.get(id))!).toMatchObject({ status: 'completed', completed_nodes: 3 });
    }
    // What was completed did not run again; what was interrupted did.
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 4, second: 6, third: 4 });
  });

  it('goes on when resumed, although a pause that nobody saw is in the inbox; a cancellation stays', async () => {
    const place = create()();
    for (const kind of ['pause', 'cancel'] as const) {
      const [gate, id] = [new Gate(), `late-${kind}`];
      const workflow = gated(gate);
      const first = await open({ store: place });
      await first.start(workflow, {}, { executionId: id });
      await first.close({ drainMs: 0 });
      const inbox = await openStore(place);
      await inbox.commit([inbox.putRequest({ requestId: id, executionId: id, kind, createdAtMs: 1 })]);
      await inbox.close();
      const second = await open({ store: place, recover: false });
      const resumed = await second.resume(id, { workflow });
      // Long enough for the inbox to be looked at.
      await new Promise((later) => setTimeout(later, 300));
      gate.open();
      expect((await resumed.result).status).toBe(kind === 'pause' ? 'completed' : 'cancelled');
      await second.close();
    }
  });

  it('lets running nodes finish while it drains', async () => {
    const place = create()();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = gated(gate, ran);
    const first = await open({ store: place });
    const { id } = await first.start(workflow);
    await until(() => ran.of('second') === 1, 'second runs');
    const closing = first.close();
    gate.open();
    await closing;
    const second = await open({ store: place, recover: false });
    const { status, interrupted, node_states } = (await second.get(id))!;
    expect({ status, interrupted }).toEqual({ status: 'running', interrupted: true });
    expect(node_states).toMatchObject({ second: { status: 'completed' }, third: { status: 'ready' } });
    expect(ran.of('third')).toBe(0);
    expect((await (await second.resume(id, { workflow })).result).status).toBe('completed');
    expect(ran.of('second')).toBe(1);
  });
});

describe('a damaged record', () => {
  it('stops only the execution it belongs to, and says which', async () => {
    const kv = outliving(await openKv('memory:'));
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = gated(gate, ran);
    const first = await open({ store: kv });
    const [bad, good] = await Promise.all([first.start(workflow), first.start(workflow)]);
    await until(() => ran.of('second') === 2, 'both run');
    await first.close({ drainMs: 0 });
    for await (const { key, value } of kv.scan({ start: `x/${bad.id}/j/`, end: `x/${bad.id}/j0` })) {
      value[value.length - 6] ^= 1;
      await kv.commit([{ op: 'put', key, value }]);
    }
    gate.open();
    const errors: object[] = [];
    const nothing = () => undefined;
    const logger = {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields: object) => errors.push(fields),
    };
    const second = await open({ store: kv, workflows: [workflow], logger });
    await until(async () => (await second.get(good.id))!.status === 'completed', 'the other one has ended');
    const corrupt = { code: 'RECORD_CORRUPT', message: expect.stringContaining(bad.id) as string };
    expect(errors).toMatchObject([{ execution_id: bad.id, error: corrupt }]);
    await expect(second.get(bad.id)).rejects.toMatchObject(corrupt);
    await expect(second.resume(bad.id)).rejects.toMatchObject(corrupt);
    await expect(collect(second.events(bad.id))).rejects.toMatchObject(corrupt);
    expect((await (await second.start(workflow)).result).status).toBe('completed');
    // Closing must not stumble over it, and the next runtime meets it again.
    await second.close();
    const third = await open({ store: kv, workflows: [workflow] });
    await expect(third.get(bad.id)).rejects.toMatchObject(corrupt);
  });
});

describe('durability', () => {
  const completions = async (kv: Kv, id: string): Promise<number> => {
    let count = 0;
    for await (const { entries } of (await openStore(kv)).journal(id))
      count += entries.filter(({ event }) => event.type === 'attemptSucceeded').length;
    return count;
  };

  it.each<[Durability, number]>([
    ['sync', 1],
    ['async', 1],
    ['exit', 0],
  ])('%s: while the second node runs, %i completion is in the store', async (durability, stored) => {
    const kv = outliving(await openKv('memory:'));
    const [gate, ran] = [new Gate(), new Counter()];
    const runtime = await open({ store: kv, durability });
    const { id, result } = await runtime.start(gated(gate, ran));
    await until(() => ran.of('second') === 1, 'second runs');
    await until(
      async () => (await runtime.get(id))!.node_states.first.status === 'completed',
      'first is told',
    );
    if (stored > 0) await until(async () => (await completions(kv, id)) > 0, 'first is stored');
    expect(await completions(kv, id)).toBe(stored);
    expect((await runtime.get(id))!).toMatchObject({
      status: 'running',
      node_states: { second: { status: 'running' } },
      node_outputs: { first: 'first' },
    });
    gate.open();
    expect((await result).status).toBe('completed');
    expect(await completions(kv, id)).toBe(3);
    expect((await runtime.get(id))!.completed_nodes).toBe(3);
  });

  it('sync: a node is not started before what it depends on is stored', async () => {
    const kv = outliving(await openKv('memory:'));
    const runtime = await open({ store: kv });
    let seen = -1;
    const workflow = defineWorkflow({ id: 'two' })
      .node('first', { execute: () => 'done' })
      .node('second', {
        dependsOn: ['first'],
        execute: async () => {
          const { records } = await runtime.list();
          seen = await completions(kv, records[0].executionId);
        },
      })
      .build();
    expect((await (await runtime.start(workflow)).result).status).toBe('completed');
    expect(seen).toBe(1);
  });

  it('exit: pausing stores everything', async () => {
    const kv = outliving(await openKv('memory:'));
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = gated(gate, ran);
    const first = await open({ store: kv, durability: 'exit' });
    const execution = await first.start(workflow);
    await until(() => ran.of('second') === 1, 'second runs');
    await first.pause(execution.id);
    gate.open();
    expect((await execution.result).status).toBe('paused');
    expect(await completions(kv, execution.id)).toBe(2);
    await first.close();
    const second = await open({ store: kv, workflows: [workflow] });
    expect((await (await second.resume(execution.id)).result).status).toBe('completed');
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 1, second: 1, third: 1 });
  });
});

describe('a store that fails', () => {
  it('stops the runtime: nothing more is acknowledged, and everyone who waits is told', async () => {
    const inner = outliving(await openKv('memory:'));
    let broken = false;
    const kv: Kv = {
      ...inner,
      commit: (ops, guards) => (broken ? Promise.reject(new Error('disk full')) : inner.commit(ops, guards)),
    };
    const told: string[] = [];
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = gated(gate, ran);
    const runtime = await open({
      store: kv,
      onEvent: ({ event_type, node_id }) => told.push(`${event_type} ${node_id}`),
    });
    const execution = await runtime.start(workflow);
    await until(() => ran.of('second') === 1, 'second runs');
    const following = collect(execution.events());
    broken = true;
    gate.open();
    await expect(execution.result).rejects.toMatchObject({
      message: expect.stringContaining('disk full') as string,
    });
    await following;
    expect(told).not.toContain('node_completed second');
    await expect(runtime.start(workflow)).rejects.toMatchObject({ code: 'RUNTIME_DIED' });
    await runtime.close();
    broken = false;
    const next = await open({ store: kv, workflows: [workflow] });
    expect(next.recovered).toEqual([{ executionId: execution.id }]);
    expect((await (await next.resume(execution.id)).result).status).toBe('completed');
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 1, second: 2, third: 1 });
  });
});
