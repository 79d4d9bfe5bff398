import type { WorkflowStatus } from '../base/model.js';
import { openKv, openStore } from '../store/open.js';
import type { Kv } from '../store/kv.js';

/** What a store holds, and how much room it takes. */
export interface StoreStatistics {
  readonly executions: Readonly<Record<WorkflowStatus, number>>;
  /** Rows, and bytes of keys and values, by kind of row. */
  readonly rows: Readonly<Record<string, { rows: number; bytes: number }>>;
  /** Bytes of the data file; null for a store without one. */
  readonly fileBytes: number | null;
  /** Bytes of the file that hold data. */
  readonly usedBytes: number | null;
  /** Bytes that further writes reuse, or that compacting gives back. */
  readonly reclaimableBytes: number | null;
}

/** Reads the whole store. @throws as openStore */
export async function storeStatistics(source: string | Kv): Promise<StoreStatistics> {
  const kv = typeof source === 'string' ? await openKv(source) : source;
  try {
    const store = await openStore(kv);
    const space = kv.space?.();
    return {
      executions: await store.countByStatus(),
      rows: await store.sizes(),
      fileBytes: space?.fileBytes ?? null,
      usedBytes: space?.usedBytes ?? null,
      reclaimableBytes: space === undefined ? null : Math.max(0, space.fileBytes - space.usedBytes),
    };
  } finally {
    if (typeof source === 'string') await kv.close();
  }
}
