import { expect, it } from 'vitest';
import { createRuntime, defineWorkflow, MaestroError, openKv, type Kv } from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { outliving } from '../support/outliving-kv.js';
import { quiet, SimulatedClock } from '../support/simulation.js';

it('a runtime whose store fails dies of it, whoever made the commit', async () => {
  const kv = await openKv('memory:');
  let broken = false;
  const failing: Kv = {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    commit: (ops, guards) =>
      broken ? Promise.reject(new MaestroError('STORE_COMMIT', 'no space')) : kv.commit(ops, guards),
    close: () => kv.close(),
  };
  const workflow = defineWorkflow({ id: 'w' })
    .node('n', { execute: () => ({}) })
    .build();
  const runtime = await createRuntime({ store: failing });
  expect(runtime.failure).toBeUndefined();
  broken = true;
  // The first commit is that of the lease, which the loop has no part in.
  await expect(runtime.start(workflow)).rejects.toMatchObject({ code: 'STORE_COMMIT' });
  expect(runtime.failure).toMatchObject({ code: 'STORE_COMMIT' });
  broken = false;
  await expect(runtime.start(workflow)).rejects.toMatchObject({ code: 'STORE_COMMIT' });
  await runtime.close({ drainMs: 0 });
});

it('a store that never answers ends the runtime, closes, and leaves its executions to be resumed', async () => {
  const kv = outliving(new MemoryKv());
  const clock = new SimulatedClock();
  const silence = new Promise<never>(() => {});
  let isSilent = false;
  const silent: Kv = {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    commit: (ops, guards) => (isSilent ? silence : kv.commit(ops, guards)),
    close: () => (isSilent ? silence : kv.close()),
  };
  let finish: (() => void) | undefined;
  const workflow = defineWorkflow({ id: 'w' })
    .node('one', { execute: () => new Promise<null>((done) => (finish = () => done(null))) })
    .node('two', { dependsOn: ['one'], execute: () => null })
    .build();
  const runtime = await clock.run(createRuntime({ store: silent, clock }));
  const { id, result } = await clock.run(runtime.start(workflow));
  const failed = expect(clock.run(result)).rejects.toMatchObject({ code: 'STORE_COMMIT' });
  while (finish === undefined) await quiet();
  isSilent = true;
  finish();
  await failed;
  expect(runtime.failure).toMatchObject({
    code: 'STORE_COMMIT',
    message: 'writing to the store failed: it gave no answer within 60 s',
  });
  await clock.run(runtime.close());

  const next = await createRuntime({ store: kv, workflows: [workflow] });
  finish = undefined;
  const resumed = await next.resume(id);
  while (finish === undefined) await quiet();
  (finish as () => void)();
  expect(await resumed.result).toMatchObject({ status: 'completed' });
  await next.close();
});
