import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { probe } from '../../src/store/lmdb-probe.js';
import { openKv, openStore } from '../../src/store/open.js';
import { collect } from '../contracts/kv.contract.js';
import { SPEC, add, record } from '../support/store-fixtures.js';
import { tempDirs } from '../support/temp-dir.js';

const PROGRAM = join(import.meta.dirname, '../fixtures/store/program.mjs');
const tempDir = tempDirs('maestro-store');

function start(
  command: string,
  folder: string,
  ...more: string[]
): { child: ChildProcess; lines: AsyncIterable<string> } {
  const child = spawn(process.execPath, [PROGRAM, command, folder, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, lines: createInterface({ input: child.stdout }) };
}

describe('a process that is killed while it commits', () => {
  test.each(['write', 'log'])(
    'loses nothing that was acknowledged, and leaves no half commit (%s, 20 kills)',
    async (how) => {
      const folder = tempDir();
      const random = seededRandom(26);
      const acknowledged = new Set<number>();
      for (let round = 0; round < 20; round++) {
        const { child, lines } = start(how, folder, ...(how === 'log' ? [`owner-${round}`] : []));
        const killAfter = Math.floor(random() * 150) + 1;
        let count = 0;
        // Lines that were printed before the kill still arrive after it.
        for await (const line of lines) {
          acknowledged.add(Number(line));
          if (++count === killAfter) child.kill('SIGKILL');
        }
        const kv = await openKv(folder);
        const numbers = async (prefix: string) =>
          (await collect(kv.keys({ start: `${prefix}/`, end: `${prefix}0` }))).map((key) =>
            Number(key.slice(2)),
          );
        const [first, second] = [await numbers('a'), await numbers('b')];
        expect(second).toEqual(first);
        const stored = new Set(first);
        expect([...acknowledged].filter((n) => !stored.has(n))).toEqual([]);
        await kv.close();
        expect(readdirSync(folder).filter((name) => name.startsWith('log-'))).toEqual([]);
      }
      expect(acknowledged.size).toBeGreaterThan(20);
    },
  );
});

describe('a store that nobody closed', () => {
  test('is probed, found good, and not changed by that', async () => {
    const folder = await madeStore();
    const file = join(folder, 'data.mdb');
    writeFileSync(join(folder, 'store.json'), '{}');
    const before = readFileSync(file);
    await probe(folder);
    await probe(folder);
    expect(Buffer.compare(readFileSync(file), before)).toBe(0);
    const store = await openStore(folder);
    await probe(folder);
    expect((await store.list()).records).toHaveLength(100);
    await store.close();
  });
});

describe('two processes on one store', () => {
  test('one puts requests into the inbox, the other reads and removes them', async () => {
    const folder = tempDir();
    const store = await openStore(folder);
    const { child, lines } = start('request', folder);
    const said: string[] = [];
    for await (const line of lines) {
      said.push(line);
      const open = await store.requests();
      if (line !== 'gone') expect(open.map(({ requestId }) => requestId)).toContain(line);
      if (line === 'r9') await store.commit(open.map((each) => store.deleteRequest(each)));
    }
    expect(said.at(-1)).toBe('gone');
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(0);
    await store.close();
  });

  test('of two that take over the same execution one succeeds', async () => {
    const folder = tempDir();
    const [a, b] = [await openStore(folder), await openStore(folder)];
    const seen = record('e1', { status: 'running', ownerId: 'dead' });
    await add(a, seen);
    const outcomes = await Promise.allSettled([
      a.takeOver(seen, { ...seen, ownerId: 'a' }),
      b.takeOver(seen, { ...seen, ownerId: 'b' }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await a.close();
    await b.close();
  });
});

interface Outcome {
  readonly signal: string | null;
  readonly said: { code?: string; message?: string; rows?: number };
}

/** What a process sees that opens and reads the store and writes to it. */
async function readIn(folder: string): Promise<Outcome> {
  const { child, lines } = start('read', folder);
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  let said = '{}';
  for await (const line of lines) said = line;
  return { signal: (await ended)[1], said: JSON.parse(said) as Outcome['said'] };
}

async function madeStore(): Promise<string> {
  const folder = tempDir();
  const store = await openStore(folder);
  for (let batch = 0; batch < 4; batch++) {
    const ops = Array.from({ length: 300 }, (_, i) => {
      const each = record(`e${batch}-${i}`, { options: { filler: 'x'.repeat(200) } });
      return store.create(each, SPEC, '{}');
    });
    await store.commit(ops.flat());
  }
  await store.close();
  return folder;
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, at);
  closeSync(descriptor);
}

describe('a damaged file', () => {
  const PAGE = 4096;
  const damage: Record<string, (file: string, size: number) => void> = {
    'cut to half': (file, size) => truncateSync(file, size / 2),
    'cut to one page': (file) => truncateSync(file, PAGE),
    'cut to 100 bytes': (file) => truncateSync(file, 100),
    'cut to nothing': (file) => truncateSync(file, 0),
    'zeroed at the head': (file) => overwrite(file, 0, Buffer.alloc(2 * PAGE)),
    'zeroed throughout': (file, size) => overwrite(file, 0, Buffer.alloc(size)),
    'garbage at the head': (file) => overwrite(file, 0, Buffer.alloc(2 * PAGE, 'garbage')),
    'text instead': (file, size) => overwrite(file, 0, Buffer.alloc(size, 'not a store\n')),
  };

  test.each(Object.entries(damage))('%s: a clear error, nothing written, no crash', async (_name, break_) => {
    const folder = await madeStore();
    const file = join(folder, 'data.mdb');
    break_(file, statSync(file).size);
    const broken = readFileSync(file);
    const { signal, said } = await readIn(folder);
    expect({ signal, code: said.code }).toEqual({ signal: null, code: 'STORE_CORRUPT' });
    expect(said.message).toContain(file);
    expect(Buffer.compare(readFileSync(file), broken)).toBe(0);
  });

  test('with bits flipped at these places: an error or the data', async () => {
    const intact = await madeStore();
    const random = seededRandom(7);
    const outcomes = new Map<string, number>();
    for (let round = 0; round < 12; round++) {
      const folder = join(tempDir(), 'copy');
      cpSync(intact, folder, { recursive: true });
      const file = join(folder, 'data.mdb');
      const page = Math.floor((random() * statSync(file).size) / PAGE) * PAGE;
      // Page headers and the pointers after them are what crashes LMDB.
      for (let flip = 0; flip < 4; flip++) {
        const at = page + Math.floor(random() * 64);
        overwrite(file, at, Uint8Array.of(readFileSync(file)[at] ^ (1 << Math.floor(random() * 8))));
      }
      const { signal, said } = await readIn(folder);
      outcomes.set(signal ?? said.code ?? 'read', (outcomes.get(signal ?? said.code ?? 'read') ?? 0) + 1);
    }
    const known = ['STORE_CORRUPT', 'RECORD_CORRUPT', 'STORE_COMMIT', 'read'];
    expect(outcomes.get('read')).toBeGreaterThan(0);
    expect([...outcomes.keys()].filter((each) => !known.includes(each))).toEqual([]);
  });
});
