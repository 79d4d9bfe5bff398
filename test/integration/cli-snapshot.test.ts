import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRuntime, verifyStore } from '../../src/runtime/index.js';
import { journalKey, outputKey, recordKey, statusPrefix } from '../../src/store/keys.js';
import { openKv } from '../../src/store/open.js';
import { maestro, makeFolder, start } from './support/maestro.js';
import { until } from './support/runtimes.js';

const QUICK = `workflow: { id: quick, name: Quick }
nodes:
  - { id: a, name: a, type: custom, uses: './steps.mjs#large' }
  - { id: b, name: b, type: custom, dependencies: [a], run: 'echo b' }
`;
const STEPS = `export const large = () => ({ text: 'x'.repeat(100000) });\n`;
const SLOW = `workflow: { id: slow, name: Slow }
nodes:
  - { id: first, name: first, type: custom, run: 'true' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'test -e go || sleep 60' }
`;

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => (folder = makeFolder({ 'quick.yaml': QUICK, 'steps.mjs': STEPS, 'slow.yaml': SLOW })));
afterEach(() => folder.remove());

const run = (...args: string[]) => maestro(args, { cwd: folder.path });
const json = async <T>(...args: string[]) => JSON.parse((await run(...args, '--json')).out) as T;
const path = (name: string) => join(folder.path, name);
const store = () => `lmdb:${path('.maestro')}`;

async function change(edit: (kv: Awaited<ReturnType<typeof openKv>>) => Promise<void>): Promise<void> {
  const kv = await openKv(store());
  await edit(kv);
  await kv.close();
}

describe('snapshot export and import', () => {
  it('carry executions to another store, compressed or not', async () => {
    await run('run', 'quick.yaml', '--id', 'one');
    await run('run', 'quick.yaml', '--id', 'two');
    expect(await json<object>('snapshot', 'export', '--all', '-o', 'all.ndjson.gz')).toMatchObject({
      executions: 2,
    });
    const text = gunzipSync(readFileSync(path('all.ndjson.gz'))).toString();
    expect(text.split('\n')[0]).toMatch(/^\{"type":"snapshot","product":"maestro-dag","version":1,/);
    expect((await run('snapshot', 'export', 'two')).out).toContain('"execution_id":"two"');
    expect((await run('snapshot', 'verify', 'all.ndjson.gz')).out).toBe('sound: 2 executions\n');

    const other = ['--store', 'lmdb:other'];
    expect(await json<object>('snapshot', 'import', 'all.ndjson.gz', ...other)).toEqual({
      imported: ['one', 'two'],
      skipped: [],
      renamed: {},
    });
    expect(await json<object>('show', 'one', ...other)).toEqual(await json<object>('show', 'one'));
    const refused = await run('snapshot', 'import', 'all.ndjson.gz', ...other);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('EXECUTION_EXISTS') as string });
    const skipped = await run('snapshot', 'import', 'all.ndjson.gz', ...other, '--on-collision', 'skip');
    expect(skipped.out).toBe('imported 0 executions, skipped 2\n');
    expect((await run('snapshot', 'verify', ...other)).out).toBe('sound: 2 executions\n');
  });

  it('take a running execution as it is at that moment: it can be resumed elsewhere', async () => {
    const started = start(['run', 'slow.yaml', '--id', 'busy'], { cwd: folder.path });
    await started.until(/started second/);
    expect((await run('snapshot', 'export', 'busy', '-o', 'busy.ndjson')).code).toBe(0);
    started.child.kill('SIGKILL');
    await started.finished;
    writeFileSync(path('go'), '');
    expect((await run('snapshot', 'import', 'busy.ndjson', '--store', 'lmdb:other')).code).toBe(0);
    expect(await json<object>('show', 'busy', '--store', 'lmdb:other')).toMatchObject({
      interrupted: true,
      node_states: { first: { status: 'completed' }, second: { status: 'running' } },
    });
    expect((await run('resume', 'busy', '--store', 'lmdb:other')).code).toBe(0);
  });

  it('refuse a damaged file before anything is written', async () => {
    await run('run', 'quick.yaml', '--id', 'one');
    await run('snapshot', 'export', '--all', '-o', 'good.ndjson');
    const text = readFileSync(path('good.ndjson'), 'utf8');
    writeFileSync(path('bad.ndjson'), text.replace('"node":0', '"node":1'));
    writeFileSync(path('short.ndjson'), text.slice(0, text.length / 2));
    for (const bad of ['bad.ndjson', 'short.ndjson', 'quick.yaml']) {
      const { code, err } = await run('snapshot', 'import', bad, '--store', 'lmdb:other');
      expect({ bad, code }).toEqual({ bad, code: 1 });
      expect(err).toMatch(/SNAPSHOT_CORRUPT/);
    }
    expect(await json<object>('list', '--store', 'lmdb:other')).toEqual({ executions: [] });
  });

  it.each([
    [['snapshot', 'export'], 2, /either an execution id or --all/],
    [['snapshot', 'export', '--all', '--gzip'], 2, /--output/],
    [['snapshot', 'export', 'x'], 1, /EXECUTION_NOT_FOUND/],
    [['snapshot', 'import', 'nope.ndjson'], 2, /SNAPSHOT_FILE/],
    [['snapshot', 'verify', 'nope.ndjson'], 2, /SNAPSHOT_FILE/],
    [['snapshot', 'verify'], 1, /there is no store/],
    [['snapshot', 'backup', 'x'], 2, /there is no store/],
    [['snapshot', 'restore', 'x'], 2, /there is no store/],
    [['snapshot', 'stat'], 1, /there is no store/],
    [['snapshot', 'compact', '--store', 'memory:'], 2, /no store in files/],
  ])('%j ends with %i and a message', async (args, exit, message) => {
    const { code, out, err } = await run(...args);
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
    expect(existsSync(path('.maestro/data.mdb'))).toBe(args[1] === 'import');
  });
});

