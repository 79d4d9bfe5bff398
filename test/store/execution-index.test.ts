import { expect, test } from 'vitest';
import { queryIndex, indexOps, reindexOps } from '../../src/store/execution-index.js';
import { statusPrefix } from '../../src/store/keys.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { record } from '../support/store-fixtures.js';

test('an execution that changes its status while it is listed is listed once', async () => {
  const rows = new MemoryKv();
  const [early, late] = [record('early'), record('late', { createdAtMs: 2_000 })];
  await rows.commit([early, late].flatMap(indexOps));
  const kv: Kv = {
    get: (key) => rows.get(key),
    scan: (range) => rows.scan(range),
    async *keys(range) {
      yield* rows.keys(range);
      // It begins when the pending ones have been looked at, and the running ones have not.
      if (range.start.startsWith(statusPrefix('pending')))
        await rows.commit(reindexOps(late, { ...late, status: 'running' }));
    },
    commit: (ops) => rows.commit(ops),
    close: () => rows.close(),
  };
  expect(await queryIndex(kv, {})).toEqual({ ids: ['late', 'early'] });
});

test('what is listed twice by its index leaves no gap in a page', async () => {
  const rows = new MemoryKv();
  const all = Array.from({ length: 5 }, (_, n) => record(`e${n}`, { createdAtMs: 1_000 + n }));
  await rows.commit(all.flatMap(indexOps));
  await rows.commit(indexOps({ ...all[4], status: 'running' }));
  const first = await queryIndex(rows, { limit: 3 });
  expect(first.ids).toEqual(['e4', 'e3', 'e2']);
  expect((await queryIndex(rows, { limit: 3, after: first.next })).ids).toEqual(['e1', 'e0']);
});
