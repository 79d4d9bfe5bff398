import { MessageChannel } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { KvEntry } from '../../src/store/kv.js';
import { LmdbKv, type LmdbDatabase } from '../../src/store/lmdb-kv.js';
import { bytes, put } from '../contracts/kv.contract.js';

/** A database whose transactions do what the test says. */
class FakeDatabase implements LmdbDatabase {
  readonly stored = new Map<string, Uint8Array>();
  readonly groups: string[][] = [];
  next: () => Promise<unknown> = () => Promise.resolve();
  closed = false;

  getBinary(key: string): Uint8Array | undefined {
    return this.stored.get(key);
  }
  getRange(): Iterable<KvEntry> {
    return [];
  }
  getKeys(): Iterable<string> {
    return [];
  }
  put(key: string, value: Uint8Array): void {
    this.groups.at(-1)!.push(key);
    this.stored.set(key, value);
  }
  remove(key: string): void {
    this.stored.delete(key);
  }
  batch(action: () => void): Promise<unknown> {
    this.groups.push([]);
    action();
    return this.next();
  }
  async ifNoExists(key: string, action: () => void): Promise<boolean> {
    this.groups.push([]);
    if (this.stored.has(key)) return false;
    action();
    await this.next();
    return true;
  }
  async transaction<T>(action: () => T): Promise<T> {
    this.groups.push([]);
    const result = action();
    await this.next();
    return result;
  }
  resetReadTxn(): void {}
  backup(): Promise<void> {
    return Promise.resolve();
  }
  lastTxnId = 0;
  getStats(): object {
    return { lastTxnId: this.lastTxnId };
  }
  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function lmdbFailure(): Promise<never> {
  const error = Object.assign(new Error('Commit failed (see commitError for details)'), {
    commitError: Promise.reject(new Error('EIO')),
  });
  return Promise.reject(error);
}

describe('grouping', () => {
  test('commits of one turn share a transaction; those that come meanwhile share the next', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    let finish: () => void = () => undefined;
    db.next = () => new Promise<void>((resolve) => (finish = resolve));
    const first = [kv.commit([put('a')]), kv.commit([put('b')])];
    await new Promise((resolve) => setImmediate(resolve));
    db.next = () => Promise.resolve();
    const later = [
      kv.commit([put('c')]),
      kv.commit([put('d')], [{ key: 'a', value: bytes('') }]),
      kv.commit([put('e')]),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    expect(db.groups).toEqual([['a', 'b']]);
    finish();
    await Promise.all([...first, ...later]);
    expect(db.groups).toEqual([['a', 'b'], ['c'], ['d', 'e']]);
  });

  test('guards are checked one after another, and one that does not hold harms no neighbour', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    const commits = [
      kv.commit(
        [put('a', '1')],
        [
          { key: 'x', value: null },
          { key: 'y', value: null },
        ],
      ),
      kv.commit([put('b')], [{ key: 'a', value: bytes('0') }]),
      kv.commit([put('a', '2')], [{ key: 'a', value: bytes('1') }]),
      kv.commit([put('c')], [{ key: 'a', value: null }]),
    ];
    const outcomes = (await Promise.allSettled(commits)).map(({ status }) => status);
    expect(outcomes).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(db.groups).toEqual([['a', 'a']]);
  });

  test('a transaction with guards is bounded: this thread writes it', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    const many = Array.from({ length: 900 }, (_, i) => put(`k${i}`));
    const absent = [
      { key: 'x', value: null },
      { key: 'y', value: null },
    ];
    await Promise.all([1, 2, 3].map(() => kv.commit(many, absent)));
    expect(db.groups.map(({ length }) => length)).toEqual([1800, 900]);
  });
});

describe('a commit that fails', () => {
  test('rejects its whole group and what waits behind it, writes none of that, and refuses all later ones', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    await kv.commit([put('before')]);
    db.next = lmdbFailure;
    const group = [kv.commit([put('a')]), kv.commit([put('b')])];
    const behind = kv.commit([put('c')], [{ key: 'nothing', value: null }]);
    for (const each of [...group, behind]) await expect(each).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    db.next = () => Promise.resolve();
    await expect(kv.commit([put('d')])).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    expect(db.groups).toEqual([['before'], ['a', 'b']]);
    await kv.close();
    expect(db.closed).toBe(true);
  });

  test('in a guarded commit is no conflict', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    db.next = lmdbFailure;
    const attempt = kv.commit(
      [put('a')],
      [
        { key: 'a', value: null },
        { key: 'b', value: null },
      ],
    );
    await expect(attempt).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    await expect(kv.commit([put('b')])).rejects.toMatchObject({ code: 'STORE_COMMIT' });
  });

  test('a guard that does not hold harms no other commit', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db);
    const attempt = kv.commit([put('a')], [{ key: 'a', value: bytes('x') }]);
    await expect(attempt).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
    await kv.commit([put('b')]);
    expect([...db.stored.keys()]).toEqual(['b']);
  });
});

describe('a commit that never ends', () => {
  test('is given up, and everything after it; closing does not wait for it', async () => {
    const db = new FakeDatabase();
    let closed = false;
    const kv = new LmdbKv(db, { commitTimeoutMs: 20, onClosed: () => (closed = true) });
    db.next = () => new Promise(() => undefined);
    const hanging = kv.commit([put('a')]);
    const behind = kv.commit([put('b')], [{ key: 'b', value: null }]);
    await expect(hanging).rejects.toMatchObject({ code: 'STORE_COMMIT', retriable: true });
    await expect(behind).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    await expect(kv.commit([put('c')])).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    db.close = () => new Promise(() => undefined);
    await kv.close();
    expect(closed).toBe(false);
  });

  test('is not given up while other processes commit: it waits for its turn', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db, { commitTimeoutMs: 200 });
    const others = setInterval(() => db.lastTxnId++, 5);
    db.next = () => new Promise((resolve) => setTimeout(resolve, 700));
    await kv.commit([put('a')]);
    clearInterval(others);
    const hanging = kv.commit([put('b')]);
    await expect(hanging).rejects.toMatchObject({ code: 'STORE_COMMIT' });
  });

  test('is given up at last even then', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db, { commitTimeoutMs: 20 });
    const others = setInterval(() => db.lastTxnId++, 1);
    db.next = () => new Promise(() => undefined);
    await expect(kv.commit([put('a')])).rejects.toThrow('no answer within 200 ms');
    clearInterval(others);
  });

  test('is not given up by a process that was kept from running while the answer came', async () => {
    const db = new FakeDatabase();
    const kv = new LmdbKv(db, { commitTimeoutMs: 60 });
    const { port1, port2 } = new MessageChannel();
    db.next = () => new Promise<void>((resolve) => void port2.once('message', () => resolve()));
    const committed = kv.commit([put('a')]);
    await new Promise((resolve) => setTimeout(resolve, 40));
    port1.postMessage('answer');
    for (const endMs = performance.now() + 60; performance.now() < endMs;);
    await committed;
    port1.close();
  });

  test('is given up when it is guarded, too', async () => {
    const db = new FakeDatabase();
    for (const value of [null, bytes('')]) {
      const kv = new LmdbKv(db, { commitTimeoutMs: 20 });
      db.stored.set('b', bytes(''));
      db.next = () => new Promise(() => undefined);
      const hanging = kv.commit([put('a')], [{ key: value === null ? 'a' : 'b', value }]);
      await expect(hanging).rejects.toMatchObject({ code: 'STORE_COMMIT' });
      db.stored.clear();
    }
  });
});
