import { describe, expect, test, vi } from 'vitest';
import { MaestroError } from '../../src/base/errors.js';
import { putFence } from '../../src/store/fences.js';
import { fenceKey, logRowKey } from '../../src/store/keys.js';
import { withoutLog } from '../../src/store/log-rows.js';
import { collect, put } from '../contracts/kv.contract.js';
import { logging, settled, soon, text, unless, world } from '../support/logged-world.js';

describe('commits that may be seen soon', () => {
  test('the first ones go into the store: there is no log for a few', async () => {
    const each = world();
    const { rows, logs } = each;
    const kv = each.open({ withoutLog: 3 });
    for (let n = 0; n < 3; n++) await soon(kv, 'a', put(`k${n}`, '1'));
    await settled();
    expect([logs.files.size, await rows.get('k2')]).toEqual([0, expect.anything()]);
    await soon(kv, 'a', put('k3', '1'));
    await settled();
    await soon(kv, 'a', put('k4', '1'));
    expect([logs.files.size, await rows.get('k4')]).toEqual([1, undefined]);
  });

  test('are seen at once by their own handle, and by others when they are in the store', async () => {
    const each = world();
    const [mine, other] = [await logging(each, 'a'), each.open()];
    await mine.commit([put('gone', '1')]);
    await soon(mine, 'a', put('k', '1'), put('k', '2'), { op: 'del', key: 'gone' });
    expect([await text(mine, 'k'), await mine.get('gone')]).toEqual(['2', undefined]);
    expect([await other.get('k'), await text(other, 'gone')]).toEqual([undefined, '1']);
    await each.clock.fire();
    expect([await text(other, 'k'), await other.get('gone')]).toEqual(['2', undefined]);
  });

  test('are in every scan of their own handle that leads over them', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('m', '1'));
    expect(await collect(kv.keys({ start: 'n', end: 'p' }))).toEqual([]);
    expect(await each.rows.get('m')).toBeUndefined();
    expect(await collect(kv.keys({ start: 'a', end: 'p', reverse: true }))).toEqual(['m', 'first']);
    expect((await collect(kv.scan({ start: 'm', end: 'n' }))).map(({ key }) => key)).toEqual(['m']);
  });

  test('what must be seen now takes along what came before it, in one commit', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('k', '1'));
    await soon(kv, 'a', put('k', '2'));
    await kv.commit([put('record', 'done')], [unless('a')]);
    expect([await text(each.rows, 'k'), await text(each.rows, 'record')]).toEqual(['2', 'done']);
  });

  test('what somebody else writes to the same key comes after them', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('k', '1'));
    await kv.commit([put('k', '2')]);
    await each.clock.fire();
    expect([await text(kv, 'k'), await text(each.rows, 'k')]).toEqual(['2', '2']);
    await soon(kv, 'a', put('k', '3'));
    await kv.commit([put('l')], [{ key: 'k', value: Buffer.from('3') }]);
    expect(await text(each.rows, 'k')).toBe('3');
  });

  test('a log that is full, and a commit that is too large for one, go into the store', async () => {
    const each = world(2);
    const kv = await logging(each, 'a');
    for (let n = 0; n < 7; n++) await soon(kv, 'a', put('k', `${n}`));
    expect(await text(each.rows, 'k')).toBe('5');
    await soon(kv, 'a', put('k', 'x'.repeat(20_000)));
    expect((await text(each.rows, 'k'))?.length).toBe(20_000);
    await soon(kv, 'a', put('k', 'last'));
    await each.open().absorb('a');
    expect(await text(each.rows, 'k')).toBe('last');
  });

  test('what cannot be brought into the store, or must not be any more, is told at once to who listens', async () => {
    const failing = world();
    const kv = await logging(failing, 'a');
    const failures: MaestroError[] = [];
    kv.onFailure((error) => failures.push(error));
    await soon(kv, 'a', put('k', '1'));
    const eio = new MaestroError('STORE_COMMIT', 'writing to the store failed: EIO');
    vi.spyOn(failing.rows, 'commit').mockRejectedValue(eio);
    await failing.clock.fire();
    expect(failures).toEqual([eio]);

    const read = world();
    const reader = await logging(read, 'a');
    reader.onFailure((error) => failures.push(error));
    await soon(reader, 'a', put('k', '1'));
    vi.spyOn(read.rows, 'commit').mockRejectedValue(eio);
    await expect(collect(reader.keys({ start: 'a', end: 'z' }))).rejects.toBe(eio);
    expect(failures.splice(1)).toEqual([eio]);

    const fenced = world();
    const other = await logging(fenced, 'b');
    other.onFailure((error) => failures.push(error));
    await soon(other, 'b', put('k', '1'));
    await fenced.rows.commit([putFence('b', 1)]);
    await fenced.clock.fire();
    expect(failures[1]).toMatchObject({ code: 'LEASE_LOST' });
  });

  test('a handle that is closed leaves no log', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('k', '1'));
    const before = each.logs.files.size;
    const close = each.rows.close.bind(each.rows);
    let left: unknown;
    each.rows.close = async () => {
      left = [await text(each.rows, 'k'), await each.rows.get(logRowKey('a')), each.logs.files.size];
      await close();
    };
    await kv.close();
    expect([before, left]).toEqual([1, ['1', undefined, 0]]);
    await expect(soon(kv, 'a', put('k', '2'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  test('where a log cannot be made or written, nothing is lost', async () => {
    const each = world();
    each.logs.create = async () => {
      throw new Error('no space');
    };
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('k', '1'));
    expect(await text(each.rows, 'k')).toBe('1');

    const other = world();
    const failing = await logging(other, 'b');
    await soon(failing, 'b', put('k', '1'));
    other.logs.beforeWrite = async () => {
      throw new Error('EIO');
    };
    await expect(soon(failing, 'b', put('k', '2'))).rejects.toMatchObject({
      code: 'STORE_COMMIT',
      message: 'writing to the store failed: EIO',
    });
    // Nobody knows what became of it: nothing is written after it.
    await expect(failing.commit([put('now')], [unless('b')])).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    await other.open().absorb('b');
    expect([await text(other.rows, 'k'), await other.rows.get('now')]).toEqual(['1', undefined]);
  });
});

