import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { BRANCH, LEAF, OVERFLOW, readPageHead } from '../../src/store/lmdb-pages.js';
import { LmdbStructure, newestMeta } from '../../src/store/lmdb-structure.js';
import { openKv } from '../../src/store/open.js';
import type { Kv, KvOp } from '../../src/store/kv.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-structure');
const PAGE = 4096;

/** What is wrong with a data file; null when nothing. */
function wrong(path: string): string | null {
  const file = openSync(path, 'r');
  try {
    const meta = newestMeta(file);
    if (meta === undefined) return 'no head';
    return new LmdbStructure(file, meta, () => true).check() ? null : 'ended early';
  } catch (error) {
    return (error as Error).message;
  } finally {
    closeSync(file);
  }
}

async function commitSomething(kv: Kv, random: () => number, count: number): Promise<void> {
  const below = (limit: number): number => Math.floor(random() * limit);
  const ops = Array.from({ length: count }, (): KvOp => {
    const key = `x/${below(2000)}/${'k'.repeat(1 + below(200))}`;
    if (random() < 0.3) return { op: 'del', key };
    const value = Buffer.alloc(below(random() < 0.03 ? 100_000 : 600), 7);
    return { op: 'put', key, value };
  });
  await kv.commit(ops);
}

/** A store with pages of every kind, several levels and a list of free pages. */
async function madeStore(
  seed: number,
  commits: number,
): Promise<{ path: string; findings: (string | null)[] }> {
  const folder = tempDir();
  const path = join(folder, 'data.mdb');
  const random = seededRandom(seed);
  const kv = await openKv(folder);
  const findings = [wrong(path)];
  for (let commit = 0; commit < commits; commit++) {
    await commitSomething(kv, random, 300);
    findings.push(wrong(path));
  }
  await kv.close();
  return { path, findings };
}

test('nothing is wrong with any state of a store that is worked with', async () => {
  for (const seed of [1, 2, 3]) {
    const { findings } = await madeStore(seed, 30);
    expect(findings.filter((finding) => finding !== null)).toEqual([]);
  }
});

test('nor with a compacted copy of one, which LMDB writes in another way', async () => {
  const kv = await openKv(tempDir());
  const random = seededRandom(4);
  for (let commit = 0; commit < 5; commit++) await commitSomething(kv, random, 300);
  const copy = tempDir();
  await kv.copyTo!(copy);
  await kv.close();
  expect(wrong(join(copy, 'data.mdb'))).toBeNull();
  const again = await openKv(copy);
  await commitSomething(again, random, 300);
  expect(wrong(join(copy, 'data.mdb'))).toBeNull();
  await again.close();
});

describe('a file of which one bit is not what it was', () => {
  let intact: Buffer;
  let path: string;
  beforeAll(async () => {
    path = (await madeStore(5, 4)).path;
    intact = readFileSync(path);
  });

  /** Flips one bit, looks, and flips it back. */
  function flipped(at: number, bit: number): string | null {
    writeByte(at, intact[at] ^ (1 << bit));
    const finding = wrong(path);
    writeByte(at, intact[at]);
    return finding;
  }

  function writeByte(at: number, byte: number): void {
    const file = openSync(path, 'r+');
    writeSync(file, Uint8Array.of(byte), 0, 1, at);
    closeSync(file);
  }

  test('in what says which page it is, of which kind, and where its entries are: is found', () => {
    const random = seededRandom(9);
    // A free page keeps its old contents: only what is in use can be found.
    const inUse = new Map<number, number>();
    const seen = (kind: number): number => inUse.get(kind) ?? 0;
    let looked = 0;
    for (let page = 2; page * PAGE < intact.length; page++) {
      const head = readPageHead(intact.subarray(page * PAGE, (page + 1) * PAGE));
      if (head.number !== page || ![BRANCH, LEAF, OVERFLOW].includes(head.flags)) continue;
      if (seen(head.flags) >= 8 || flipped(page * PAGE, 0) === null) continue;
      inUse.set(head.flags, seen(head.flags) + 1);
      const fields = head.flags === OVERFLOW ? [0, 3, 18, 20, 21] : [0, 3, 7, 18, 19, 20, 21, 22, 23];
      for (const field of fields) {
        const bit = Math.floor(random() * 8);
        const place = `page ${page} of kind ${head.flags}, byte ${field}, bit ${bit}`;
        expect(flipped(page * PAGE + field, bit), place).not.toBeNull();
        looked++;
      }
    }
    expect([...inUse.keys()].sort()).toEqual([BRANCH, LEAF, OVERFLOW]);
    expect(looked).toBeGreaterThan(100);
  });

  test('in the heads of the file: in every field that leads somewhere', () => {
    const newest = newestMetaOf(intact);
    const at = newest * PAGE;
    // Kind, magic, version, page size, trees' kinds, depths, counts and roots, last page.
    const fields = [18, 24, 28, 49, 52, 54, 56, 64, 72, 80, 88, 100, 102, 104, 112, 120, 128, 136];
    const missed = fields.filter((field) => flipped(at + field, 3) === null);
    expect(missed).toEqual([]);
  });

  function newestMetaOf(bytes: Buffer): number {
    return bytes.readUInt32LE(152) > bytes.readUInt32LE(PAGE + 152) ? 0 : 1;
  }
});
