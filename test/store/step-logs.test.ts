import { describe, expect, it } from 'vitest';
import { MemoryKv } from '../../src/store/memory-kv.js';
import type { StepLog } from '../../src/store/step-logs.js';
import { add, record, withStoreOf } from '../support/store-fixtures.js';

const withStore = withStoreOf(async () => new MemoryKv());
const log = (node: number, run: number, attempt: number, beganMs = 7, text = 'x'): StepLog => ({
  node,
  run,
  attempt,
  beganMs,
  writtenChars: text.length,
  entries: [{ stream: 'stderr', atMs: 8, offset: 0, text }],
});
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('logs in the store', () => {
  it(
    'come in the order of nodes, runs and attempts, whole, and from any place on',
    withStore(async (store) => {
      const logs = [
        log(0, 0, 1),
        log(0, 0, 2),
        log(0, 1, 1),
        log(2, 0, 1, 7),
        log(2, 0, 1, 9),
        log(300, 0, 1),
      ];
      await store.commit([...logs].reverse().map((each) => store.putLog('e', each)));
      await store.commit([store.putLog('e2', log(0, 0, 1))]);
      const found = await all(store.logs('e'));
      expect(found.map(({ place: _, ...each }) => each)).toEqual(logs);
      for (const [i, { place }] of found.entries()) {
        expect(await all(store.logs('e', { after: place }))).toEqual(found.slice(i + 1));
      }
      expect(await all(store.logs('e', { node: 2 }))).toEqual(found.slice(3, 5));
      expect(await all(store.logs('e', { node: 2, after: found[3].place }))).toEqual([found[4]]);
      expect(await all(store.logs('e', { node: 0, after: found[3].place }))).toEqual([]);
      expect(await all(store.logs('e', { node: 300, after: found[0].place }))).toEqual([found[5]]);
    }),
  );

  it(
    'replace what was written of the same attempt, keep every character, and go with their execution',
    withStore(async (store) => {
      await add(store, record('e', { status: 'completed' }));
      await store.commit([store.putLog('e', log(1, 0, 1))]);
      await store.commit([store.putLog('e', log(1, 0, 1, 7, 'a\u0000"\ud800é€😀\n'))]);
      expect((await all(store.logs('e')))[0].entries[0].text).toBe('a\u0000"\ud800é€😀\n');
      expect((await store.sizes()).logs.rows).toBe(1);
      await store.delete('e');
      expect(await all(store.logs('e'))).toEqual([]);
    }),
  );

  it(
    'say so when they are damaged',
    withStore(async (store, kv) => {
      const op = store.putLog('e', log(1, 0, 1));
      if (op.op === 'put') op.value[3] ^= 1;
      await kv.commit([op]);
      await expect(all(store.logs('e'))).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
    }),
  );
});