describe('an owner that was taken for dead', () => {
  test('loses nothing that was acknowledged, and commits nothing more', async () => {
    const each = world();
    const [frozen, other] = [await logging(each, 'a'), each.open()];
    await soon(frozen, 'a', put('k', '1'));
    await other.absorb('a');
    expect([await text(other, 'k'), each.logs.files.size]).toEqual(['1', 0]);
    const refused = { code: 'STORE_CONFLICT', details: { key: fenceKey('a') } };
    await expect(soon(frozen, 'a', put('k', '2'))).rejects.toMatchObject(refused);
    await expect(frozen.commit([put('k', '3')], [unless('a')])).rejects.toMatchObject(refused);
    await each.clock.fire();
    expect(await text(other, 'k')).toBe('1');
  });

  test('a commit that gets into the log after the fence is not acknowledged, and nobody sees it', async () => {
    const each = world();
    const [frozen, other] = [await logging(each, 'a'), each.open()];
    let go = (): void => {};
    each.logs.beforeWrite = () => new Promise((resolve) => (go = resolve));
    const late = soon(frozen, 'a', put('k', 'late'));
    await settled();
    await other.absorb('a');
    go();
    await expect(late).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
    await each.clock.fire();
    await other.absorb('a');
    expect(await other.get('k')).toBeUndefined();
  });

  test('while its log was being made: what it would have logged is refused', async () => {
    const each = world();
    const [frozen, other] = [each.open(), each.open()];
    const create = each.logs.create.bind(each.logs);
    let go = (): void => {};
    each.logs.create = async (owner) => {
      await new Promise<void>((resolve) => (go = resolve));
      return create(owner);
    };
    await soon(frozen, 'a', put('k', '1'));
    await settled();
    await other.absorb('a');
    go();
    await settled();
    await expect(soon(frozen, 'a', put('k', '2'))).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
    // What it left is swept by whoever opens the store next.
    expect(each.logs.files.size).toBe(1);
    await each.open().absorbDead();
    expect([await text(each.rows, 'k'), each.logs.files.size]).toEqual(['1', 0]);
  });

  test('who takes over waits for what is in the log, whenever it got there', async () => {
    const each = world();
    const [alive, other] = [await logging(each, 'a'), each.open()];
    await soon(alive, 'a', put('k', '1'));
    let seen: string | undefined;
    await withoutLog(other, 'a', async (noLog) => {
      seen = await text(other, 'k');
      await other.commit([putFence('a', 1), put('taken')], noLog);
    });
    expect([seen, await text(other, 'taken')]).toEqual(['1', '']);
  });

  test('several that take over at once do it once', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    for (let n = 0; n < 5; n++) await soon(kv, 'a', put(`k${n}`, '1'));
    const others = Array.from({ length: 4 }, () => each.open());
    await Promise.all(others.map((other) => other.absorb('a')));
    expect(await collect(each.rows.keys({ start: 'k', end: 'l' }))).toHaveLength(5);
    expect(await each.rows.get(logRowKey('a'))).toBeUndefined();
  });

  test('what a release without logs went on from stays', async () => {
    const each = world();
    const kv = await logging(each, 'a');
    await soon(kv, 'a', put('k', 'in the log'));
    await each.rows.commit([putFence('a', 1), put('k', 'of the other release')]);
    await each.open().absorb('a');
    expect([await text(each.rows, 'k'), each.logs.files.size]).toEqual(['of the other release', 0]);
  });

  test('whoever opens the store next finds what the dead had committed, and leaves the living alone', async () => {
    const each = world();
    const [dead, alive] = [await logging(each, 'dead'), await logging(each, 'alive')];
    await soon(dead, 'dead', put('k', '1'));
    await soon(alive, 'alive', put('l', '1'));
    const next = each.open();
    let asked = 0;
    // The owners come in the order of their names.
    each.isAlive = () => asked++ === 0;
    await next.absorbDead();
    expect([await text(next, 'k'), await next.get('l')]).toEqual(['1', undefined]);
    await soon(alive, 'alive', put('l', '2'));
    await each.clock.fire();
    expect(await text(next, 'l')).toBe('2');
  });

  test('a damaged log, or row of it, is told with the file, and can be moved away', async () => {
    for (const harm of ['log', 'row']) {
      const each = world();
      const kv = await logging(each, 'a');
      await soon(kv, 'a', put('k', '1'));
      await soon(kv, 'a', put('k', '2'));
      if (harm === 'log') each.logs.files.get('a')![25] ^= 1;
      else await each.rows.commit([put(logRowKey('a'), 'nonsense')]);
      const next = each.open();
      each.isAlive = () => false;
      await next.absorbDead();
      // That keeps nobody from reading.
      await next.settled('a');
      await expect(next.absorb('a')).rejects.toMatchObject({
        code: harm === 'log' ? 'STORE_CORRUPT' : 'RECORD_CORRUPT',
        message: expect.stringContaining('/store/log-a: ') as string,
        next: expect.stringContaining('Move /store/log-a away') as string,
      });
      each.logs.files.delete('a');
      await next.absorb('a');
      expect([await next.get('k'), await each.rows.get(logRowKey('a'))]).toEqual([undefined, undefined]);
    }
  });
});

