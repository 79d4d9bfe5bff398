import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WorkflowStatus } from '../../src/base/model.js';
import {
  defaultEveryMs,
  expired,
  retentionRules,
  type EndedStatus,
  type RetentionPolicy,
} from '../../src/runtime/retention.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import { add, record } from '../support/store-fixtures.js';

const NOW = 1_000_000;
const ENDED: readonly WorkflowStatus[] = ['completed', 'failed', 'cancelled'];

async function storeOf(records: readonly ExecutionRecord[]): Promise<KvExecutionStore> {
  const store = new KvExecutionStore(new MemoryKv());
  for (const each of records) await add(store, each);
  return store;
}

async function idsOf(records: readonly ExecutionRecord[], policy: RetentionPolicy): Promise<string[]> {
  const ids: string[] = [];
  for await (const { executionId } of expired(await storeOf(records), policy, NOW)) ids.push(executionId);
  return ids.sort();
}

/** The rule as its docstring says it, without an index. */
function expected(records: readonly ExecutionRecord[], policy: RetentionPolicy): string[] {
  const ruleOf = (status: WorkflowStatus) => policy.perStatus?.[status as EndedStatus] ?? policy;
  const group = (status: WorkflowStatus) => (policy.perStatus?.[status as EndedStatus] ? status : 'common');
  const newest = [...records].sort((a, b) =>
    a.createdAtMs === b.createdAtMs
      ? a.executionId < b.executionId
        ? 1
        : -1
      : b.createdAtMs - a.createdAtMs,
  );
  return records
    .filter(({ status }) => ENDED.includes(status))
    .filter((each) => {
      const { olderThanMs, keep } = ruleOf(each.status);
      if (olderThanMs === undefined && keep === undefined) return false;
      const peers = newest.filter(
        ({ status }) => ENDED.includes(status) && group(status) === group(each.status),
      );
      return (
        (olderThanMs === undefined || each.endedAtMs! <= NOW - olderThanMs) &&
        (keep === undefined || peers.indexOf(each) >= keep)
      );
    })
    .map(({ executionId }) => executionId)
    .sort();
}

const rule = fc.record(
  { olderThanMs: fc.integer({ min: 0, max: 40 }), keep: fc.integer({ min: 0, max: 8 }) },
  { requiredKeys: [] },
);
const policies: fc.Arbitrary<RetentionPolicy> = fc
  .tuple(rule, fc.record({ completed: rule, failed: rule, cancelled: rule }, { requiredKeys: [] }))
  .map(([common, perStatus]) => ({ ...common, perStatus }));
const stored = fc
  .array(
    fc.record({
      status: fc.constantFrom<WorkflowStatus>(...ENDED, 'running', 'paused', 'pending'),
      age: fc.integer({ min: 0, max: 50 }),
      took: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 14 },
  )
  .map((rows) =>
    rows.map(({ status, age, took }, i) =>
      record(`e${String(i).padStart(2, '0')}`, {
        status,
        createdAtMs: NOW - age - took,
        endedAtMs: ENDED.includes(status) ? NOW - age : null,
      }),
    ),
  );

describe('retention', () => {
  it('lets go what the policy says, and nothing that has not ended', async () => {
    await fc.assert(
      fc.asyncProperty(stored, policies, async (records, policy) => {
        expect(await idsOf(records, policy)).toEqual(expected(records, policy));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [{ olderThanMs: 1 }, 1_000],
    [{ olderThanMs: 5_000, perStatus: { failed: { olderThanMs: 90_000 } } }, 5_000],
    [{ olderThanMs: 7 * 86_400_000 }, 60_000],
    [{ olderThanMs: 7 * 86_400_000, perStatus: { completed: { keep: 10 } } }, 1_000],
    [{}, 60_000],
  ])('passes follow from how short %j keeps', (policy, everyMs) => {
    expect(defaultEveryMs(policy)).toBe(everyMs);
  });

  it('lets nothing go without a condition', async () => {
    const records = [record('a', { status: 'completed', endedAtMs: 1 })];
    expect(await idsOf(records, {})).toEqual([]);
    expect(await idsOf(records, { keep: 0 })).toEqual(['a']);
  });

  it.each([
    [{ olderThanMs: -1 }, /olderThanMs is -1/],
    [{ olderThanMs: NaN }, /olderThanMs is NaN/],
    [{ keep: 1.5 }, /keep is 1.5/],
    [{ perStatus: { running: { keep: 1 } } as RetentionPolicy['perStatus'] }, /perStatus is running/],
    [{ perStatus: { failed: { keep: -1 } } }, /keep is -1/],
  ])('refuses %j', (policy, message) => {
    expect(() => retentionRules(policy)).toThrow(message);
  });
});
