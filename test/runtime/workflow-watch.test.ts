import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Definitions } from '../../src/runtime/definitions.js';
import { WorkflowWatch } from '../../src/runtime/workflow-watch.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import { MemoryKv } from '../../src/store/memory-kv.js';

describe('a watch that is not read', () => {
  it('holds ids only, a bounded number: then it says so', async () => {
    const watch = new WorkflowWatch('w', 0, {
      store: new KvExecutionStore(new MemoryKv()),
      definitions: new Definitions(),
      clock: systemClock,
      isHere: () => true,
      touched: () => {},
    });
    const touchMany = (count: number) => {
      for (let i = 0; i < count; i++) watch.touch(`e${i}`);
    };
    touchMany(10_000);
    // They are not in the store any more: nothing is told of them.
    expect((await watch.read().next()).done).toBe(true);
    touchMany(10_001);
    await expect(watch.read().next()).rejects.toMatchObject({ code: 'WATCHER_SLOW' });
  });
});
