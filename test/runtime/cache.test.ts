import { describe, expect, it } from 'vitest';
import { storedCache } from '../../src/runtime/cache.js';
import { cachedKey } from '../../src/store/keys.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { SimulatedClock } from '../support/simulation.js';

const hashOf = (n: number): string => n.toString(16).padStart(64, '0');

/** Three results of two nodes, of which one is too old, and a damaged one. */
async function filled() {
  const clock = new SimulatedClock();
  const kv = new MemoryKv();
  const store = await openStore(kv);
  const nowMs = clock.nowMs();
  const keep = (n: number, workflowId: string, nodeId: string, ageMs: number) =>
    store.commit([
      store.cached.put(hashOf(n), {
        output: '{}',
        expiresAtMs: nowMs - ageMs + 1000,
        keptAtMs: nowMs - ageMs,
        executionId: 'e',
        workflowId,
        nodeId,
      }),
    ]);
  await keep(1, 'w', 'a', 0);
  await keep(2, 'w', 'a', 1000);
  await keep(0xf3, 'v', 'a', 10);
  await kv.commit([{ op: 'put', key: cachedKey(hashOf(9)), value: new Uint8Array(9) }]);
  return { cache: storedCache(store, clock), nowMs, store };
}

describe('the cache of a store', () => {
  it('is counted by node, and by what is too old or damaged', async () => {
    const { cache, nowMs } = await filled();
    const stat = await cache.stat();
    expect(stat).toMatchObject({
      entries: 4,
      expired: 1,
      damaged: 1,
      oldest_at: new Date(nowMs - 1000).toISOString(),
      newest_at: new Date(nowMs).toISOString(),
      nodes: [
        { workflow_id: 'w', node_id: 'a', entries: 2, expired: 1 },
        { workflow_id: 'v', node_id: 'a', entries: 1, expired: 0 },
      ],
    });
    const ofNodes = stat.nodes.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
    expect(stat.size_bytes).toBe(ofNodes + cachedKey(hashOf(9)).length + 9);
  });

  it.each([
    [{}, 4],
    [{ expired: true }, 2],
    [{ workflowId: 'w' }, 2],
    [{ workflowId: 'w', expired: true }, 1],
    [{ nodeId: 'a' }, 3],
    [{ nodeId: 'b' }, 0],
    [{ key: hashOf(1) }, 1],
    [{ key: '0'.repeat(62) }, 4],
    [{ key: '0'.repeat(63) }, 3],
  ])('loses what %j says, and nothing else', async (filter, gone) => {
    const { cache } = await filled();
    expect(await cache.clear({ ...filter, dryRun: true })).toBe(gone);
    expect((await cache.stat()).entries).toBe(4);
    expect(await cache.clear(filter)).toBe(gone);
    expect((await cache.stat()).entries).toBe(4 - gone);
    expect(await cache.clear({ ...filter, dryRun: true })).toBe(0);
  });

  it('is deleted in several commits when it is large', async () => {
    const { cache, store, nowMs } = await filled();
    const row = { output: '1', expiresAtMs: nowMs + 1, executionId: 'e', nodeId: 'many' };
    await store.commit(Array.from({ length: 1200 }, (_, n) => store.cached.put(hashOf(1000 + n), row)));
    expect(await cache.clear({ nodeId: 'many' })).toBe(1200);
    expect((await cache.stat()).entries).toBe(4);
  });

  it('refuses what is no key', async () => {
    const { cache } = await filled();
    await expect(cache.clear({ key: 'A/' })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('has no times of results that an earlier release kept', async () => {
    const store = await openStore(new MemoryKv());
    await store.commit([
      store.cached.put(hashOf(1), { output: '1', expiresAtMs: 1, executionId: 'e', nodeId: 'a' }),
    ]);
    expect(await storedCache(store, new SimulatedClock()).stat()).toMatchObject({
      oldest_at: null,
      newest_at: null,
      nodes: [{ workflow_id: null, node_id: 'a' }],
    });
  });
});
