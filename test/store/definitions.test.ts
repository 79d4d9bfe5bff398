import { expect, test } from 'vitest';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import { MemoryKv } from '../../src/store/memory-kv.js';

const spec = { workflow: { id: 'w', name: 'w' }, nodes: [] };
const record: ExecutionRecord = {
  executionId: 'x',
  workflowId: 'w',
  workflowName: 'w',
  definitionHash: 'abc',
  baseDir: '/',
  mode: 'dag_parallel',
  durability: 'sync',
  nodeCount: 0,
  status: 'pending',
  ownerId: null,
  createdAtMs: 1,
  updatedAtMs: 1,
  startedAtMs: null,
  endedAtMs: null,
  error: null,
  counts: { completed: 0, failed: 0, skipped: 0, blocked: 0, cancelled: 0, running: 0 },
  options: {},
};

test('a definition that many executions have is read once', async () => {
  const kv = new MemoryKv();
  const writer = new KvExecutionStore(kv);
  await writer.commit(writer.create(record, spec, '{}'));
  const reads: string[] = [];
  const get = kv.get.bind(kv);
  kv.get = (key) => (reads.push(key), get(key));
  const store = new KvExecutionStore(kv);
  for (let k = 0; k < 3; k++) expect((await store.load('x'))?.spec).toEqual(spec);
  expect(reads.filter((key) => key.startsWith('d/'))).toHaveLength(1);
  expect(await store.getDefinition('unknown')).toBeUndefined();
});
