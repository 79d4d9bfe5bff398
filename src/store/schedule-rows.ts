import type { ScheduleSpec } from '../spec/types.js';
import { sealJson } from './envelope.js';
import { scheduleKey } from './keys.js';
import type { KvGuard, KvOp } from './kv.js';

/** A workflow that starts by itself, and how far its times are dealt with. */
export interface ScheduleRow {
  readonly workflowId: string;
  readonly workflowName: string;
  readonly definitionHash: string;
  readonly baseDir: string;
  readonly schedule: ScheduleSpec;
  readonly paused: boolean;
  readonly createdAtMs: number;
  /** Every time up to here is dealt with. */
  readonly afterMs: number;
  /** A time that waits for the execution before to end. */
  readonly bufferedMs: number | null;
  /** The newest time that was left out because the execution before still ran. */
  readonly skippedMs: number | null;
  readonly last: { readonly atMs: number; readonly executionId: string } | null;
}

/**
 * The change from one row to the next, as an op and the guard that makes it happen only when nobody was faster.
 * `undefined` stands for no row.
 */
export function scheduleChange(
  seen: ScheduleRow | undefined,
  next: ScheduleRow | undefined,
): { op: KvOp; guard: KvGuard } {
  const key = scheduleKey((seen ?? next)!.workflowId);
  return {
    op: next === undefined ? { op: 'del', key } : { op: 'put', key, value: encode(key, next) },
    guard: { key, value: seen === undefined ? null : encode(key, seen) },
  };
}

/** In a fixed order, so that equal rows are equal bytes. */
function encode(key: string, row: ScheduleRow): Uint8Array {
  const ordered: ScheduleRow = {
    workflowId: row.workflowId,
    workflowName: row.workflowName,
    definitionHash: row.definitionHash,
    baseDir: row.baseDir,
    schedule: row.schedule,
    paused: row.paused,
    createdAtMs: row.createdAtMs,
    afterMs: row.afterMs,
    bufferedMs: row.bufferedMs,
    skippedMs: row.skippedMs,
    last: row.last && { atMs: row.last.atMs, executionId: row.last.executionId },
  };
  return sealJson(key, ordered);
}
