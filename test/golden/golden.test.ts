import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { NODE_EVENT_TYPES, WORKFLOW_EVENT_TYPES } from '../../machines/events.js';
import {
  createRuntime,
  defineWorkflow,
  importSnapshot,
  openKv,
  SNAPSHOT_VERSION,
  verifyStore,
  type Kv,
  type Runtime,
} from '../../src/runtime/index.js';
import { FORMAT_VERSION } from '../../src/store/envelope.js';
import { decodeJournalRecord } from '../../src/store/journal-codec.js';
import { tempDirs } from '../support/temp-dir.js';
import { briefly, scenarios, type BriefDocument } from './scenarios.mjs';

/*
 * Stores of every released format, written by the release that had it, go on in this one. A format that is raised needs a
 * store of its own before it is released: `generate.mjs` writes it. What a release has written is never written again; while
 * a format is on no release yet and grows, its files are deleted and made anew.
 */

const FORMATS = Array.from({ length: FORMAT_VERSION }, (_, k) => k + 1);
const tempDir = tempDirs('maestro-golden');
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

const fileOf = (format: number, kind: string) => join(import.meta.dirname, `v${format}.${kind}`);
const textOf = (format: number, kind: string) => gunzipSync(readFileSync(fileOf(format, kind))).toString();

function rowsOf(format: number): { key: string; value: Buffer }[] {
  return textOf(format, 'store.gz')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { key: string; value: string })
    .map(({ key, value }) => ({ key, value: Buffer.from(value, 'base64') }));
}

const isJournal = ({ key }: { key: string }) => /^x\/[^/]+\/j\//.test(key);
const isChunk = ({ key }: { key: string }) => /^x\/[^/]+\/k\//.test(key);

async function storeOf(format: number, url: string): Promise<Kv> {
  const kv = await openKv(url);
  const ops = rowsOf(format).map((row) => ({ op: 'put' as const, ...row }));
  await kv.commit(ops);
  return kv;
}

async function open(kv: Kv, format: number, recover: boolean): Promise<Runtime> {
  const workflows = scenarios(defineWorkflow, format, false).all.map(({ workflow }) => workflow);
  const runtime = await createRuntime({ store: kv, workflows, recover, artifactRoot: tempDir() });
  opened.push(runtime);
  return runtime;
}

async function documentOf(runtime: Runtime, id: string): Promise<BriefDocument> {
  // As it is in the repository: JSON has no undefined.
  return JSON.parse(JSON.stringify(briefly((await runtime.get(id))!))) as BriefDocument;
}

describe.each(FORMATS)('a store of format %i', (format) => {
  it('is in the repository, and has records of its format', () => {
    for (const kind of ['store.gz', 'export.gz', 'json'])
      expect(existsSync(fileOf(format, kind)), `no ${kind} of format ${format}: see generate.mjs`).toBe(true);
    const rows = rowsOf(format);
    for (const kind of [isJournal, isChunk]) expect(rows.some(kind)).toBe(true);
    expect(rows.filter(isJournal).some(({ value }) => value[0] === format)).toBe(true);
    expect(rows.filter(isJournal).every(({ value }) => value[0] <= format)).toBe(true);
  });

  it('is sound, and shows what the release that wrote it showed', async () => {
    const kv = await storeOf(format, 'memory:');
    expect((await verifyStore(kv)).damage).toEqual([]);
    const runtime = await open(kv, format, false);
    const shown = JSON.parse(readFileSync(fileOf(format, 'json'), 'utf8')) as Record<string, unknown>;
    const { all } = scenarios(defineWorkflow, format, false);
    expect(Object.keys(shown).sort()).toEqual(all.map(({ id }) => id).sort());
    for (const { id } of all) expect(await documentOf(runtime, id), id).toEqual(shown[id]);
  });

  it.each(['memory:', 'lmdb:'])('goes on to its end on %s', async (kind) => {
    const url = kind === 'lmdb:' ? `lmdb:${tempDir()}` : kind;
    const runtime = await open(await storeOf(format, url), format, true);
    for (const { id, goOn, ends } of scenarios(defineWorkflow, format, false).all) {
      await goOn?.(runtime);
      const { status, ...nodes } = ends;
      const { status: found, nodes: states } = await documentOf(runtime, id);
      expect(found, id).toBe(status);
      expect(states, id).toMatchObject(nodes);
      expect(Object.keys(states).sort(), id).toEqual(Object.keys(nodes).sort());
    }
    expect((await runtime.counts()).running).toBe(0);
  });

  it('can be imported from its export', async () => {
    const kv = await openKv('memory:');
    await importSnapshot(kv, fileOf(format, 'export.gz'));
    const runtime = await open(kv, format, false);
    const shown = JSON.parse(readFileSync(fileOf(format, 'json'), 'utf8')) as Record<string, unknown>;
    for (const id of Object.keys(shown)) expect(await documentOf(runtime, id), id).toEqual(shown[id]);
  });
});

it('every kind of event is in one of them', () => {
  const found = new Set<string>();
  for (const { key, value } of FORMATS.flatMap(rowsOf).filter(isJournal))
    for (const { node, event } of decodeJournalRecord(key, value).entries)
      found.add(`${node < 0 ? 'workflow' : 'node'} ${event.type}`);
  const all = [
    ...NODE_EVENT_TYPES.map((type) => `node ${type}`),
    ...WORKFLOW_EVENT_TYPES.map((type) => `workflow ${type}`),
  ];
  expect(all.filter((type) => !found.has(type))).toEqual([]);
});

it('exports are still of the first version: another one needs an export of its own here', () => {
  expect(SNAPSHOT_VERSION).toBe(1);
});
