import type { WorkflowSpec } from '../../src/spec/types.js';
import type { KvExecutionStore } from '../../src/store/execution-store.js';
import type { Kv } from '../../src/store/kv.js';
import { openStore } from '../../src/store/open.js';
import type { ExecutionRecord } from '../../src/store/types.js';

export const SPEC: WorkflowSpec = { workflow: { id: 'w1', name: 'First' }, nodes: [] };

export function record(executionId: string, fields: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return {
    executionId,
    workflowId: 'w1',
    workflowName: 'First',
    definitionHash: 'hash1',
    baseDir: '/base',
    mode: 'dag_parallel',
    durability: 'sync',
    nodeCount: 3,
    status: 'pending',
    ownerId: null,
    createdAtMs: 1000,
    updatedAtMs: 1000,
    startedAtMs: null,
    endedAtMs: null,
    error: null,
    counts: { completed: 0, failed: 0, skipped: 0, blocked: 0, cancelled: 0, running: 0 },
    options: {},
    ...fields,
  };
}

/** Stores an execution. @throws EXECUTION_EXISTS */
export function add(store: KvExecutionStore, each: ExecutionRecord): Promise<void> {
  return store.commitNew(each, store.create(each, SPEC, '{"a":1}'));
}

/** Every row of a store. */
export async function contentsOf(kv: Kv): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const { key, value } of kv.scan({ start: ' ', end: '~' }))
    all.set(key, Buffer.from(value).toString('base64'));
  return all;
}

/** Runs a test body with a store over a new, empty Kv. */
export const withStoreOf =
  (open: () => Promise<Kv>) => (body: (store: KvExecutionStore, kv: Kv) => Promise<void>) => async () => {
    const kv = await open();
    try {
      await body(await openStore(kv), kv);
    } finally {
      await kv.close();
    }
  };
