import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE, scanPages, type ReadPage } from '../../src/store/paging.js';

/** Reads from an array, `cutAfter` items at most, and counts how often. */
function source(keys: readonly string[], cutAfter: number): { read: ReadPage<string>; reads: () => number } {
  let reads = 0;
  const read: ReadPage<string> = (start, end, limit, reverse) => {
    reads++;
    const inRange = keys.filter((key) => key >= start && key < end);
    const found = (reverse ? inRange.reverse() : inRange).slice(0, limit);
    const items = found.slice(0, cutAfter);
    return { items, isLast: items.length === found.length && found.length < limit };
  };
  return { read, reads: () => reads };
}

async function all(scan: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of scan) found.push(key);
  return found;
}

const keysOf = (count: number): string[] =>
  Array.from({ length: count }, (_, k) => String(k).padStart(6, '0'));

describe('a scan in pages', () => {
  it('gives every key of its range once, in order, wherever pages end', async () => {
    const range = fc.record({
      count: fc.integer({ min: 0, max: 3 * PAGE_SIZE }),
      from: fc.nat(PAGE_SIZE),
      length: fc.nat(3 * PAGE_SIZE),
      limit: fc.option(fc.integer({ min: 1, max: 2 * PAGE_SIZE }), { nil: undefined }),
      reverse: fc.boolean(),
      cutAfter: fc.integer({ min: 1, max: 2 * PAGE_SIZE }),
    });
    await fc.assert(
      fc.asyncProperty(range, async ({ count, from, length, limit, reverse, cutAfter }) => {
        const keys = keysOf(count);
        const [start] = keysOf(from + 1).slice(-1);
        const [end] = keysOf(from + length + 1).slice(-1);
        const wanted = keys.slice(from, from + length);
        if (reverse) wanted.reverse();
        const { read } = source(keys, cutAfter);
        const found = await all(scanPages({ start, end, limit, reverse }, (key) => key, read));
        expect(found).toEqual(wanted.slice(0, limit));
      }),
    );
  });

  it.each([
    [0, undefined, 1],
    [1, undefined, 1],
    [PAGE_SIZE - 1, undefined, 1],
    [PAGE_SIZE, undefined, 2],
    [PAGE_SIZE + 1, undefined, 2],
    [PAGE_SIZE + 1, 1, 1],
    [PAGE_SIZE + 1, PAGE_SIZE, 1],
  ])('of %i keys, limit %s: reads %i times', async (count, limit, times) => {
    const { read, reads } = source(keysOf(count), Infinity);
    await all(scanPages({ start: '0', end: '~', limit }, (key) => key, read));
    expect(reads()).toBe(times);
  });
});
