import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Workflow } from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { programs } from './support/program.js';
import { collect, runtimes, until } from './support/runtimes.js';

const open = runtimes();
const start = programs();
const tempDir = tempDirs('maestro-processes');
const newStore = (): string => `lmdb:${tempDir()}`;

/** The structure of the program's workflow "long". */
function long(ids = ['first', 'second', 'third'], id = 'long'): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id });
  ids.forEach((node, i) =>
    builder.node(node, { dependsOn: ids.slice(Math.max(0, i - 1), i), execute: () => node }),
  );
  return builder.build();
}

/** A process that has begun the second node of "long". */
async function serving(store = newStore()) {
  const server = start('serve', store);
  const { id, pid } = (await server.until((fact) => fact.id !== undefined)) as { id: string; pid: number };
  await server.until(({ began }) => began === 'second');
  return { server, store, id, pid };
}

describe('a process', () => {
  it('starts nothing by importing the library', async () => {
    const program = start('import', '');
    expect(await program.ended).toBe(0);
    expect(program.facts).toEqual([{ handles: [] }]);
  });

  it.each(['memory:', newStore()])('ends by itself once its runtime is closed (%s)', async (store) => {
    const program = start('once', store);
    expect(await program.ended).toBe(0);
    expect(program.facts).toEqual([{ status: 'completed' }]);
  });

  it('is not kept by workers that have nothing to do', async () => {
    const program = start('leave', newStore());
    expect(await program.ended).toBe(0);
    expect(program.facts).toEqual([{ status: 'completed' }]);
  });
});

describe('an execution that another living process runs', () => {
  it('is not taken over, and cannot be resumed, which names that process', async () => {
    const { store, id, pid, server } = await serving();
    const runtime = await open({ store, workflows: [long()] });
    expect(runtime.recovered).toEqual([]);
    expect((await runtime.get(id))!).toMatchObject({ status: 'running', interrupted: false });
    const refused = runtime.resume(id, { workflow: long() });
    await expect(refused).rejects.toMatchObject({ code: 'EXECUTION_OWNED', details: { pid } });
    await expect(refused).rejects.toThrow(String(pid));
    await server.kill();
    await until(async () => (await runtime.get(id))!.interrupted, 'its end is seen');
  });

  it('is cancelled through the inbox', async () => {
    const { store, id, server } = await serving();
    const runtime = await open({ store });
    await runtime.cancel(id, 'from elsewhere');
    await server.until(({ status }) => status === 'cancelled');
    expect(await server.ended).toBe(0);
    const { status } = (await runtime.get(id))!;
    expect(status).toBe('cancelled');
    const events = await collect(runtime.events(id));
    expect(events.find((event) => event.event_type === 'workflow_cancelled')!.data).toEqual({
      reason: 'from elsewhere',
    });
  });

  it('is paused through the inbox; when its process is killed then, it waits to be resumed', async () => {
    const { store, id, server } = await serving();
    const runtime = await open({ store, workflows: [long()] });
    await runtime.pause(id);
    await until(async () => (await runtime.get(id))!.status === 'paused', 'it is paused');
    expect((await runtime.get(id))!.node_states.second.status).toBe('running');
    await server.kill();
    const third = await open({ store, workflows: [long()] });
    expect(third.recovered).toEqual([]);
    const resumed = await third.resume(id);
    expect(await resumed.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
  });
});

describe('an execution whose process was killed', () => {
  it('is resumed by the next one: what was completed does not run again, what was interrupted does', async () => {
    const { store, server } = await serving();
    await server.kill();
    const next = start('reopen', store);
    expect(await next.ended).toBe(0);
    const begun = (facts: typeof next.facts) =>
      facts
        .filter(({ began }) => began !== undefined)
        .map(({ began, key, attempt }) => ({ began, key, attempt }));
    const [first, second] = begun(server.facts);
    const [again, third] = begun(next.facts);
    expect([first.began, again.began, third.began]).toEqual(['first', 'second', 'third']);
    // The attempt did not fail: it is not charged, and may be recognised by its key.
    expect(again).toEqual(second);
    expect(next.facts.at(-1)).toEqual({ status: 'completed' });
    expect(next.facts.filter(({ event }) => event === 'node_recovered').map(({ node }) => node)).toEqual([
      'second',
    ]);
  });

  it('is left alone where its functions are not known, and says so', async () => {
    const { store, id, server } = await serving();
    await server.kill();
    const peek = start('peek', store);
    expect(await peek.ended).toBe(0);
    expect(peek.facts).toEqual([
      {
        recovered: [
          { executionId: id, error: expect.objectContaining({ code: 'EXECUTOR_MISSING' }) as object },
        ],
      },
    ]);
    const runtime = await open({ store, recover: false });
    expect((await runtime.get(id))!).toMatchObject({ status: 'running', interrupted: true });
    await expect(runtime.resume(id)).rejects.toMatchObject({ code: 'EXECUTOR_MISSING' });
    expect((await (await runtime.resume(id, { workflow: long() })).result).status).toBe('completed');
  });

  it('is not resumed with another structure; both sides are listed', async () => {
    const { store, id, server } = await serving();
    await server.kill();
    const changed = long(['first', 'other', 'third']);
    const runtime = await open({ store, workflows: [changed] });
    expect(runtime.recovered).toMatchObject([{ executionId: id, error: { code: 'STRUCTURE_MISMATCH' } }]);
    const error: Error = await runtime.resume(id, { workflow: changed }).then(
      () => expect.fail('it was resumed'),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'STRUCTURE_MISMATCH' });
    expect(error.message).toMatch(/second/);
    expect(error.message).toMatch(/other/);
    expect((await runtime.get(id))!).toMatchObject({ status: 'running', interrupted: true });
  });

  it('can be cancelled by any process, also without its functions', async () => {
    const { store, id, server } = await serving();
    await server.kill();
    const runtime = await open({ store });
    await runtime.cancel(id);
    await until(async () => (await runtime.get(id))!.status === 'cancelled', 'it is cancelled');
    expect((await runtime.get(id))!.node_states).toMatchObject({
      first: { status: 'completed' },
      second: { status: 'cancelled' },
      third: { status: 'cancelled' },
    });
  });
});
