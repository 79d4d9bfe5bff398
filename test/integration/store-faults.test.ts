import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import { afterEach, describe, expect, test } from 'vitest';
import { createRuntime, parallelWorkflow } from '../../src/runtime/index.js';
import { FORMAT_VERSION, sealJson } from '../../src/store/envelope.js';
import { openLmdb } from '../../src/store/lmdb-open.js';
import { LmdbKv, type LmdbDatabase } from '../../src/store/lmdb-kv.js';
import { probe } from '../../src/store/lmdb-probe.js';
import { openKv } from '../../src/store/open.js';
import { collect, put } from '../contracts/kv.contract.js';
import { tempDirs } from '../support/temp-dir.js';
import { MAIN } from './support/maestro.js';

const PROGRAM = resolve(import.meta.dirname, '../fixtures/store/program.mjs');
const tempDir = tempDirs('maestro-faults');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Said {
  code?: string;
  message?: string;
  rows?: number;
  times?: number;
}

/** Runs the program of the store's tests, perhaps as another user; its last line, and all of them. */
async function program(
  args: readonly string[],
  options: { uid?: number; shell?: string } = {},
): Promise<{ said: Said; lines: string[]; signal: string | null }> {
  const { uid, shell } = options;
  const [file, before] =
    shell === undefined
      ? [process.execPath, []]
      : ['sh', ['-c', `${shell}; exec "$0" "$@"`, process.execPath]];
  const child = spawn(file, [...before, PROGRAM, ...args], { uid, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  const lines = await collect(createInterface({ input: child.stdout }));
  const [, signal] = await ended;
  return { lines, said: JSON.parse(lines.at(-1) ?? '{}') as Said, signal };
}

async function madeStore(rows = 10): Promise<string> {
  const folder = join(tempDir(), 'store');
  const kv = await openKv(folder);
  await kv.commit(Array.from({ length: rows }, (_, k) => put(`k/${k}`, 'v')));
  await kv.close();
  return folder;
}

describe('a process that holds the writer lock and does not go on', () => {
  async function held(folder: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [PROGRAM, 'hold', folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    return child;
  }

  test('does not stop this one: its commits are given up, guarded ones too, and reading goes on', async () => {
    const folder = await madeStore();
    const absent = { key: 'new', value: null };
    for (const guards of [[], [absent], [absent, { key: 'other', value: null }]]) {
      const kv = await openLmdb(folder, { commitTimeoutMs: 300 });
      const holder = await held(folder);
      const attempt = kv.commit([put('new')], guards);
      await expect(attempt).rejects.toMatchObject({ code: 'STORE_COMMIT' });
      expect(await kv.get('k/1')).toEqual(Buffer.from('v'));
      holder.kill('SIGKILL');
      await once(holder, 'close');
      await kv.close();
    }
  });

  test('is not taken for damage, and its end sets the store free', async () => {
    const folder = await madeStore();
    const holder = await held(folder);
    await expect(probe(folder, 3_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    holder.kill('SIGKILL');
    await once(holder, 'close');
    await probe(folder);
    const kv = await openKv(folder);
    await kv.commit([put('new')]);
    await kv.close();
  });
});

describe('no more room', () => {
  /** What was acknowledged is there, and the store can be written to again. */
  async function assertIntact(folder: string, lines: readonly string[]): Promise<void> {
    const acknowledged = lines.filter((line) => /^\d+$/.test(line)).map(Number);
    expect(acknowledged.length).toBeGreaterThan(0);
    const kv = await openKv(folder);
    const stored = new Set(
      (await collect(kv.keys({ start: 'a/', end: 'a0' }))).map((key) => Number(key.slice(2))),
    );
    expect(acknowledged.filter((number) => !stored.has(number))).toEqual([]);
    await kv.commit([put('k/new')]);
    await kv.close();
  }

  test('in the file (a quota that nobody can ask for): nothing acknowledged is lost', async () => {
    const folder = await madeStore();
    const { said, lines, signal } = await program(['write', folder], { shell: 'ulimit -f 2000' });
    // LMDB damages the memory of its process now and then when a write fails in the middle: then it aborts.
    expect(['STORE_COMMIT', 'SIGABRT', 'SIGSEGV']).toContain(signal ?? said.code);
    await assertIntact(folder, lines);
  });

  test('on the disk (a small one): commits are refused in time, reading goes on, nothing is lost', async (context) => {
    const disk = tempDir();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('only root can mount a disk');
    }
    try {
      const folder = join(disk, 'store');
      cpSync(await madeStore(), folder, { recursive: true });
      const { said, lines, signal } = await program(['write', folder]);
      expect({ signal, ...said }).toMatchObject({
        signal: null,
        code: 'STORE_COMMIT',
        message: expect.stringContaining('disk is full') as string,
      });
      await expect(openKv(join(disk, 'another'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      const full = await openKv(folder);
      expect(await full.get('k/1')).toEqual(Buffer.from('v'));
      await full.close();
      writeFileSync(join(disk, 'filler'), Buffer.alloc(3 * 2 ** 20));
      await expect(openKv(join(disk, 'another'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      rmSync(join(disk, 'filler'));
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      await assertIntact(folder, lines);
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const before = readFileSync(join(folder, 'data.mdb'));
      await expect(openKv(folder)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(Buffer.compare(readFileSync(join(folder, 'data.mdb')), before)).toBe(0);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('in the map: it grows', async () => {
    const folder = tempDir();
    const options = { encoding: 'binary', mapSize: 2 ** 18, overlappingSync: false } as const;
    const kv = new LmdbKv(open(folder, options) as unknown as LmdbDatabase);
    const value = 'x'.repeat(10_000);
    for (let k = 0; k < 40; k++)
      await kv.commit(Array.from({ length: 10 }, (_, i) => put(`k/${k}/${i}`, value)));
    expect(await collect(kv.keys({ start: 'k/', end: 'k0' }))).toHaveLength(400);
    await kv.close();
  });
});

describe('permissions', () => {
  /** Not root, which may write anywhere. */
  const uid = process.getuid?.() === 0 ? 65_534 : undefined;

  async function foreign(): Promise<string> {
    const folder = await madeStore();
    if (uid === undefined) return folder;
    chmodSync(join(folder, '..'), 0o755);
    for (const path of [folder, ...['data.mdb', 'lock.mdb', 'store.json'].map((name) => join(folder, name))])
      chownSync(path, uid, uid);
    return folder;
  }

  test.each([
    ['data.mdb', 0o400],
    ['data.mdb', 0],
    ['.', 0o500],
  ])('of %s set to %i: refused before anything is written', async (name, mode) => {
    const folder = await foreign();
    const before = readFileSync(join(folder, 'data.mdb'));
    chmodSync(join(folder, name), mode);
    const { said } = await program(['read', folder], { uid });
    expect(said).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(folder) as string,
    });
    chmodSync(join(folder, name), 0o700);
    expect(Buffer.compare(readFileSync(join(folder, 'data.mdb')), before)).toBe(0);
  });

  test('taken away while it is open: it stays usable until it is closed', async () => {
    const folder = await foreign();
    const { lines } = await program(['chmod', folder], { uid });
    expect(lines.map((line) => JSON.parse(line) as Said)).toMatchObject([
      { rows: 1 },
      { code: 'STORE_UNAVAILABLE' },
    ]);
    chmodSync(join(folder, 'data.mdb'), 0o600);
    const kv = await openKv(folder);
    expect(await kv.get('z/after')).toEqual(Buffer.from('1'));
    await kv.close();
  });
});

test('a store whose marker says it is newer: refused before anything is written', async () => {
  const folder = await madeStore();
  const kv = await openKv(folder);
  const marker = sealJson('m/format', { product: 'maestro-dag', format: FORMAT_VERSION + 1 });
  await kv.commit([{ op: 'put', key: 'm/format', value: marker }]);
  await kv.close();
  const before = readFileSync(join(folder, 'data.mdb'));
  await expect(createRuntime({ store: `lmdb:${folder}` })).rejects.toMatchObject({ code: 'STORE_VERSION' });
  expect(Buffer.compare(readFileSync(join(folder, 'data.mdb')), before)).toBe(0);
});

describe('a crowd', () => {
  test(
    'of 100 processes that have a store open that nobody closed: all read and write it, none harms it',
    { timeout: 600_000 },
    async () => {
      const folder = await madeStore(100);
      writeFileSync(join(folder, 'store.json'), '{}');
      const crowd = Array.from({ length: 100 }, () =>
        spawn(process.execPath, [PROGRAM, 'stay', folder], { stdio: ['pipe', 'pipe', 'inherit'] }),
      );
      children.push(...crowd);
      const lines = crowd.map(({ stdout }) => createInterface({ input: stdout })[Symbol.asyncIterator]());
      // All of them have it open now, and have read.
      for (const each of lines) expect((await each.next()).value).toBe('here');
      for (const { stdin } of crowd) stdin.end();
      for (const each of lines) {
        const said = JSON.parse((await each.next()).value as string) as Said;
        expect({ code: said.code, message: said.message }).toEqual({});
        expect(said.rows).toBeGreaterThanOrEqual(100);
      }
      await probe(folder);
    },
  );

  // Without the gate LMDB takes back what was committed while another process opened it (see lmdb-gate.ts).
  test('that opens and closes a store while one commits: all that was acknowledged is there at once and stays', async () => {
    const folder = await madeStore();
    const runs = [program(['count', folder, '6000'])];
    for (let i = 0; i < 3; i++) runs.push(program(['knock', folder, '5500']));
    const [counted, ...knocked] = (await Promise.all(runs)).map(({ said }) => said);
    expect(counted).toEqual({ times: counted.times, unseen: 0, lost: 0 });
    for (const { times } of [counted, ...knocked]) expect(times).toBeGreaterThan(10);
  });

  test('of `maestro list` while executions run: all list, all end', { timeout: 600_000 }, async () => {
    const folder = tempDir();
    const runtime = await createRuntime({ store: `lmdb:${folder}` });
    const workflow = parallelWorkflow(() => ({ execute: () => ({ ok: true }) })).build();
    let over = false;
    const load = (async () => {
      let completed = 0;
      while (!over || completed === 0) {
        const executions = await Promise.all(Array.from({ length: 10 }, () => runtime.start(workflow)));
        for (const { result } of executions) if ((await result).status === 'completed') completed++;
      }
      return completed;
    })();
    const list = [MAIN, 'list', '--store', `lmdb:${folder}`, '--json'];
    const lists = Array.from({ length: 40 }, () =>
      promisify(execFile)(process.execPath, list, { maxBuffer: 2 ** 26 }),
    );
    for (const { stdout } of await Promise.all(lists))
      expect(() => JSON.parse(stdout) as unknown).not.toThrow();
    over = true;
    expect((await load) % 10).toBe(0);
    await runtime.close();
    await probe(folder);
  });
});

test('damage of a value is told by whom it is read, and by `snapshot verify`', async () => {
  const folder = tempDir();
  const runtime = await createRuntime({ store: `lmdb:${folder}` });
  const workflow = parallelWorkflow(() => ({ execute: () => ({ ok: true }) })).build();
  const ids = [];
  for (let k = 0; k < 3; k++) {
    const execution = await runtime.start(workflow);
    await execution.result;
    ids.push(execution.id);
  }
  await runtime.close();
  const file = join(folder, 'data.mdb');
  const bytes = readFileSync(file);
  // The context of the second one, wherever its copies are in the file.
  const needle = Buffer.from(`x/${ids[1]}/g`);
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1))
    bytes[at + needle.length + 1] ^= 1;
  const copy = join(tempDir(), 'copy');
  mkdirSync(copy);
  writeFileSync(join(copy, 'data.mdb'), bytes);
  writeFileSync(join(copy, 'store.json'), '{}');
  rmSync(folder, { recursive: true });
  const verify = promisify(execFile)(process.execPath, [
    MAIN,
    'snapshot',
    'verify',
    '--store',
    `lmdb:${copy}`,
    '--json',
  ]);
  const { stdout, code } = await verify.then(
    (ended) => ({ ...ended, code: 0 }),
    (error: { stdout: string; code: number }) => error,
  );
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ damage: [{ execution_id: ids[1] }] });
});
