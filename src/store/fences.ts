import { isMaestroError, MaestroError } from '../base/errors.js';
import { sealJson } from './envelope.js';
import { FENCES, fenceKey } from './keys.js';
import type { KvGuard, KvOp } from './kv.js';

/** What stands in the way of an owner that was taken for dead, in case it is not. */
export interface Fence {
  readonly createdAtMs: number;
}

/** The op that puts a fence before an owner. */
export function putFence(ownerId: string, createdAtMs: number): KvOp {
  const key = fenceKey(ownerId);
  const fence: Fence = { createdAtMs };
  return { op: 'put', key, value: sealJson(key, fence) };
}

export function notFenced(ownerId: string): KvGuard {
  return { key: fenceKey(ownerId), value: null };
}

/** What a commit failed of: of the fence before its owner, or of something else. */
export function leaseLost(cause: unknown, fence: KvGuard | undefined): unknown {
  if (!isMaestroError(cause, 'STORE_CONFLICT') || cause.details.key !== fence?.key) return cause;
  return new MaestroError(
    'LEASE_LOST',
    'another process took this one for dead and runs its executions now: nothing more is committed here',
    { cause },
  );
}

/** Whose fence a guard is about; undefined: it is about something else. */
export function ownerOfFence({ key }: KvGuard): string | undefined {
  return key.startsWith(FENCES) ? key.slice(FENCES.length) : undefined;
}
