import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Kv, type Runtime, type Workflow } from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { outliving } from '../support/outliving-kv.js';
import { Gate, runtimes, storeKinds, until, type StorePlace } from './support/runtimes.js';

const open = runtimes();

/** It still runs what it is given. */
async function expectAlive(runtime: Runtime): Promise<void> {
  const other = defineWorkflow<Record<string, unknown>>({ id: 'other' });
  other.node('n', { execute: () => 1 });
  const { result } = await runtime.start(other.build());
  expect(await result).toMatchObject({ status: 'completed' });
}

/** Leaves an execution of a workflow behind that has completed `first` and was at `second`. */
async function left(place: StorePlace, workflow: Workflow, reached: Promise<void>): Promise<string> {
  const runtime = await open({ store: place() });
  const { id } = await runtime.start(workflow);
  await reached;
  await runtime.close({ drainMs: 0 });
  return id;
}

describe.each(storeKinds())('an execution whose functions are not known here, on %s', (_, create) => {
  it.each([
    ['that was asked for', undefined, true],
    ['that the workflow wants always', 'always', undefined],
  ] as const)('is not cancelled with a compensation %s that needs them', async (_name, compensate, asked) => {
    const place = create();
    const reached = new Gate();
    const undone: string[] = [];
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'w', compensate });
    builder.node('first', { execute: () => 1, compensate: { execute: () => void undone.push('first') } });
    builder.node('second', {
      dependsOn: ['first'],
      execute: () => {
        reached.open();
        return new Promise(() => {});
      },
    });
    const workflow = builder.build();
    const id = await left(place, workflow, reached.passed);

    const runtime = await open({ store: place() });
    await expect(runtime.cancel(id, undefined, { compensate: asked })).rejects.toMatchObject({
      code: 'EXECUTOR_MISSING',
    });
    await expectAlive(runtime);
    expect(await runtime.get(id)).toMatchObject({ status: 'running' });
    await runtime.close();

    const knowing = await open({ store: place(), workflows: [workflow] });
    await knowing.cancel(id, undefined, { compensate: asked });
    await until(async () => (await knowing.get(id))!.status === 'cancelled', 'it is cancelled');
    expect(undone).toEqual(['first']);
  });
});

/** One more life of a store. What is large in it can be read only once that is let through. */
function slowToRead(kv: Kv, { passed }: Gate): Kv {
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    const bytes = await kv.get(key);
    if (bytes !== undefined && bytes.length > 100_000) await passed;
    return bytes;
  };
  return { ...outliving(kv), get };
}

/** A store that takes nothing more once it has taken something large. */
function fullAfterLarge(kv: Kv): Kv {
  let isFull = false;
  const commit: Kv['commit'] = async (ops, guards) => {
    if (isFull) throw new Error('no space left');
    isFull = ops.some((op) => op.op === 'put' && op.value.length > 100_000);
    return kv.commit(ops, guards);
  };
  return { ...outliving(kv), commit };
}

it('what cannot run here is paused without being begun, and goes on with its functions only', async () => {
  const kv = outliving(new MemoryKv());
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'w' });
  builder.node('first', { execute: () => ({ text: 'x'.repeat(200_000) }) });
  const condition = "outputs['first'].text != ''";
  builder.node('asked', { dependsOn: ['first'], condition, execute: () => 1 });
  const workflow = builder.build();
  // It ends between the completion of the first node and the answer to the condition that asks about it.
  const began = await open({ store: fullAfterLarge(kv) });
  const { id, result: lost } = await began.start(workflow);
  await expect(lost).rejects.toThrow('no space left');
  await began.close().catch(() => undefined);

  const runtime = await open({ store: slowToRead(kv, new Gate()) });
  await runtime.pause(id);
  await expect(runtime.resume(id)).rejects.toMatchObject({ code: 'EXECUTOR_MISSING' });
  await expectAlive(runtime);
  await runtime.close();

  const reading = new Gate();
  const knowing = await open({ store: slowToRead(kv, reading), workflows: [workflow] });
  const { result } = await knowing.resume(id);
  reading.open();
  expect(await result).toMatchObject({ status: 'completed' });
});
