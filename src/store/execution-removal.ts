import { isMaestroError } from '../base/errors.js';
import { unsealJson } from './envelope.js';
import { unindexOps } from './execution-index.js';
import { DELETIONS, INBOX, INDEXES, deletionKey, executionPrefix, recordKey, under } from './keys.js';
import type { Kv, KvGuard, KvOp } from './kv.js';
import { decodeRecord } from './record-codec.js';
import type { InboxRequest } from './types.js';

const BATCH = 1000;
const NOTHING = new Uint8Array(0);

/*
 * A small execution goes in one commit. Of a large one, that commit takes the record and its index entries away and
 * leaves a mark; from then on the execution does not exist. The rest goes in bounded batches, the mark last. A crash in
 * between leaves the mark, so that the rest is removed when the store is opened next, or before the id is used again.
 */

/**
 * Removes an execution. false when there is no such one.
 * @param seen the record it must still have
 * @throws STORE_CONFLICT when it has another one
 */
export async function removeExecution(kv: Kv, executionId: string, seen?: Uint8Array): Promise<boolean> {
  const key = recordKey(executionId);
  const bytes = seen ?? (await kv.get(key));
  if (!bytes) return false;
  const rows = await rowRemovals(kv, executionId);
  // The record itself is among the rows. Nobody writes others while it is what it was.
  if (rows.length === 0) return false;
  const isSmall = rows.length < BATCH;
  const ops: KvOp[] = isSmall
    ? [...rows, ...(await requestRemovals(kv, executionId))]
    : [
        { op: 'del', key },
        { op: 'put', key: deletionKey(executionId), value: NOTHING },
      ];
  ops.push(...(await indexRemovals(kv, executionId, bytes)));
  await kv.commit(ops, [{ key, value: bytes }]);
  if (!isSmall) await purge(kv, executionId);
  return true;
}

/** Removes what a mark says is to go. Harmless when repeated, also by several processes at once. */
export async function purge(kv: Kv, executionId: string): Promise<void> {
  // While the mark is there nobody can use the id again; without it, what is there belongs to a new execution.
  const marked: KvGuard = { key: deletionKey(executionId), value: NOTHING };
  try {
    for (let isLast = false; !isLast;) {
      const ops = await rowRemovals(kv, executionId);
      // Each commit waits for the disk: what remains goes with the mark.
      isLast = ops.length < BATCH;
      if (isLast) ops.push(...(await requestRemovals(kv, executionId)), { op: 'del', key: marked.key });
      await kv.commit(ops, [marked]);
    }
  } catch (error) {
    if (!isMaestroError(error, 'STORE_CONFLICT')) throw error;
  }
}

/** Finishes the deletions that a crash interrupted. */
export async function finishDeletions(kv: Kv): Promise<void> {
  for await (const key of kv.keys(under(DELETIONS))) await purge(kv, key.slice(DELETIONS.length));
}

/** Of the first rows of an execution. */
async function rowRemovals(kv: Kv, executionId: string): Promise<KvOp[]> {
  const ops: KvOp[] = [];
  for await (const key of kv.keys({ ...under(executionPrefix(executionId)), limit: BATCH }))
    ops.push({ op: 'del', key });
  return ops;
}

/** A damaged record does not say where it is indexed: look for it. */
async function indexRemovals(kv: Kv, executionId: string, bytes: Uint8Array): Promise<KvOp[]> {
  try {
    return unindexOps(decodeRecord(executionId, bytes));
  } catch (error) {
    if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
  }
  const ops: KvOp[] = [];
  for (const index of INDEXES)
    for await (const key of kv.keys(under(index)))
      if (key.endsWith(`/${executionId}`)) ops.push({ op: 'del', key });
  return ops;
}

async function requestRemovals(kv: Kv, executionId: string): Promise<KvOp[]> {
  const ops: KvOp[] = [];
  for await (const { key, value } of kv.scan(under(INBOX)))
    if (isRequestFor(executionId, key, value)) ops.push({ op: 'del', key });
  return ops;
}

/** A damaged request is nobody's: it must not stand in the way of a deletion. */
function isRequestFor(executionId: string, key: string, value: Uint8Array): boolean {
  try {
    return (unsealJson(key, value) as InboxRequest).executionId === executionId;
  } catch (error) {
    if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
    return false;
  }
}
