import { isMaestroError } from '../base/errors.js';
import { sealJson, unsealJson } from './envelope.js';
import { logRowKey } from './keys.js';
import type { Kv, KvGuard, KvOp } from './kv.js';
import type { ProcessIdentity } from './process-identity.js';

/**
 * Says that an owner has a log, and up to which of its commits everything is in the store. A log without this row holds
 * nothing that is not there too.
 */
export interface LogRow {
  readonly process: ProcessIdentity;
  /** Number of the last commit that is in the store itself. */
  readonly applied: number;
  /** Somebody takes over what is left in it: set together with the fence before its owner. */
  readonly closing?: true;
}

export function putLogRow(owner: string, row: LogRow): KvOp {
  const key = logRowKey(owner);
  return { op: 'put', key, value: sealJson(key, row) };
}

export function deleteLogRow(owner: string): KvOp {
  return { op: 'del', key: logRowKey(owner) };
}

/** @throws RECORD_CORRUPT */
export function readLogRow(owner: string, bytes: Uint8Array): LogRow {
  return unsealJson(logRowKey(owner), bytes) as LogRow;
}

/**
 * Commits something that must not come about while there is anything in the log of an owner that was taken for dead.
 * @param owner null: there is no such owner
 * @param commit what to do, with guards of its own and these
 */
export async function withoutLog(
  kv: Kv,
  owner: string | null,
  commit: (guards: readonly KvGuard[]) => Promise<void>,
): Promise<void> {
  if (owner === null || kv.absorb === undefined) return commit([]);
  const key = logRowKey(owner);
  for (;;) {
    try {
      return await commit([{ key, value: null }]);
    } catch (error) {
      if (!isMaestroError(error, 'STORE_CONFLICT') || error.details.key !== key) throw error;
      await kv.absorb(owner);
    }
  }
}
