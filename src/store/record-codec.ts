import { sealJson, unsealJson } from './envelope.js';
import { recordKey } from './keys.js';
import type { ExecutionRecord } from './types.js';

/**
 * The stored value of an execution record. Fields are written in a fixed order, so that equal records are equal
 * bytes and can be compared and set.
 */
export function encodeRecord(record: ExecutionRecord): Uint8Array {
  const ordered: ExecutionRecord = {
    executionId: record.executionId,
    workflowId: record.workflowId,
    workflowName: record.workflowName,
    definitionHash: record.definitionHash,
    baseDir: record.baseDir,
    mode: record.mode,
    durability: record.durability,
    nodeCount: record.nodeCount,
    status: record.status,
    ownerId: record.ownerId,
    createdAtMs: record.createdAtMs,
    updatedAtMs: record.updatedAtMs,
    startedAtMs: record.startedAtMs,
    endedAtMs: record.endedAtMs,
    error: record.error,
    counts: {
      completed: record.counts.completed,
      failed: record.counts.failed,
      skipped: record.counts.skipped,
      blocked: record.counts.blocked,
      cancelled: record.counts.cancelled,
      running: record.counts.running,
    },
    options: record.options,
  };
  return sealJson(recordKey(record.executionId), ordered);
}

/** @throws MaestroError RECORD_CORRUPT, STORE_VERSION */
export function decodeRecord(executionId: string, bytes: Uint8Array): ExecutionRecord {
  return unsealJson(recordKey(executionId), bytes) as ExecutionRecord;
}
