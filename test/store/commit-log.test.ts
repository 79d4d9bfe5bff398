import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, frameBytes, isWhole, readFrames, writeFrame } from '../../src/store/commit-log.js';
import type { KvOp } from '../../src/store/kv.js';

const op: fc.Arbitrary<KvOp> = fc.oneof(
  fc.record({
    op: fc.constant('put' as const),
    key: fc.stringMatching(/^[ -~]{1,40}$/),
    value: fc.uint8Array({ maxLength: 6_000 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ op: fc.constant('del' as const), key: fc.stringMatching(/^[ -~]{1,40}$/) }),
);
const commits = fc.array(fc.array(op, { maxLength: 4 }), { minLength: 1, maxLength: 6 });

/** A log with these commits, the first of which has number `first`, in what held `before`. */
function logOf(
  each: readonly (readonly KvOp[])[],
  first = 1,
  before = 0xaa,
): { log: Buffer; ends: number[] } {
  const size = each.reduce((sum, ops) => sum + frameBytes(ops), 0);
  const log = Buffer.alloc(size + 2 * BLOCK_BYTES, before);
  const ends: number[] = [];
  let at = 0;
  each.forEach((ops, index) => {
    at += writeFrame(log.subarray(at), 'me', first + index, ops);
    ends.push(at);
  });
  return { log, ends };
}

describe('a log of commits', () => {
  test('gives back what was written, after any number', () => {
    fc.assert(
      fc.property(commits, fc.nat(6), fc.integer({ min: 1, max: 2 ** 52 }), (each, skip, first) => {
        const { log } = logOf(each, first);
        const expected = each.map((ops, index) => ({ number: first + index, ops })).slice(skip);
        const found = readFrames(log, 'me', first + Math.min(skip, each.length) - 1);
        expect(found.map(({ number, ops }) => ({ number, ops }))).toEqual(expected);
        expect(isWhole(log, 'me')).toBe(true);
      }),
    );
  });

  test('a write that power loss cuts anywhere spoils only itself', () => {
    fc.assert(
      fc.property(commits, fc.nat(), fc.boolean(), (each, cut, isStale) => {
        const { log, ends } = logOf(each);
        const begin = ends.at(-2) ?? 0;
        const last = ends.at(-1)!;
        const at = begin + (cut % (last - begin));
        // Where it was to go there are the zeros of a new log, or older commits.
        if (isStale)
          writeFrame(log.subarray(begin), 'me', 0, [{ op: 'put', key: 'old', value: Buffer.alloc(9) }]);
        const spoilt = Buffer.from(logOf(each).log);
        log.copy(spoilt, at, at, last);
        if (!isStale) spoilt.fill(0, at, last);
        const found = readFrames(spoilt, 'me', 0);
        const before = each.slice(0, -1);
        expect([before.length, each.length]).toContain(found.length);
        // Where what is cut off is as what was there before, nothing is.
        expect(found.map(({ ops }) => ops)).toEqual(found.length === each.length ? each : before);
      }),
    );
  });

  test('begun anew, it ends with the newest commit, whatever older ones follow', () => {
    fc.assert(
      fc.property(commits, commits, (older, newer) => {
        const { log } = logOf(older, 1);
        let at = 0;
        const fitting: (readonly KvOp[])[] = [];
        for (const ops of newer) {
          if (at + frameBytes(ops) > log.length) break;
          at += writeFrame(log.subarray(at), 'me', older.length + 1 + fitting.length, ops);
          fitting.push(ops);
        }
        expect(readFrames(log, 'me', older.length).map(({ ops }) => ops)).toEqual(fitting);
      }),
    );
  });

  test('a commit that is missing before others is damage, not the end', () => {
    const put: KvOp = { op: 'put', key: 'k', value: Buffer.from('v') };
    const { log, ends } = logOf([[put], [put], [put]]);
    log[ends[0] + 25] ^= 1;
    expect(() => readFrames(log, 'me', 0)).toThrow(/commit 2 is missing at byte 4096/);
    expect(() => readFrames(log, 'me', 0)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
    expect(isWhole(log, 'me')).toBe(false);
    // Of a log that begins later than it should, nothing is taken either.
    expect(() => readFrames(logOf([[put]], 7).log, 'me', 2)).toThrow(/commit 3 is missing at byte 0/);
    // What is in the store already may be damaged.
    log[25] ^= 1;
    expect(() => readFrames(log, 'me', 0)).toThrow(/commit 1 is missing/);
    expect(readFrames(logOf([[put], [put]]).log, 'me', 2)).toEqual([]);
  });

  test('nothing of what the memory held before is written', () => {
    const { log, ends } = logOf([[{ op: 'put', key: 'k', value: Buffer.from('v') }]]);
    expect(ends).toEqual([BLOCK_BYTES]);
    expect(log.subarray(40, BLOCK_BYTES).every((byte) => byte === 0)).toBe(true);
  });
});