describe('who reads what another owner is at', () => {
  test('waits until what that one was told is in the store', async () => {
    const each = world();
    const [alive, other] = [await logging(each, 'a'), each.open()];
    await other.settled('nobody');
    await other.settled('a');
    await soon(alive, 'a', put('k', '1'));
    let isSettled = false;
    const waits = other.settled('a').then(() => (isSettled = true));
    await settled();
    expect([isSettled, await other.get('k')]).toEqual([false, undefined]);
    // What comes later is not waited for.
    await each.clock.fire();
    await soon(alive, 'a', put('k', '2'));
    for (let n = 0; n < 3 && !isSettled; n++) await each.clock.fire('readers');
    await waits;
    expect(await text(other, 'k')).toBe('1');
    await alive.settled('a');
    expect(await text(alive, 'k')).toBe('2');
  });

  test('of one that hangs, not for ever; of a dead one, not at all', async () => {
    const each = world();
    const [hangs, other] = [await logging(each, 'a'), each.open()];
    await soon(hangs, 'a', put('k', '1'));
    let isOver = false;
    void other.settled('a').then(() => (isOver = true));
    for (let n = 0; n < 300 && !isOver; n++) await each.clock.fire('readers');
    expect(isOver).toBe(true);
    expect(await other.get('k')).toBeUndefined();
    each.isAlive = () => false;
    await other.settled('a');
    expect(await text(other, 'k')).toBe('1');
  });
});
