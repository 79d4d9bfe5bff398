import { isMaestroError } from '../base/errors.js';
import { unsealJson } from './envelope.js';
import { under } from './keys.js';
import type { Kv } from './kv.js';

/** Rows of JSON under a prefix; null where one is damaged. */
export async function readRows<T>(kv: Kv, prefix: string): Promise<{ key: string; row: T | null }[]> {
  const found: { key: string; row: T | null }[] = [];
  for await (const { key, value } of kv.scan(under(prefix))) {
    try {
      found.push({ key, row: unsealJson(key, value) as T });
    } catch (error) {
      if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
      found.push({ key, row: null });
    }
  }
  return found;
}
