import { unseal } from './envelope.js';
import { executionPrefix, under } from './keys.js';
import type { Kv } from './kv.js';

/** Kinds of rows of an execution that are carried, or left out, by name. Sorted. */
const NAMED = ['c', 'g', 'j', 'k', 'o', 'r'];

/** A row of an execution of a kind that has no method of its own in the store. */
export interface FurtherRow {
  /** Its key without the prefix of the execution. */
  readonly row: string;
  readonly payload: Uint8Array;
}

/**
 * Every row of an execution that is not of a named kind, in the order of the keys. Journals and outputs are jumped
 * over, not read. @throws RECORD_CORRUPT
 */
export async function* furtherRows(kv: Kv, executionId: string): AsyncGenerator<FurtherRow> {
  const prefix = executionPrefix(executionId);
  const { start, end } = under(prefix);
  const starts = [start, ...NAMED.map((kind) => `${prefix}${kind}0`)];
  const ends = [...NAMED.map((kind) => `${prefix}${kind}`), end];
  for (const [gap, from] of starts.entries()) {
    for await (const { key, value } of kv.scan({ start: from, end: ends[gap] }))
      yield { row: key.slice(prefix.length), payload: unseal(key, value) };
  }
}

/** Whether a row may be written as a further one: of no named kind, and of characters that a key may have. */
export function isFurtherRow(row: string): boolean {
  return /^[\x21-\x7e]{1,200}$/.test(row) && !NAMED.includes(row.split('/', 1)[0]);
}
