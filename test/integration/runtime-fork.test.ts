import { describe, expect, it } from 'vitest';
import { createRuntime, defineWorkflow, verifyStore, type Workflow } from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { collect, Counter, runtimes, storeKinds } from './support/runtimes.js';

const open = runtimes();
const tempDir = tempDirs('maestro-fork');

/** a → b → d, a → c (skipped) → d; b's output is large. */
function diamond(ran: Counter): Workflow {
  const note = (id: string, output: unknown) => () => {
    ran.note(id);
    return output;
  };
  return defineWorkflow({ id: 'diamond' })
    .node('a', { execute: note('a', 1) })
    .node('b', { dependsOn: ['a'], execute: note('b', 'x'.repeat(100_000)) })
    .node('c', { dependsOn: ['a'], condition: 'outputs.a == 2', execute: note('c', 3) })
    .node('d', {
      dependsOn: ['b'],
      execute: ({ dependencyOutputs, globalContext }) => {
        ran.note('d');
        return { length: (dependencyOutputs.b as string).length, colour: globalContext.colour };
      },
    })
    .build();
}

describe.each(storeKinds())('fork on %s', (_, place) => {
  it('keeps what was done before a node, and changes nothing of the other one', async () => {
    const ran = new Counter();
    const workflow = diamond(ran);
    const runtime = await open({ store: place()(), workflows: [workflow] });
    const first = await runtime.start(workflow, { colour: 'red' }, { executionId: 'first' });
    await first.result;
    const before = await runtime.get('first');
    const forked = await runtime.fork('first', {
      from: ['d'],
      context: { colour: 'blue' },
      executionId: 'second',
    });
    expect(await forked.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    expect([ran.of('a'), ran.of('b'), ran.of('c'), ran.of('d')]).toEqual([1, 1, 0, 2]);
    const document = (await runtime.get('second'))!;
    expect(document.node_outputs).toMatchObject({ a: 1, d: { length: 100_000, colour: 'blue' } });
    expect(document.node_states.c.status).toBe('skipped');
    expect(document.node_states.b.start_time).toBe(before!.node_states.b.start_time);
    expect(document.forked_from).toEqual({ execution_id: 'first', nodes: ['d'] });
    expect(await runtime.get('first')).toEqual(before);

    // What it took along is its own.
    await runtime.delete('first');
    const { node_outputs } = (await runtime.get('second'))!;
    expect((node_outputs.b as string).length).toBe(100_000);
    // Its past can be replayed, and its events are told, as of any other.
    const replayed = await runtime.replay('second');
    expect(replayed.node_states).toEqual((await runtime.get('second'))!.node_states);
    const types = (await collect(runtime.events('second'))).map(({ event_type }) => event_type);
    expect(types.filter((type) => type === 'node_completed')).toHaveLength(3);
    expect(types.at(-1)).toBe('workflow_completed');
  });

  it('begins in the middle of a failed one, and runs what failed too when it depends on it', async () => {
    let isBroken = true;
    const ran = new Counter();
    const step = (id: string) => () => {
      ran.note(id);
      if (id === 'b' && isBroken) throw new Error('broken');
      return id;
    };
    const workflow = defineWorkflow({ id: 'line' })
      .node('a', { execute: step('a') })
      .node('b', { dependsOn: ['a'], execute: step('b') })
      .node('c', { dependsOn: ['b'], execute: step('c') })
      .build();
    const runtime = await open({ store: place()(), workflows: [workflow] });
    await (
      await runtime.start(workflow, {}, { executionId: 'one' })
    ).result;
    isBroken = false;
    // c alone was asked for, but b has no result: it runs as well.
    expect(await (await runtime.fork('one', { from: ['c'] })).result).toMatchObject({ status: 'completed' });
    expect([ran.of('a'), ran.of('b'), ran.of('c')]).toEqual([1, 2, 1]);
    expect((await runtime.get('one'))!.status).toBe('failed');
  });

  it('refuses what cannot be, and leaves nothing behind', async () => {
    const workflow = diamond(new Counter());
    const runtime = await open({ store: place()(), workflows: [workflow] });
    await (
      await runtime.start(workflow, {}, { executionId: 'first' })
    ).result;
    const refused = (code: string) => expect.objectContaining({ code }) as Error;
    await expect(runtime.fork('none', { from: ['a'] })).rejects.toThrow(refused('EXECUTION_NOT_FOUND'));
    await expect(runtime.fork('first', { from: ['x'] })).rejects.toThrow(refused('NODE_NOT_FOUND'));
    await expect(runtime.fork('first', { from: [] })).rejects.toThrow(refused('USAGE'));
    await expect(runtime.fork('first', { from: ['a'], executionId: 'first' })).rejects.toThrow(
      refused('EXECUTION_EXISTS'),
    );
    await expect(runtime.fork('first', { from: ['a'], context: { big: 1n } })).rejects.toThrow(
      refused('CONTEXT_INVALID'),
    );
    expect((await runtime.list()).records).toHaveLength(1);
  });
});

describe('a fork on disk', () => {
  it('is sound, and goes on in another process as any other', async () => {
    const store = `lmdb:${tempDir()}`;
    const ran = new Counter();
    const workflow = diamond(ran);
    const first = await createRuntime({ store, workflows: [workflow] });
    await (
      await first.start(workflow, {}, { executionId: 'first' })
    ).result;
    await first.fork('first', { from: ['b'], executionId: 'second' });
    await first.close({ drainMs: 0 });
    const second = await open({ store, workflows: [workflow] });
    await expect.poll(async () => (await second.get('second'))!.status).toBe('completed');
    expect(ran.of('a')).toBe(1);
    await second.close();
    expect((await verifyStore(store)).damage).toEqual([]);
  });
});
