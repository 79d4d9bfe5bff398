import { expect, it } from 'vitest';
import { CHECKPOINT_CHUNK } from '../../src/store/types.js';
import { loadCheckpoint, checkpointOps } from '../../src/store/checkpoint.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import type { NodeRow } from '../../src/engine/entries.js';

const row = (leaf: number): NodeRow => ({
  ...{ leaf, attempt: 1, run: 0, startedAtMs: 1, endedAtMs: 2, wakeAtMs: 0, output: null, artifacts: [] },
  ...{ error: null, condition: null, wait: null, comments: [], iteration: null, contracts: [] },
});
const workflow = { leaf: 1, startedAtMs: 1, endedAtMs: 0, failedNode: -1, error: null };
const checkpoint = (nextSequence: number, leaf: number) => ({
  ...{ nextSequence, workflow },
  chunks: new Map([[0, Array.from({ length: CHECKPOINT_CHUNK }, () => row(leaf))]]),
});

it('a checkpoint is read whole, though its execution writes the next ones meanwhile', async () => {
  const kv = new MemoryKv();
  await kv.commit(checkpointOps('e', checkpoint(5, 1)));
  let written = 5;
  // The owner, in another process, is faster than the reader three times.
  const busy: Kv = {
    get: (key) => kv.get(key),
    keys: (range) => kv.keys(range),
    commit: (ops, guards) => kv.commit(ops, guards),
    close: () => kv.close(),
    async *scan(range) {
      if (written < 8) await kv.commit(checkpointOps('e', checkpoint(++written, written - 4)));
      yield* kv.scan(range);
    },
  };
  expect(await loadCheckpoint(busy, 'e')).toEqual(checkpoint(8, 4));
});
