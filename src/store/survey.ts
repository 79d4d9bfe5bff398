import { isMaestroError } from '../base/errors.js';
import { indexOps } from './execution-index.js';
import { deletionKey, INDEXES, recordKey, under } from './keys.js';
import type { Kv } from './kv.js';
import { decodeRecord } from './record-codec.js';

const EXECUTIONS = 'x/';
const EVERYTHING = { start: '\0', end: '\x7f' };

/** Names of the kinds of rows, by how their keys begin; for those of executions by the part after the id. */
const KINDS: Readonly<Record<string, string>> = {
  m: 'marker',
  d: 'definitions',
  s: 'indexes',
  w: 'indexes',
  t: 'deletions',
  p: 'owners',
  f: 'fences',
  q: 'requests',
  c: 'schedules',
  h: 'cache',
  u: 'queues',
  y: 'commit logs',
  'x/r': 'records',
  'x/g': 'contexts',
  'x/j': 'journals',
  'x/c': 'checkpoints',
  'x/k': 'checkpoints',
  'x/o': 'outputs',
  'x/h': 'children',
  'x/l': 'logs',
};

/** What no listing leads to: rows without a record, records without or with wrong index entries. */
export async function* strays(
  kv: Kv,
  listed: ReadonlySet<string>,
): AsyncGenerator<{ executionId: string; what: string }> {
  let last = '';
  for await (const key of kv.keys(under(EXECUTIONS))) {
    const executionId = key.slice(EXECUTIONS.length, key.indexOf('/', EXECUTIONS.length));
    if (executionId === last) continue;
    last = executionId;
    // A deletion, or an import, is under way, or was and will be undone when the store is opened.
    if ((await kv.get(deletionKey(executionId))) !== undefined) continue;
    if (listed.has(executionId)) yield* indexStrays(kv, executionId);
    else if ((await kv.get(recordKey(executionId))) !== undefined)
      yield { executionId, what: 'it is in no index, so no listing shows it' };
    else yield { executionId, what: 'it has rows but no record' };
  }
  for (const index of INDEXES) {
    for await (const key of kv.keys(under(index))) {
      const executionId = key.slice(key.lastIndexOf('/') + 1);
      if ((await kv.get(recordKey(executionId))) === undefined)
        yield { executionId, what: `the index has ${key}, but there is no record` };
    }
  }
}

async function* indexStrays(
  kv: Kv,
  executionId: string,
): AsyncGenerator<{ executionId: string; what: string }> {
  try {
    const bytes = await kv.get(recordKey(executionId));
    if (bytes === undefined) return;
    for (const { key } of indexOps(decodeRecord(executionId, bytes))) {
      if ((await kv.get(key)) === undefined) yield { executionId, what: `the index lacks ${key}` };
    }
  } catch (error) {
    // The listing has told already.
    if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
  }
}

/** Rows and bytes by kind. Reads everything. */
export async function sizes(kv: Kv): Promise<Record<string, { rows: number; bytes: number }>> {
  const found: Record<string, { rows: number; bytes: number }> = {};
  for await (const { key, value } of kv.scan(EVERYTHING)) {
    const [first, , third] = key.split('/', 3);
    const kind = KINDS[first === 'x' ? `x/${third}` : first] ?? 'other';
    const sum = (found[kind] ??= { rows: 0, bytes: 0 });
    sum.rows++;
    sum.bytes += key.length + value.length;
  }
  return found;
}
