import { expect, it } from 'vitest';
import { createRuntime, defineWorkflow, MaestroError, openKv, type Kv } from '../../src/runtime/index.js';

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