describe('snapshot verify', () => {
  it('says which executions are damaged, and how; the others are sound', async () => {
    for (const id of ['sound', 'record', 'journal', 'output', 'index'])
      await run('run', 'quick.yaml', '--id', id);
    await change(async (kv) => {
      const spoil = async (key: string) => {
        const bytes = Buffer.from((await kv.get(key))!);
        bytes[bytes.length >> 1] ^= 1;
        await kv.commit([{ op: 'put', key, value: bytes }]);
      };
      await spoil(recordKey('record'));
      await spoil(journalKey('journal', 1));
      await kv.commit([{ op: 'del', key: outputKey('output', 0, 0) }]);
      for await (const key of kv.keys({
        start: statusPrefix('completed'),
        end: `${statusPrefix('completed')}~`,
      }))
        if (key.endsWith('/index')) await kv.commit([{ op: 'del', key }]);
    });
    const { code, out } = await run('snapshot', 'verify', '--json');
    expect(code).toBe(1);
    const { damage } = JSON.parse(out) as { damage: { execution_id: string; problem: string }[] };
    const about = Object.fromEntries(damage.map(({ execution_id, problem }) => [execution_id, problem]));
    expect(Object.keys(about).sort()).toEqual(['index', 'journal', 'output', 'record']);
    expect(about.record).toMatch(/record is damaged/);
    expect(about.journal).toMatch(/checksum/);
    expect(about.output).toMatch(/output of node "a" is missing/);
    expect(about.index).toMatch(/no index/);
    // A damaged one can be deleted by whoever insists.
    expect((await run('delete', 'record')).err).toContain('RECORD_CORRUPT');
    expect((await run('delete', 'record', '--force')).out).toBe('deleted record\n');
  });
});

describe('snapshot backup and restore', () => {
  it('copies a store in use: what was acknowledged before is there, and can be resumed', async () => {
    await run('run', 'quick.yaml', '--id', 'done');
    const started = start(['run', 'slow.yaml', '--id', 'busy'], { cwd: folder.path });
    await started.until(/started second/);
    expect((await run('snapshot', 'backup', 'copy')).out).toBe('backed up 2 executions to copy\n');
    const inUse = await run('snapshot', 'restore', 'copy', '--force');
    expect(inUse).toMatchObject({ code: 1, err: expect.stringContaining('EXECUTION_OWNED') as string });
    expect((await run('snapshot', 'compact')).err).toContain('EXECUTION_OWNED');
    started.child.kill('SIGKILL');
    await started.finished;

    expect((await run('snapshot', 'backup', 'copy')).err).toContain('FILE_EXISTS');
    expect((await run('snapshot', 'restore', 'copy')).err).toContain('FILE_EXISTS');
    const other = ['--store', 'lmdb:other'];
    expect(await json<object>('snapshot', 'restore', 'copy', ...other)).toMatchObject({ executions: 2 });
    expect(await json<object>('show', 'busy', ...other)).toMatchObject({
      interrupted: true,
      completed_nodes: 1,
    });
    writeFileSync(path('go'), '');
    expect((await run('resume', 'busy', ...other)).code).toBe(0);

    await run('run', 'quick.yaml', '--id', 'later');
    const { previous } = await json<{ previous: string }>('snapshot', 'restore', 'copy', '--force');
    expect(statSync(previous).size).toBeGreaterThan(0);
    const ids = (await json<{ executions: { execution_id: string }[] }>('list')).executions.map(
      (e) => e.execution_id,
    );
    expect(ids.sort()).toEqual(['busy', 'done']);
  });

  it('holds every execution that was acknowledged before it began, while a process goes on writing', async () => {
    const runtime = await createRuntime({ store: store(), pool: { threads: 1 } });
    const { loadWorkflowFile } = await import('../../src/runtime/index.js');
    const { workflow } = await loadWorkflowFile(path('quick.yaml'));
    const acknowledged: string[] = [];
    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i++) {
        const { result } = await runtime.start(workflow, {}, { executionId: `e${i}` });
        await result;
        acknowledged.push(`e${i}`);
      }
    })();
    for (const copy of ['c1', 'c2', 'c3']) {
      const count = acknowledged.length;
      await until(() => acknowledged.length > count + 3, 'some are acknowledged');
      const before = [...acknowledged];
      expect((await run('snapshot', 'backup', copy)).code).toBe(0);
      expect((await verifyStore(`lmdb:${path(copy)}`)).damage).toEqual([]);
      const copied = await createRuntime({ store: `lmdb:${path(copy)}`, recover: false });
      for (const id of before) expect((await copied.get(id))?.status).toBe('completed');
      await copied.close();
    }
    writing = false;
    await writer;
    await runtime.close();
  });

  it('refuses a damaged backup, and leaves the store as it is', async () => {
    await run('run', 'quick.yaml', '--id', 'one');
    await run('snapshot', 'backup', 'copy');
    const kv = await openKv(`lmdb:${path('copy')}`);
    await kv.commit([{ op: 'put', key: journalKey('one', 0), value: Buffer.from('rubbish') }]);
    await kv.close();
    const { code, err } = await run('snapshot', 'restore', 'copy', '--force');
    expect(code).toBe(2);
    expect(err).toMatch(/damaged executions: one/);
    expect((await run('snapshot', 'verify')).out).toBe('sound: 1 execution\n');
  });
});

