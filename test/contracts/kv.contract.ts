import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Kv, KvEntry, KvOp, KvRange } from '../../src/store/kv.js';

const EVERYTHING: KvRange = { start: ' ', end: '~~' };

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function put(key: string, value = ''): KvOp {
  return { op: 'put', key, value: bytes(value) };
}

export function del(key: string): KvOp {
  return { op: 'del', key };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function entries(kv: Kv, range: KvRange = EVERYTHING): Promise<[string, string][]> {
  const found: KvEntry[] = await collect(kv.scan(range));
  return found.map(({ key, value }) => [key, Buffer.from(value).toString()]);
}

async function text(kv: Kv, key: string): Promise<string | undefined> {
  const value = await kv.get(key);
  return value && Buffer.from(value).toString();
}

/** What every adapter must do. `open` gives a new, empty Kv; the suite closes it. */
export function kvContract(name: string, open: () => Promise<Kv>): void {
  const withKv = (body: (kv: Kv) => Promise<void>) => async () => {
    const kv = await open();
    try {
      await body(kv);
    } finally {
      await kv.close();
    }
  };

  describe(`Kv contract: ${name}`, () => {
    describe('reading and writing', () => {
      test(
        'a committed value is read, replaced and deleted',
        withKv(async (kv) => {
          expect(await kv.get('a')).toBeUndefined();
          await kv.commit([put('a', '1')]);
          expect(await text(kv, 'a')).toBe('1');
          await kv.commit([put('a', '22')]);
          expect(await text(kv, 'a')).toBe('22');
          await kv.commit([del('a')]);
          expect(await kv.get('a')).toBeUndefined();
          await kv.commit([del('never there')]);
          await kv.commit([]);
        }),
      );

      test(
        'within one commit the last op on a key wins',
        withKv(async (kv) => {
          await kv.commit([put('a', '1'), del('a'), put('b', '1'), put('b', '2'), put('c'), del('c')]);
          expect(await entries(kv)).toEqual([['b', '2']]);
        }),
      );

      test(
        'empty values are values',
        withKv(async (kv) => {
          await kv.commit([put('empty')]);
          expect(await kv.get('empty')).toHaveLength(0);
          expect(await entries(kv)).toEqual([['empty', '']]);
        }),
      );

      test(
        'a value of 20 MB comes back whole, by get and by scan',
        withKv(async (kv) => {
          const value = Buffer.alloc(20 * 2 ** 20, 'maestro');
          await kv.commit([{ op: 'put', key: 'big', value }, put('small', 'x')]);
          expect(Buffer.compare((await kv.get('big'))!, value)).toBe(0);
          const found = await collect(kv.scan(EVERYTHING));
          expect(found.map(({ key, value: { length } }) => [key, length])).toEqual([
            ['big', value.length],
            ['small', 1],
          ]);
          expect(Buffer.compare(found[0].value, value)).toBe(0);
        }),
      );

      test(
        'the arrays may be reused after the call, and what was read be changed',
        withKv(async (kv) => {
          const value = bytes('before');
          const ops = [{ op: 'put' as const, key: 'a', value }];
          const committed = kv.commit(ops);
          ops[0] = { op: 'put', key: 'b', value: bytes('after') };
          await committed;
          expect(await entries(kv)).toEqual([['a', 'before']]);
          (await kv.get('a'))!.fill(0);
          (await collect(kv.scan(EVERYTHING)))[0].value.fill(0);
          expect(await text(kv, 'a')).toBe('before');
        }),
      );

      test(
        'keys outside the rules are refused and nothing of their commit is written',
        withKv(async (kv) => {
          for (const key of ['', 'tab\t', 'é', 'x'.repeat(1001), '\0']) {
            await expect(kv.commit([put('good'), put(key)])).rejects.toMatchObject({ code: 'INVARIANT' });
          }
          await kv.commit([put('x'.repeat(1000), 'longest')]);
          expect(await entries(kv)).toEqual([['x'.repeat(1000), 'longest']]);
        }),
      );
    });

    describe('order and ranges', () => {
      const printable = fc.string({
        unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
        minLength: 1,
        maxLength: 12,
      });
      const key = fc.oneof(printable, fc.constantFrom('a', 'a/', 'a/b', 'a0', 'a.', 'A', '~', ' '));

      test('scans and keys equal a sorted model, whatever the range', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(key, { maxLength: 40 }),
            fc.array(
              fc.record({
                start: key,
                end: key,
                limit: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
                reverse: fc.option(fc.boolean(), { nil: undefined }),
              }),
              { maxLength: 8 },
            ),
            async (stored, ranges) => {
              const kv = await open();
              try {
                await kv.commit(stored.map((each) => put(each, `value of ${each}`)));
                for (const range of ranges) {
                  const model = stored.filter((each) => each >= range.start && each < range.end).sort();
                  if (range.reverse) model.reverse();
                  const expected = model.slice(0, range.limit ?? model.length);
                  expect(await collect(kv.keys(range))).toEqual(expected);
                  expect(await entries(kv, range)).toEqual(
                    expected.map((each) => [each, `value of ${each}`]),
                  );
                }
              } finally {
                await kv.close();
              }
            },
          ),
          { numRuns: 30 },
        );
      });

      test(
        'order is byte order over all printable ASCII',
        withKv(async (kv) => {
          const all = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i));
          const keys = all.flatMap((each) => [each, `k${each}`, `k${each}k`]);
          await kv.commit(keys.map((each) => put(each)));
          const expected = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
          expect(await collect(kv.keys(EVERYTHING))).toEqual(expected);
        }),
      );

      test(
        'many keys, over many pages, both ways, in several commits under way at once',
        withKv(async (kv) => {
          const keys = Array.from(
            { length: 20_000 },
            (_, i) => `k/${((i * 7919) % 20_000).toString().padStart(6, '0')}`,
          );
          const commits: Promise<void>[] = [];
          for (let i = 0; i < keys.length; i += 500)
            commits.push(kv.commit(keys.slice(i, i + 500).map((each) => put(each, each))));
          await Promise.all(commits);
          const sorted = [...keys].sort();
          expect(await collect(kv.keys(EVERYTHING))).toEqual(sorted);
          expect(await collect(kv.keys({ ...EVERYTHING, reverse: true }))).toEqual([...sorted].reverse());
          const found = await entries(kv, { start: 'k/005000', end: 'k/015000', limit: 3000 });
          expect(found).toEqual(sorted.slice(5000, 8000).map((each) => [each, each]));
          await kv.commit(sorted.filter((_, i) => i % 2 === 0).map(del));
          expect(await collect(kv.keys(EVERYTHING))).toEqual(sorted.filter((_, i) => i % 2 === 1));
        }),
      );
    });

    describe('scanning while writing', () => {
      test(
        'each key is seen at most once and keys never touched are all seen',
        withKv(async (kv) => {
          const name = (i: number) => `k${i.toString().padStart(5, '0')}`;
          await kv.commit(Array.from({ length: 1000 }, (_, i) => put(name(i * 2))));
          const seen: string[] = [];
          for await (const each of kv.keys(EVERYTHING)) {
            seen.push(each);
            if (seen.length % 100 === 0) {
              const n = Number(each.slice(1));
              await kv.commit([put(name(n - 1)), put(name(n + 1)), del(name(n + 1000))]);
            }
          }
          expect(new Set(seen).size).toBe(seen.length);
          expect([...seen].sort()).toEqual(seen);
          for (let i = 0; i < 1000; i++) if ((i * 2) % 10 !== 8) expect(seen).toContain(name(i * 2));
        }),
      );

      test(
        'a scan may be left early',
        withKv(async (kv) => {
          await kv.commit(Array.from({ length: 600 }, (_, i) => put(`k${i}`)));
          for await (const _ of kv.scan(EVERYTHING)) break;
          await kv.commit([put('after')]);
          expect(await kv.get('after')).toBeDefined();
        }),
      );
    });

    describe('guards', () => {
      test(
        'all must hold, or nothing is written',
        withKv(async (kv) => {
          await kv.commit([put('a', '1')]);
          const holds = { key: 'a', value: bytes('1') };
          const absent = { key: 'b', value: null };
          await kv.commit([put('c', '1')], [holds, absent]);
          for (const broken of [
            { key: 'a', value: bytes('2') },
            { key: 'a', value: bytes('') },
            { key: 'a', value: null },
            { key: 'b', value: bytes('') },
          ]) {
            const attempt = kv.commit([put('d', '1'), del('a')], [holds, absent, broken]);
            await expect(attempt).rejects.toMatchObject({
              code: 'STORE_CONFLICT',
              details: { key: broken.key },
            });
          }
          expect(await entries(kv)).toEqual([
            ['a', '1'],
            ['c', '1'],
          ]);
          await kv.commit([put('e', '1')]);
          expect(await text(kv, 'e')).toBe('1');
        }),
      );

      test(
        'a commit that only demands that a key is absent is refused as a whole when it is there',
        withKv(async (kv) => {
          const fence = { key: 'f/owner', value: null };
          await kv.commit([put('a', '1'), put('b', '1')], [fence]);
          await kv.commit([put('f/owner', '')]);
          const refused = kv.commit([put('a', '2'), del('b'), put('c', '2')], [fence]);
          const other = kv.commit([put('d', '1')]);
          await expect(refused).rejects.toMatchObject({
            code: 'STORE_CONFLICT',
            details: { key: 'f/owner' },
          });
          await other;
          expect(await entries(kv)).toEqual([
            ['a', '1'],
            ['b', '1'],
            ['d', '1'],
            ['f/owner', ''],
          ]);
        }),
      );

      test(
        'of many commits that want the same key, exactly one gets it',
        withKv(async (kv) => {
          const attempts = Array.from({ length: 20 }, (_, i) =>
            kv.commit([put('lease', String(i))], [{ key: 'lease', value: null }]).then(
              () => i,
              () => -1,
            ),
          );
          const winners = (await Promise.all(attempts)).filter((i) => i >= 0);
          expect(winners).toEqual([0]);
          expect(await text(kv, 'lease')).toBe('0');
        }),
      );

      test(
        'a guard sees every commit made before it, and commits after it come after it',
        withKv(async (kv) => {
          const results = await Promise.allSettled([
            kv.commit([put('a', '1')]),
            kv.commit([put('a', '2')], [{ key: 'a', value: bytes('1') }]),
            kv.commit([put('a', '3')]),
            kv.commit([put('a', '4')], [{ key: 'a', value: bytes('1') }]),
            kv.commit([put('b', '1')]),
          ]);
          expect(results.map(({ status }) => status)).toEqual([
            'fulfilled',
            'fulfilled',
            'fulfilled',
            'rejected',
            'fulfilled',
          ]);
          expect(await entries(kv)).toEqual([
            ['a', '3'],
            ['b', '1'],
          ]);
        }),
      );
    });

    describe('commits at once', () => {
      test('whatever is committed without waiting, the result is that of the same commits one by one', async () => {
        const op = fc.oneof(
          fc
            .tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.string({ maxLength: 3 }))
            .map(([k, v]) => put(k, v)),
          fc.constantFrom('a', 'b', 'c', 'd').map(del),
        );
        await fc.assert(
          fc.asyncProperty(fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 }), async (commits) => {
            const kv = await open();
            try {
              const model = new Map<string, string>();
              for (const each of commits.flat()) {
                if (each.op === 'put') model.set(each.key, Buffer.from(each.value).toString());
                else model.delete(each.key);
              }
              await Promise.all(commits.map((ops) => kv.commit(ops)));
              expect(await entries(kv)).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
            } finally {
              await kv.close();
            }
          }),
          { numRuns: 30 },
        );
      });

      test(
        'nobody sees half of a commit',
        withKv(async (kv) => {
          let done = false;
          const writer = (async () => {
            for (let i = 0; i < 100; i++)
              await kv.commit(
                Array.from({ length: 20 }, (_, n) => put(`k${n.toString().padStart(2, '0')}`, String(i))),
              );
            done = true;
          })();
          while (!done) {
            const values = new Set((await entries(kv)).map(([, value]) => value));
            expect(values.size).toBeLessThanOrEqual(1);
            await new Promise((resolve) => setImmediate(resolve));
          }
          await writer;
        }),
      );
    });

    describe('close', () => {
      test('waits for commits under way, is idempotent, and refuses what comes after', async () => {
        const kv = await open();
        const settled: string[] = [];
        const commits = Array.from({ length: 10 }, (_, i) =>
          kv.commit([put(`k${i}`)]).then(() => settled.push(`k${i}`)),
        );
        await kv.close();
        expect(settled).toHaveLength(10);
        await Promise.all(commits);
        await kv.close();
        await expect(kv.get('k0')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        await expect(kv.commit([put('k')])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        await expect(collect(kv.scan(EVERYTHING))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        await expect(collect(kv.keys(EVERYTHING))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      });

      test('a scan that is open when the store closes ends with an error', async () => {
        const kv = await open();
        await kv.commit(Array.from({ length: 2000 }, (_, i) => put(`k${i}`)));
        const scan = (async () => {
          for await (const _ of kv.keys(EVERYTHING)) await kv.close();
        })();
        await expect(scan).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      });
    });
  });
}
