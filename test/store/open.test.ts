import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openEnvironment } from '../../src/store/lmdb-environment.js';
import { LmdbKv } from '../../src/store/lmdb-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openKv } from '../../src/store/open.js';
import { bytes, put } from '../contracts/kv.contract.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-open');

/** A store with one row, closed. */
async function madeStore(): Promise<string> {
  const folder = join(tempDir(), 'store');
  const kv = await openKv(`lmdb:${folder}`);
  await kv.commit([put('k', 'v')]);
  await kv.close();
  return folder;
}

describe('addresses', () => {
  test('memory: is a new store each time', async () => {
    const [a, b] = [await openKv('memory:'), await openKv('memory:')];
    expect(a).toBeInstanceOf(MemoryKv);
    await a.commit([put('k')]);
    expect(await b.get('k')).toBeUndefined();
  });

  test.each(['lmdb:', ''])('%sPATH creates the folder and finds it again', async (scheme) => {
    const folder = join(tempDir(), 'a.b', 'c');
    const kv = await openKv(scheme + folder);
    await kv.commit([put('k', 'v')]);
    await kv.close();
    expect(readdirSync(folder).sort()).toEqual(['data.mdb', 'lock.mdb', 'store.json']);
    const again = await openKv(scheme + folder);
    expect(await again.get('k')).toEqual(Buffer.from('v'));
    await again.close();
  });

  test.each(['redis:host', 'postgres://x', 'lmdb:', ''])('%j is refused', async (url) => {
    await expect(openKv(url)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('two openings in one process see each other', async () => {
    const folder = tempDir();
    const [a, b] = [await openKv(folder), await openKv(folder)];
    await a.commit([put('k', '1')]);
    expect(await b.get('k')).toEqual(Buffer.from('1'));
    const rivals = [a, b].map((kv) => kv.commit([put('k', '2')], [{ key: 'k', value: bytes('1') }]));
    const outcomes = (await Promise.allSettled(rivals)).map(({ status }) => status);
    expect(outcomes.sort()).toEqual(['fulfilled', 'rejected']);
    await a.close();
    await b.commit([put('k', '3')]);
    expect(await b.get('k')).toEqual(Buffer.from('3'));
    await b.close();
  });
});

describe('places that cannot be used', () => {
  test('a file, a path through a file, a place where no folder can be', async () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, 'x');
    for (const path of [file, join(file, 'below'), '/proc/maestro-store'])
      await expect(openKv(path)).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining(path) as string,
      });
    expect(readFileSync(file, 'utf8')).toBe('x');
  });

  test.skipIf(process.getuid?.() === 0)('a folder without permission (root may write anywhere)', async () => {
    const folder = tempDir();
    mkdirSync(join(folder, 'locked'), { mode: 0o500 });
    await expect(openKv(join(folder, 'locked'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});

describe('stores that are not what they were', () => {
  test('data that is gone or empty is a loss, not a new store', async () => {
    const folder = await madeStore();
    const data = join(folder, 'data.mdb');
    truncateSync(data, 0);
    await expect(openKv(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(readFileSync(data)).toHaveLength(0);
    rmSync(data);
    await expect(openKv(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(existsSync(data)).toBe(false);
  });

  test('what a process left that died while it created a store becomes one', async () => {
    const empty = tempDir();
    writeFileSync(join(empty, 'data.mdb'), '');
    writeFileSync(join(empty, 'lock.mdb'), '');
    await (await openKv(empty)).close();
    const initialised = tempDir();
    await new LmdbKv(openEnvironment(initialised)).close();
    const kv = await openKv(initialised);
    await kv.commit([put('k')]);
    await kv.close();
  });

  test('a store whose marker is gone, and an LMDB file of somebody else', async () => {
    const folder = await madeStore();
    const raw = new LmdbKv(openEnvironment(folder));
    await raw.commit([
      { op: 'del', key: 'm/format' },
      { op: 'del', key: 'k' },
    ]);
    await raw.close();
    await expect(openKv(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    const foreign = tempDir();
    const other = new LmdbKv(openEnvironment(foreign));
    await other.commit([put('somebody', 'else')]);
    await other.close();
    await expect(openKv(foreign)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(existsSync(join(foreign, 'store.json'))).toBe(false);
  });

  test('a store of a newer release', async () => {
    const folder = await madeStore();
    writeFileSync(join(folder, 'store.json'), JSON.stringify({ product: 'maestro-dag', format: 3 }));
    await expect(openKv(folder)).rejects.toMatchObject({ code: 'STORE_VERSION' });
  });

  test('a damaged label costs nothing but a probe', async () => {
    const folder = await madeStore();
    writeFileSync(join(folder, 'store.json'), '{"closed":');
    const kv = await openKv(folder);
    expect(await kv.get('k')).toEqual(Buffer.from('v'));
    await kv.close();
  });
});
