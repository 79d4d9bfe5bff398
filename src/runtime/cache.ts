import type { Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { isTooOld, type CachedRow } from '../store/cached-results.js';
import type { ExecutionStore } from '../store/types.js';
import type {
  Cache,
  CacheDocument,
  CachedNodeDocument,
  CacheFilter,
  ClearCacheOptions,
} from './cache-types.js';

/** The cache of a store, as `runtime.cache` offers it. */
export function storedCache(store: ExecutionStore, clock: Clock): Cache {
  return {
    stat: () => count(store, clock.nowMs()),
    clear: (options) => clear(store, clock.nowMs(), options),
  };
}

async function count(store: ExecutionStore, nowMs: number): Promise<CacheDocument> {
  const sums = { entries: 0, expired: 0, damaged: 0, size_bytes: 0 };
  const nodes = new Map<string, CachedNodeDocument>();
  let oldestMs = Infinity;
  let newestMs = -Infinity;
  for await (const row of store.cached.rows()) {
    const { sizeBytes: bytes, result } = row;
    sums.entries++;
    sums.size_bytes += bytes;
    if (result === undefined) {
      sums.damaged++;
      continue;
    }
    const { workflowId = null, nodeId: node_id, keptAtMs } = result;
    const key = `${workflowId ?? ''}/${node_id}`;
    const node = nodes.get(key) ?? {
      workflow_id: workflowId,
      node_id,
      entries: 0,
      expired: 0,
      size_bytes: 0,
    };
    nodes.set(key, node);
    node.entries++;
    node.size_bytes += bytes;
    if (isTooOld(row, nowMs)) {
      node.expired++;
      sums.expired++;
    }
    if (keptAtMs === undefined) continue;
    oldestMs = Math.min(oldestMs, keptAtMs);
    newestMs = Math.max(newestMs, keptAtMs);
  }
  const largestFirst = [...nodes.values()].sort((a, b) => b.size_bytes - a.size_bytes);
  return { ...sums, oldest_at: timeOf(oldestMs), newest_at: timeOf(newestMs), nodes: largestFirst };
}

async function clear(
  store: ExecutionStore,
  nowMs: number,
  { key, dryRun = false, ...filter }: ClearCacheOptions = {},
): Promise<number> {
  if (key !== undefined && !/^[0-9a-f]{1,64}$/.test(key)) {
    throw new MaestroError(
      'USAGE',
      `${JSON.stringify(key)} is no key of the cache, nor the beginning of one`,
      {
        next: 'Keys are hexadecimal: metadata.cached of a node that took a result has one.',
      },
    );
  }
  let cleared = 0;
  for await (const batch of store.cached.matching((row) => fits(row, filter, nowMs), key)) {
    if (!dryRun) await store.cached.remove(batch);
    cleared += batch.length;
  }
  return cleared;
}

/** What is damaged says no more where it is from: only who asks for no origin means it. */
function fits(row: CachedRow, { expired, workflowId, nodeId }: CacheFilter, nowMs: number): boolean {
  if (expired === true && !isTooOld(row, nowMs)) return false;
  if (workflowId !== undefined && row.result?.workflowId !== workflowId) return false;
  return nodeId === undefined || row.result?.nodeId === nodeId;
}

function timeOf(atMs: number): string | null {
  return Number.isFinite(atMs) ? new Date(atMs).toISOString() : null;
}
