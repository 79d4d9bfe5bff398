import { systemClock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { KvExecutionStore } from './execution-store.js';
import { finishDeletions } from './execution-removal.js';
import type { Kv } from './kv.js';
import { openLmdb } from './lmdb-open.js';
import { ensureMarker } from './marker.js';
import { MemoryKv } from './memory-kv.js';
import { TimedKv } from './timed-kv.js';

/**
 * Opens a store: `memory:`, `lmdb:PATH`, or just PATH (which means lmdb). PATH is a folder and is created.
 * @throws MaestroError USAGE, STORE_UNAVAILABLE, STORE_CORRUPT, STORE_VERSION; nothing has been written then.
 */
export async function openKv(url: string): Promise<Kv> {
  if (url === 'memory:') return new MemoryKv();
  // One letter before the colon is a drive, not a scheme.
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(url)?.[1];
  if (scheme !== undefined && scheme !== 'lmdb')
    throw new MaestroError('USAGE', `there is no kind of store called ${scheme}`, {
      next: 'Use `lmdb:PATH` or `memory:`.',
    });
  const path = scheme === undefined ? url : url.slice('lmdb:'.length);
  if (path === '') throw new MaestroError('USAGE', 'the store has no path', { next: 'Use `lmdb:PATH`.' });
  return openLmdb(path);
}

/**
 * Opens a store, or takes an open one, for executions. Finishes deletions that a crash interrupted. Of one that is given
 * nobody knows whether it always answers: a call that takes too long fails.
 */
export async function openStore(store: string | Kv, clock = systemClock): Promise<KvExecutionStore> {
  const kv = typeof store === 'string' ? await openKv(store) : new TimedKv(store, clock);
  await ensureMarker(kv);
  await finishDeletions(kv);
  return new KvExecutionStore(kv);
}
