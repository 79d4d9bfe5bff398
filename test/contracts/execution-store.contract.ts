import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry, NodeRow } from '../../src/engine/entries.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import type { Kv, KvOp } from '../../src/store/kv.js';
import { openStore } from '../../src/store/open.js';
import { CHECKPOINT_CHUNK } from '../../src/store/types.js';
import { anyEntry } from '../support/store-arbitraries.js';
import { SPEC, add, record, withStoreOf } from '../support/store-fixtures.js';
import { collect } from './kv.contract.js';

const done = (node: number, output = 'null'): Entry => ({
  node,
  event: { type: 'attemptSucceeded', output, artifacts: [], durationMs: 1 },
  atMs: 2000,
});

const row = (leaf: number): NodeRow => ({
  leaf,
  attempt: 1,
  run: 0,
  startedAtMs: 0,
  endedAtMs: 0,
  wakeAtMs: 0,
  output: null,
  artifacts: [],
  error: null,
  condition: null,
  wait: null,
  comments: [],
  iteration: null,
  contracts: [],
});

/** What an ExecutionStore must do, over any adapter. `open` gives a new, empty Kv; the suite closes it. */
export function executionStoreContract(name: string, open: () => Promise<Kv>): void {
  const withStore = withStoreOf(open);

  describe(`ExecutionStore contract: ${name}`, () => {
    describe('conformance scenarios', () => {
      test(
        'MS26: a saved execution with an output is loaded by its id, equal',
        withStore(async (store) => {
          const saved = record('e1', { error: { name: 'E', message: 'ü' }, options: { b: 1, a: [null] } });
          await add(store, saved);
          await store.commit([
            store.appendJournal('e1', { sequence: 0, entries: [done(0, '{"result":42}')] }),
          ]);
          const loaded = await store.load('e1');
          expect(loaded).toEqual({ record: saved, spec: SPEC, globalContext: '{"a":1}', checkpoint: null });
          expect(await store.load('e1', saved)).toEqual(loaded);
          const [first] = await collect(store.journal('e1'));
          expect(first).toEqual({ sequence: 0, entries: [done(0, '{"result":42}')] });
        }),
      );

      test(
        'MS27: listing gives all three, and two for the workflow that has two',
        withStore(async (store) => {
          await add(store, record('e1'));
          await add(store, record('e2'));
          await add(store, record('e3', { workflowId: 'w2' }));
          expect((await store.list()).records).toHaveLength(3);
          const { records, next } = await store.list({ workflowId: 'w1' });
          expect(records.map(({ executionId }) => executionId)).toEqual(['e2', 'e1']);
          expect(next).toBeUndefined();
        }),
      );

      test(
        'MS28: deleting reports true, and a later load finds nothing',
        withStore(async (store) => {
          await add(store, record('e1'));
          expect(await store.delete('e1')).toBe(true);
          expect(await store.load('e1')).toBeUndefined();
          expect(await store.delete('e1')).toBe(false);
        }),
      );
    });

    describe('creating and changing', () => {
      test(
        'an id is given once, whoever is first',
        withStore(async (store) => {
          const attempts = await Promise.allSettled(
            [1, 2, 3].map((n) => add(store, record('e1', { nodeCount: n }))),
          );
          expect(attempts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
          await expect(add(store, record('e1'))).rejects.toMatchObject({ code: 'EXECUTION_EXISTS' });
          expect((await store.getRecord('e1'))?.nodeCount).toBe(1);
        }),
      );

      test(
        'a definition is stored once per content, also when the first attempt to store it failed',
        withStore(async (store, kv) => {
          await add(store, record('e1', { definitionHash: 'other' }));
          const isDefinition = (op: KvOp) => op.key.startsWith('d/');
          const taken = record('e1', { definitionHash: 'hash1' });
          await expect(add(store, taken)).rejects.toMatchObject({ code: 'EXECUTION_EXISTS' });
          expect(store.create(record('e2'), SPEC, '{}').filter(isDefinition)).toHaveLength(1);
          await add(store, record('e2'));
          expect(store.create(record('e3'), SPEC, '{}').filter(isDefinition)).toHaveLength(0);
          await add(store, record('e3'));
          expect(await store.getDefinition('hash1')).toEqual(SPEC);
          expect(await store.getDefinition('unknown')).toBeUndefined();
          expect(await collect(kv.keys({ start: 'd/', end: 'd0' }))).toEqual(['d/hash1', 'd/other']);
        }),
      );

      test(
        'index entries are written only when the status changes',
        withStore(async (store) => {
          const before = record('e1', { status: 'running' });
          expect(store.update(before, { ...before, updatedAtMs: 5 }).map(({ op }) => op)).toEqual(['put']);
          const ops = store.update(before, { ...before, status: 'completed' });
          expect(ops.map(({ op }) => op).sort()).toEqual(['del', 'del', 'put', 'put', 'put']);
        }),
      );

      test(
        'taking over works once, and only for a record that is still as it was seen',
        withStore(async (store) => {
          const created = record('e1', {
            status: 'running',
            ownerId: 'dead',
            options: { z: 1, a: { y: [], b: 2 } },
          });
          await add(store, created);
          const seen = (await store.getRecord('e1'))!;
          await store.takeOver(seen, { ...seen, ownerId: 'me' });
          await expect(store.takeOver(seen, { ...seen, ownerId: 'other' })).rejects.toMatchObject({
            code: 'STORE_CONFLICT',
          });
          expect((await store.getRecord('e1'))?.ownerId).toBe('me');
          await store.takeOver(
            { ...created, ownerId: 'me' },
            { ...created, ownerId: 'third', status: 'paused' },
          );
          expect((await store.list({ status: 'paused' })).records).toHaveLength(1);
          expect((await store.list({ status: 'running' })).records).toHaveLength(0);
        }),
      );

      test(
        'a lease or a request that nobody can read keeps nothing else from being seen',
        withStore(async (store, kv) => {
          const garbage = new Uint8Array(20).fill(7);
          const request = { requestId: 'r', executionId: 'e1', kind: 'pause', createdAtMs: 5 } as const;
          await kv.commit([
            { op: 'put', key: 'p/unreadable', value: garbage },
            { op: 'put', key: 'q/000000000001/unreadable', value: garbage },
            store.putRequest(request),
          ]);
          expect(await store.requests()).toEqual([request]);
          expect(await store.owners()).toEqual([
            expect.objectContaining({ ownerId: 'unreadable', pid: 0, bootId: '' }),
          ]);
          await add(store, record('e1', { status: 'completed' }));
          expect(await store.delete('e1')).toBe(true);
        }),
      );

      test(
        'who lost an execution to another owner commits nothing more, until the fence is old',
        withStore(async (store, kv) => {
          let told = 0;
          store.onFailure(({ code }) => (told += code === 'LEASE_LOST' ? 1 : 0));
          const created = record('e1', { ownerId: 'frozen' });
          await store.commitOwned('frozen', store.create(created, SPEC, '{}'));
          const process = { pid: 1, processStart: '1@pid', bootId: 'b', hostname: 'h', createdAtMs: 1 };
          await store.commit([store.putOwner({ ownerId: 'frozen', ...process })]);
          await store.takeOver(created, { ...created, ownerId: 'me', updatedAtMs: 5_000 });
          expect(await store.owners()).toEqual([]);
          const LOST = { code: 'LEASE_LOST' };
          const late = store.commitOwned('frozen', [store.appendJournal('e1', { sequence: 0, entries: [] })]);
          await expect(late).rejects.toMatchObject(LOST);
          const taken = (await store.getRecord('e1'))!;
          await expect(store.takeOver(taken, { ...taken, ownerId: 'frozen' })).rejects.toMatchObject(LOST);
          const e2 = { ...taken, executionId: 'e2', ownerId: 'frozen' };
          await expect(store.commitNew(e2, [])).rejects.toMatchObject(LOST);
          expect([told, await store.getRecord('e1'), await store.lastSequence('e1')]).toEqual([3, taken, -1]);
          await store.commitOwned('me', [store.appendJournal('e1', { sequence: 0, entries: [] })]);
          expect(await store.lastSequence('e1')).toBe(0);

          expect(await store.deleteFences(5_000)).toEqual([]);
          const old = await store.deleteFences(5_001);
          expect(old).toHaveLength(1);
          await store.commit(old);
          expect(await kv.get(old[0].key)).toBeUndefined();
        }),
      );
    });

    describe('journal, outputs, checkpoints', () => {
      test('any journal comes back in order, from any place', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(anyEntry, { maxLength: 4 }), { maxLength: 30 }),
            fc.nat({ max: 35 }),
            async (batches, from) => {
              const kv = await open();
              try {
                const store = new KvExecutionStore(kv);
                const records = batches.map((entries, sequence) => ({ sequence, entries }));
                await store.commit(records.map((each) => store.appendJournal('e1', each)));
                await store.commit([store.appendJournal('e1.5', { sequence: 0, entries: [] })]);
                expect(await collect(store.journal('e1'))).toEqual(records);
                expect(await collect(store.journal('e1', from))).toEqual(records.slice(from));
              } finally {
                await kv.close();
              }
            },
          ),
          { numRuns: 15 },
        );
      });

      test(
        'a gap in the journal is damage',
        withStore(async (store) => {
          await store.commit(
            [0, 1, 3].map((sequence) => store.appendJournal('e1', { sequence, entries: [] })),
          );
          await expect(collect(store.journal('e1'))).rejects.toMatchObject({
            code: 'RECORD_CORRUPT',
            details: { key: 'x/e1/j/000000000002' },
          });
          expect(await collect(store.journal('e1', 3))).toHaveLength(1);
        }),
      );

      test(
        'large outputs are found by node and run',
        withStore(async (store) => {
          const text = JSON.stringify('🎼'.repeat(50_000));
          await store.commit([store.putOutput('e1', 12, 0, text), store.putOutput('e1', 12, 1, '"again"')]);
          expect(await store.getOutput('e1', 12, 0)).toBe(text);
          expect(await store.getOutput('e1', 12, 1)).toBe('"again"');
          expect(await store.getOutput('e1', 1, 2)).toBeUndefined();
        }),
      );

      test(
        'a checkpoint merges the chunks of all before it, newest first',
        withStore(async (store) => {
          await add(store, record('e1'));
          const workflow = { leaf: 1, startedAtMs: 1, endedAtMs: 0, failedNode: -1, error: null };
          const full = Array.from({ length: CHECKPOINT_CHUNK }, () => row(3));
          const first = new Map([
            [0, full],
            [700, [row(1)]],
          ]);
          await store.commit(store.putCheckpoint('e1', { nextSequence: 5, workflow, chunks: first }));
          const dirty = new Map([[700, [row(2), row(3)]]]);
          await store.commit(store.putCheckpoint('e1', { nextSequence: 9, workflow, chunks: dirty }));
          const chunks = new Map([
            [0, full],
            [700, [row(2), row(3)]],
          ]);
          expect((await store.load('e1'))?.checkpoint).toEqual({ nextSequence: 9, workflow, chunks });
        }),
      );
    });

    describe('owners and inbox', () => {
      test(
        'owners come and go',
        withStore(async (store) => {
          const owner = {
            ownerId: 'o1',
            pid: 1,
            processStart: 's',
            bootId: 'b',
            hostname: 'h',
            createdAtMs: 3,
          };
          await store.commit([store.putOwner(owner), store.putOwner({ ...owner, ownerId: 'o2' })]);
          expect(await store.owners()).toEqual([owner, { ...owner, ownerId: 'o2' }]);
          await store.commit([store.deleteOwner('o1')]);
          expect(await store.owners()).toEqual([{ ...owner, ownerId: 'o2' }]);
        }),
      );

      test(
        'requests come oldest first and stay until deleted',
        withStore(async (store) => {
          const request = (requestId: string, createdAtMs: number) =>
            ({ requestId, executionId: 'e1', kind: 'cancel', reason: 'ünwanted', createdAtMs }) as const;
          const all = [request('c', 5), request('a', 70), request('b', 600)];
          await store.commit([all[2], all[0], all[1]].map((each) => store.putRequest(each)));
          expect(await store.requests()).toEqual(all);
          await store.commit([store.deleteRequest(all[1])]);
          expect(await store.requests()).toEqual([all[0], all[2]]);
        }),
      );
    });

    describe('deleting', () => {
      const fill = async (store: KvExecutionStore, id: string) => {
        const each = record(id, { status: 'completed' });
        const workflow = { leaf: 1, startedAtMs: 1, endedAtMs: 0, failedNode: -1, error: null };
        await add(store, each);
        await store.commit([
          ...Array.from({ length: 2500 }, (_, sequence) =>
            store.appendJournal(id, { sequence, entries: [] }),
          ),
          ...store.putCheckpoint(id, { nextSequence: 1, workflow, chunks: new Map([[0, [row(1)]]]) }),
          store.putOutput(id, 1, 0, '"large"'),
          store.putRequest({ requestId: `r-${id}`, executionId: id, kind: 'pause', createdAtMs: 1 }),
        ]);
      };
      const allKeys = (kv: Kv) => collect(kv.keys({ start: ' ', end: '~' }));

      test(
        'leaves no trace of the execution and every trace of the others',
        withStore(async (store, kv) => {
          await fill(store, 'e1');
          const before = await allKeys(kv);
          await fill(store, 'e1.x');
          await fill(store, 'e10');
          expect(await store.delete('e1.x')).toBe(true);
          expect(await store.delete('e10')).toBe(true);
          expect(await allKeys(kv)).toEqual(before);
        }),
      );

      test(
        'that a crash interrupted is finished by the next opening, or before the id is used again',
        withStore(async (store, kv) => {
          await add(store, record('kept'));
          const before = await allKeys(kv);
          const crash = async () => {
            await fill(store, 'e1');
            let commits = 0;
            const dying: Kv = {
              get: (key) => kv.get(key),
              scan: (range) => kv.scan(range),
              keys: (range) => kv.keys(range),
              close: () => kv.close(),
              commit: (ops, guards) =>
                ++commits > 2 ? Promise.reject(new Error('crash')) : kv.commit(ops, guards),
            };
            await expect(new KvExecutionStore(dying).delete('e1')).rejects.toThrow('crash');
            expect(await store.load('e1')).toBeUndefined();
            expect((await store.list({ status: 'completed' })).records).toEqual([]);
            expect((await allKeys(kv)).length).toBeGreaterThan(1000);
          };
          await crash();
          await openStore(kv);
          expect(await allKeys(kv)).toEqual(before);
          await crash();
          await add(store, record('e1'));
          expect(await collect(store.journal('e1'))).toEqual([]);
          expect((await store.load('e1'))?.checkpoint).toBeNull();
        }),
      );
    });

    describe('opening', () => {
      test(
        'refuses what is not a store, and what a newer release wrote',
        withStore(async (_store, kv) => {
          const marker = (await kv.get('m/format'))!;
          const broken = Buffer.from(marker);
          broken[3] ^= 1;
          await kv.commit([{ op: 'put', key: 'm/format', value: broken }]);
          await expect(openStore(kv)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
          await kv.commit([
            { op: 'del', key: 'm/format' },
            { op: 'put', key: 'foreign', value: marker },
          ]);
          await expect(openStore(kv)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
          expect(await kv.get('m/format')).toBeUndefined();
        }),
      );

      test(
        'takes an empty store that another process is just making one',
        withStore(async (_store, kv) => {
          for await (const { key } of kv.scan({ start: '\0', end: '\x7f' }))
            await kv.commit([{ op: 'del', key }]);
          const second: Kv = {
            get: (key) => kv.get(key),
            scan: (range) => kv.scan(range),
            async *keys(range) {
              // Between its two looks.
              await openStore(kv);
              yield* kv.keys(range);
            },
            commit: (ops, guards) => kv.commit(ops, guards),
            close: () => kv.close(),
          };
          await openStore(second);
          expect(await collect(kv.keys({ start: '\0', end: '\x7f' }))).toEqual(['m/format']);
        }),
      );
    });
  });
}
