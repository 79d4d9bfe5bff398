import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WORKFLOW_STATUSES, type WorkflowStatus } from '../../src/base/model.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import type { Kv, KvRange } from '../../src/store/kv.js';
import type { ExecutionRecord, ListFilter } from '../../src/store/types.js';
import { SPEC, add, record, withStoreOf } from '../support/store-fixtures.js';

/** How executions must be listed and counted, over any adapter. `open` gives a new, empty Kv. */
export function executionListingContract(name: string, open: () => Promise<Kv>): void {
  const withStore = withStoreOf(open);

  describe(`listing contract: ${name}`, () => {
    const anyRecord = fc.record({
      workflowId: fc.constantFrom('w1', 'w2', 'w1.x'),
      status: fc.constantFrom(...WORKFLOW_STATUSES),
      createdAtMs: fc.integer({ min: 990, max: 1030 }),
    });
    const anyFilter: fc.Arbitrary<ListFilter> = fc.record(
      {
        workflowId: fc.constantFrom('w1', 'w2', 'w1.x', 'none'),
        status: fc.oneof(
          fc.constantFrom<WorkflowStatus>(...WORKFLOW_STATUSES),
          fc.subarray<WorkflowStatus>([...WORKFLOW_STATUSES]),
        ),
        createdFromMs: fc.integer({ min: 985, max: 1035 }),
        createdToMs: fc.integer({ min: 985, max: 1035 }),
        order: fc.constantFrom('newest', 'oldest'),
        limit: fc.integer({ min: 1, max: 7 }),
      },
      { requiredKeys: [] },
    );

    test('pages through any filter give what filtering and sorting everything gives', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyRecord, { maxLength: 25 }),
          fc.array(anyFilter, { minLength: 1, maxLength: 5 }),
          async (drafts, filters) => {
            const kv = await open();
            try {
              const store = new KvExecutionStore(kv);
              const all = drafts.map((fields, i) => record(`e${i.toString(36)}`, fields));
              for (const each of all) {
                const born: ExecutionRecord = { ...each, status: 'pending' };
                await store.commit([...store.create(born, SPEC, '{}'), ...store.update(born, each)]);
              }
              for (const filter of filters) {
                const paged: string[] = [];
                for (let after: string | undefined; ;) {
                  const page = await store.list({ ...filter, after });
                  expect(page.records.length).toBeLessThanOrEqual(filter.limit ?? 100);
                  paged.push(...page.records.map(({ executionId }) => executionId));
                  if (page.next === undefined) break;
                  after = page.next;
                }
                expect(paged).toEqual(filtered(all, filter));
              }
              const counts = await store.countByStatus();
              for (const status of WORKFLOW_STATUSES)
                expect(counts[status]).toBe(all.filter((each) => each.status === status).length);
            } finally {
              await kv.close();
            }
          },
        ),
        { numRuns: 25 },
      );
    });

    test(
      'a page reads no more keys of a large store than of a small one',
      withStore(async (store, kv) => {
        let reads = 0;
        const counting: Kv = {
          get: (key) => kv.get(key),
          scan: (range) => kv.scan(range),
          commit: (ops, guards) => kv.commit(ops, guards),
          close: () => kv.close(),
          async *keys(range: KvRange) {
            for await (const key of kv.keys(range)) {
              reads++;
              yield key;
            }
          },
        };
        const watched = new KvExecutionStore(counting);
        const creations = Array.from({ length: 3000 }, (_, i) => {
          const status = i % 1000 === 0 ? 'failed' : 'completed';
          return store.create(record(`e${i}`, { createdAtMs: i, status }), SPEC, '{}');
        });
        await store.commit(creations.flat());
        for (const filter of [
          {},
          { status: 'failed' },
          { workflowId: 'w1' },
          { workflowId: 'w1', status: 'failed' },
        ] as const) {
          reads = 0;
          await watched.list({ ...filter, limit: 2 });
          expect(reads).toBeLessThanOrEqual(WORKFLOW_STATUSES.length * 3);
        }
      }),
    );

    test(
      'pages stay in order while executions change status between them',
      withStore(async (store) => {
        const all = Array.from({ length: 6 }, (_, i) =>
          record(`e${i}`, { createdAtMs: i, status: 'running' }),
        );
        for (const each of all) await add(store, each);
        const first = await store.list({ limit: 3, order: 'oldest' });
        await store.commit(store.update(all[0], { ...all[0], status: 'completed' }));
        await store.commit(store.update(all[5], { ...all[5], status: 'failed' }));
        const second = await store.list({ limit: 3, order: 'oldest', after: first.next });
        const ids = [...first.records, ...second.records].map(({ executionId }) => executionId);
        expect(ids).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5']);
      }),
    );

    test(
      'a cursor or limit that makes no sense is refused',
      withStore(async (store) => {
        for (const filter of [
          { after: 'nonsense' },
          { after: '' },
          { limit: 0 },
          { limit: 1.5 },
          { limit: NaN },
        ])
          await expect(store.list(filter)).rejects.toMatchObject({ code: 'USAGE' });
      }),
    );

    test(
      'a damaged record is named and disturbs no other',
      withStore(async (store, kv) => {
        await add(store, record('good'));
        await add(store, record('bad'));
        const stored = (await kv.get('x/bad/r'))!;
        stored[10] ^= 1;
        await kv.commit([{ op: 'put', key: 'x/bad/r', value: stored }]);
        const page = await store.list();
        expect(page.records.map(({ executionId }) => executionId)).toEqual(['good']);
        expect(page.damaged).toEqual(['bad']);
        await expect(store.load('bad')).rejects.toMatchObject({
          code: 'RECORD_CORRUPT',
          details: { key: 'x/bad/r' },
        });
        expect(await store.delete('bad')).toBe(true);
        expect(await store.list()).toEqual({ records: page.records });
        expect((await store.countByStatus()).pending).toBe(1);
      }),
    );
  });
}

/** The model: ids of the records a filter wants, in its order. */
function filtered(all: readonly ExecutionRecord[], filter: ListFilter): string[] {
  const wanted = filter.status === undefined ? WORKFLOW_STATUSES : [filter.status].flat();
  const position = (each: ExecutionRecord) =>
    `${each.createdAtMs.toString().padStart(8, '0')}/${each.executionId}`;
  const found = all
    .filter(({ status }) => wanted.includes(status))
    .filter(({ workflowId }) => filter.workflowId === undefined || workflowId === filter.workflowId)
    .filter(({ createdAtMs }) => createdAtMs >= (filter.createdFromMs ?? 0))
    .filter(({ createdAtMs }) => createdAtMs < (filter.createdToMs ?? Infinity))
    .sort((a, b) => (position(a) < position(b) ? -1 : 1));
  if (filter.order !== 'oldest') found.reverse();
  return found.map(({ executionId }) => executionId);
}
