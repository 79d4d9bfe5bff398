import type { KvRange } from './kv.js';

/** Keys or entries per page, and bytes after which a page ends early. */
export const PAGE_SIZE = 256;
export const PAGE_BYTES = 1 << 20;

export interface Page<T> {
  readonly items: readonly T[];
  /** Whether the range had no more than these. */
  readonly isLast: boolean;
}

/** A synchronous read of the first items of a range: `limit` of them, or fewer when they are large or that was all. */
export type ReadPage<T> = (start: string, end: string, limit: number, reverse: boolean) => Page<T>;

/**
 * Turns synchronous page reads into a scan. Nothing is held between pages (no cursor, no read transaction), so a
 * slow consumer blocks nobody and a scan survives writes: it continues after the last key it has seen.
 */
export async function* scanPages<T>(
  range: KvRange,
  keyOf: (item: T) => string,
  read: ReadPage<T>,
): AsyncGenerator<T> {
  const reverse = range.reverse ?? false;
  let { start, end } = range;
  let left = range.limit ?? Infinity;
  while (left > 0 && start < end) {
    const { items, isLast } = read(start, end, Math.min(left, PAGE_SIZE), reverse);
    // Not `yield*`, which makes several promises of each item of an array.
    for (const item of items) yield item;
    if (isLast) return;
    left -= items.length;
    const last = keyOf(items[items.length - 1]);
    if (reverse) end = last;
    else start = `${last}\0`;
  }
}
