import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMaestroError } from '../../src/base/errors.js';
import type { KvExecutionStore } from '../../src/store/execution-store.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import { add, contentsOf, record } from '../support/store-fixtures.js';

const PROCESS = { pid: 1, processStart: '1@pid', bootId: 'b', hostname: 'h', createdAtMs: 1 };
const OWNERS = ['dead', 'gone', 'fenced'] as const;

interface Wish {
  /** Which execution; several wishes may be about the same. */
  readonly execution: number;
  readonly to: 'me' | 'fenced' | null;
  /** The record is another one by now. */
  readonly isOutdated: boolean;
}

const scripts = fc.record({
  owners: fc.array(fc.constantFrom(...OWNERS, null), { minLength: 1, maxLength: 6 }),
  wishes: fc.array(
    fc.record({
      execution: fc.nat(5),
      to: fc.constantFrom('me', 'me', 'me', 'fenced', null),
      isOutdated: fc.boolean(),
    }),
    { minLength: 1, maxLength: 10 },
  ),
});

/** A store of one execution for each owner given; who is `fenced` was taken for dead before. */
async function storeOf(owners: readonly (string | null)[], kv: Kv): Promise<KvExecutionStore> {
  const store = await openStore(kv);
  for (const [k, ownerId] of owners.entries())
    await add(store, record(`e${k}`, { status: 'running', ownerId }));
  await store.commit(OWNERS.map((ownerId) => store.putOwner({ ownerId, ...PROCESS })));
  await add(store, record('before', { status: 'running', ownerId: 'fenced' }));
  const seen = (await store.getRecord('before'))!;
  await store.takeOver(seen, { ...seen, ownerId: 'me', updatedAtMs: 2000 });
  return store;
}

/** `done`, or the code of what it failed of. */
function takeOver(
  store: KvExecutionStore,
  found: ExecutionRecord,
  { to, isOutdated }: Wish,
): Promise<string> {
  const seen = isOutdated ? { ...found, updatedAtMs: 999 } : found;
  return store.takeOver(seen, { ...seen, ownerId: to, updatedAtMs: 3000 }).then(
    () => 'done',
    (error: unknown) => (isMaestroError(error) ? error.code : String(error)),
  );
}

/** Counts commits. */
class CountingKv extends MemoryKv {
  commits = 0;

  override commit(...args: Parameters<MemoryKv['commit']>): Promise<void> {
    this.commits++;
    return super.commit(...args);
  }
}

describe('executions that are taken over at once', () => {
  it('come to what they come to one by one, whoever had them and whatever has changed', async () => {
    const met = new Set<string>();
    const property = fc.asyncProperty(scripts, async ({ owners, wishes }) => {
      const [together, alone] = [new MemoryKv(), new MemoryKv()];
      const [store, other] = [await storeOf(owners, together), await storeOf(owners, alone)];
      const found = await Promise.all(owners.map(async (_, k) => (await store.getRecord(`e${k}`))!));
      const ofWish = (wish: Wish): ExecutionRecord => found[wish.execution % owners.length];

      const outcomes = await Promise.all(wishes.map((wish) => takeOver(store, ofWish(wish), wish)));
      for (const each of outcomes) met.add(each);

      const about = new Map<ExecutionRecord, string[]>();
      for (const [k, wish] of wishes.entries())
        about.set(ofWish(wish), [...(about.get(ofWish(wish)) ?? []), outcomes[k]]);
      for (const told of about.values())
        expect(told.filter((each) => each === 'done').length).toBeLessThan(2);
      // Which of several about one execution is the first depends on what else is asked with them.
      if (about.size < wishes.length) return;
      for (const [k, wish] of wishes.entries())
        expect(await takeOver(other, ofWish(wish), wish)).toBe(outcomes[k]);
      expect(await contentsOf(together)).toEqual(await contentsOf(alone));
    });
    await fc.assert(property);
    expect([...met].sort()).toEqual(['LEASE_LOST', 'STORE_CONFLICT', 'done']);
  });

  it.each([
    ['are one commit', -1, 1],
    ['are a commit each when one of them has changed, which harms no other', 1, 4],
  ])('%s', async (_, changed, commits) => {
    const kv = new CountingKv();
    const store = await storeOf(['dead', 'dead', 'dead'], kv);
    const found = await Promise.all([0, 1, 2].map(async (k) => (await store.getRecord(`e${k}`))!));
    kv.commits = 0;
    const outcomes = await Promise.all(
      found.map((each, k) => takeOver(store, each, { execution: k, to: 'me', isOutdated: k === changed })),
    );
    expect(outcomes).toEqual(found.map((_, k) => (k === changed ? 'STORE_CONFLICT' : 'done')));
    expect(kv.commits).toBe(commits);
  });

  it('of the same execution are one after the other', async () => {
    const store = await storeOf(['dead'], new MemoryKv());
    const found = (await store.getRecord('e0'))!;
    const wish: Wish = { execution: 0, to: 'me', isOutdated: false };
    expect(await Promise.all([takeOver(store, found, wish), takeOver(store, found, wish)])).toEqual([
      'done',
      'STORE_CONFLICT',
    ]);
  });
});