describe('snapshot stat and compact', () => {
  it('leave out definitions that no execution has or had', async () => {
    const definitions = async () => (await json<Stat>('snapshot', 'stat')).rows.definitions.rows;
    const quick = readFileSync(path('quick.yaml'), 'utf8');
    await run('run', 'quick.yaml', '--id', 'kept');
    for (const name of ['one', 'two']) {
      writeFileSync(path('other.yaml'), quick.replace('name: Quick', `name: ${name}`));
      await run('run', 'other.yaml', '--id', name);
    }
    expect(await definitions()).toBe(3);
    for (const id of ['one', 'two']) expect((await run('delete', id)).code).toBe(0);
    expect(await json('snapshot', 'compact')).toMatchObject({ removed_definitions: 2 });
    expect(await definitions()).toBe(1);
    expect((await run('snapshot', 'verify')).out).toBe('sound: 1 execution\n');
    expect(await json('snapshot', 'compact')).toMatchObject({ removed_definitions: 0 });
    // Whoever starts one again stores its definition again.
    expect((await run('run', 'other.yaml', '--id', 'two')).code).toBe(0);
    expect(await definitions()).toBe(2);
  });

  it('tell what is free, and give it back', async () => {
    for (let i = 0; i < 12; i++) await run('run', 'quick.yaml', '--id', `e${i}`);
    await run('gc', '--keep', '1');
    const before = await json<Stat>('snapshot', 'stat');
    expect(before.executions).toMatchObject({ completed: 1, failed: 0 });
    expect(before.rows).toMatchObject({
      records: { rows: 1 },
      definitions: { rows: 1 },
      outputs: { rows: 1 },
    });
    expect(before.reclaimable_bytes).toBeGreaterThan(500_000);
    const { before_bytes, after_bytes } = await json<Record<string, number>>('snapshot', 'compact');
    expect(after_bytes).toBeLessThan(before_bytes / 2);
    const after = await json<Stat>('snapshot', 'stat');
    expect(after.rows).toEqual(before.rows);
    expect(after.reclaimable_bytes).toBeLessThan(before.reclaimable_bytes / 2);
    expect((await run('snapshot', 'verify')).out).toBe('sound: 1 execution\n');
    expect((await run('run', 'quick.yaml')).code).toBe(0);
  });
});

describe('snapshot diff', () => {
  it('tells what was added, removed and changed, between stores, exports, and executions', async () => {
    await run('run', 'quick.yaml', '--id', 'one');
    const started = start(['run', 'slow.yaml', '--id', 'busy'], { cwd: folder.path });
    await started.until(/started second/);
    expect((await run('snapshot', 'export', '--all', '-o', 'before.ndjson')).code).toBe(0);
    started.child.kill('SIGKILL');
    await started.finished;
    writeFileSync(path('go'), '');
    expect((await run('resume', 'busy')).code).toBe(0);
    await run('delete', 'one');
    await run('run', 'quick.yaml', '--id', 'two');
    expect(await json<object>('snapshot', 'diff', 'before.ndjson', '.maestro')).toMatchObject({
      added: ['two'],
      removed: ['one'],
      changed: {
        busy: {
          fields: { status: ['running', 'completed'] },
          nodes: { second: [{ status: 'running' }, { status: 'completed' }] },
        },
      },
    });
    await run('run', 'quick.yaml', '--id', 'three');
    expect(await json<object>('snapshot', 'diff', 'two', 'three')).toEqual({ fields: {}, nodes: {} });
    expect((await run('snapshot', 'diff', 'two', 'three')).out).toBe('no difference\n');
    expect((await run('snapshot', 'diff', 'busy', 'two')).out).toContain('workflow_id: "slow" → "quick"');
    expect((await run('snapshot', 'diff', 'two', 'none')).err).toContain('EXECUTION_NOT_FOUND');
  });
});

interface Stat {
  executions: Record<string, number>;
  rows: Record<string, { rows: number; bytes: number }>;
  reclaimable_bytes: number;
}
