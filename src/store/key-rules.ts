import { MaestroError } from '../base/errors.js';
import type { KvGuard, KvOp } from './kv.js';

const MAX_KEY_BYTES = 1000;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** @throws MaestroError INVARIANT for a key outside the port's rules (1 to 1,000 printable ASCII characters). */
export function checkKey(key: string): void {
  if (key.length > MAX_KEY_BYTES || !PRINTABLE.test(key))
    throw new MaestroError('INVARIANT', `not a storage key: ${JSON.stringify(key.slice(0, 100))}`);
}

/** Checks a commit's keys. Writing happens later, when the caller may have reused its array. */
export function takeOps(ops: readonly KvOp[]): readonly KvOp[] {
  for (const { key } of ops) checkKey(key);
  return ops.slice();
}

export function takeGuards(guards: readonly KvGuard[]): readonly KvGuard[] {
  for (const { key } of guards) checkKey(key);
  return guards.slice();
}

/** Whether what is stored is what the guard demands. */
export function guardHolds(guard: KvGuard, stored: Uint8Array | undefined): boolean {
  if (guard.value === null || stored === undefined) return guard.value === null && stored === undefined;
  return Buffer.compare(guard.value, stored) === 0;
}

/** The error of a commit whose guard does not hold. */
export function conflict(guard: KvGuard): MaestroError {
  return new MaestroError('STORE_CONFLICT', `the record ${guard.key} is not what it was when it was read`, {
    details: { key: guard.key },
  });
}

export function closedError(): MaestroError {
  return new MaestroError('STORE_UNAVAILABLE', 'the store has been closed', { next: 'Open it again.' });
}

/** A copy that shares no memory with the original. (Small ones come from Buffer's pool, which is cheap.) */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}
