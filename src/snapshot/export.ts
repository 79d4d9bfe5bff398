import { createHash } from 'node:crypto';
import { MaestroError } from '../base/errors.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { withChildren } from './families.js';
import { definitionsOf, migrationsOf } from '../supervisor/migrations.js';
import { encodeLine, SNAPSHOT_VERSION, type SnapshotLine } from './format.js';

const PAGE = 200;
/** How often an execution that moves is looked at again before it is told. */
const TRIES = 10;

export interface ExportOptions {
  /** Ids of the executions; default: all, oldest first. */
  readonly executionIds?: readonly string[];
  /** With those given: false: without what their subworkflow nodes have started, which is then begun anew. Default true. */
  readonly children?: boolean;
  /** When the export is made, epoch milliseconds. */
  readonly nowMs: number;
  /** Told after each execution. */
  readonly onExecution?: (executionId: string) => void;
}

/**
 * The lines of an export, each with its end; memory stays bounded however large an execution is. One that is running
 * is exported as it was at one moment; nobody owns what is exported.
 * @throws EXECUTION_NOT_FOUND, RECORD_CORRUPT
 */
export async function* exportLines(store: ExecutionStore, options: ExportOptions): AsyncGenerator<string> {
  const hash = createHash('sha256');
  const written = new Set<string>();
  let executions = 0;
  let lines = 0;
  const text = (line: SnapshotLine): string => {
    const encoded = `${encodeLine(line)}\n`;
    hash.update(encoded);
    lines++;
    return encoded;
  };
  const created_at = new Date(options.nowMs).toISOString();
  yield text({ type: 'snapshot', product: 'maestro-dag', version: SNAPSHOT_VERSION, created_at });
  const given = new Set(options.executionIds);
  for await (const id of executionIds(store, options)) {
    const moment = await momentOf(store, id);
    if (moment === undefined) {
      if (!given.has(id)) continue;
      throw new MaestroError('EXECUTION_NOT_FOUND', `no execution ${id} is stored`);
    }
    for (const hash of definitionsOf(moment.record)) {
      if (written.has(hash)) continue;
      const spec = await store.getDefinition(hash);
      if (spec === undefined) throw missing(id, 'definition');
      written.add(hash);
      yield text({ type: 'definition', hash, spec });
    }
    for await (const line of linesOf(store, moment)) yield text(line);
    executions++;
    options.onExecution?.(id);
  }
  const end = {
    type: 'end',
    executions,
    definitions: written.size,
    lines,
    sha256: hash.digest('hex'),
  } as const;
  yield `${encodeLine(end)}\n`;
}

/** An execution at one moment: its record, and how far its journal had come. */
interface Moment {
  readonly record: ExecutionRecord;
  /** Sequence of the last journal record; -1 when there is none. */
  readonly lastSequence: number;
}

/**
 * A status changes in the same commit as the journal, so a record that is the same before and after its journal's
 * end was looked up tells the status of that moment.
 */
async function momentOf(store: ExecutionStore, executionId: string): Promise<Moment | undefined> {
  for (let left = TRIES; ; left--) {
    const record = await store.getRecord(executionId);
    if (record === undefined) return undefined;
    await store.settled(record);
    const lastSequence = await store.lastSequence(executionId);
    const again = await store.getRecord(executionId);
    if (again?.status === record.status && again.updatedAtMs === record.updatedAtMs)
      return { record, lastSequence };
    if (left === 0) throw new MaestroError('STORE_CONFLICT', `execution ${executionId} changes all the time`);
  }
}

async function* linesOf(
  store: ExecutionStore,
  { record, lastSequence }: Moment,
): AsyncGenerator<SnapshotLine> {
  const { executionId } = record;
  yield { type: 'execution', record: { ...record, ownerId: null } };
  const json = await store.getContext(executionId);
  if (json === undefined) throw missing(executionId, 'global context');
  yield { type: 'context', json };
  for await (const { sequence, entries } of store.journal(executionId)) {
    if (sequence > lastSequence) break;
    yield { type: 'journal', sequence, entries };
  }
  // Outputs are written with the journal that names them: those of that moment are here, perhaps with later ones.
  for await (const { node, run, text } of store.outputs(executionId))
    yield { type: 'output', node, run, json: text };
  for await (const { row, payload } of store.furtherRows(executionId))
    yield { type: 'row', row, base64: Buffer.from(payload).toString('base64') };
  // What is kept by node has other numbers since.
  const now = await store.getRecord(executionId);
  if (now !== undefined && migrationsOf(now).length > migrationsOf(record).length)
    throw new MaestroError('STORE_CONFLICT', `execution ${executionId} was migrated while it was exported`);
}

async function* executionIds(
  store: ExecutionStore,
  { executionIds: given, children = true }: ExportOptions,
): AsyncGenerator<string> {
  if (given !== undefined) {
    const told = new Set<string>();
    for (const id of given)
      for await (const each of children ? withChildren(store, id) : [id])
        if (!told.has(each) && told.add(each)) yield each;
    return;
  }
  let after: string | undefined;
  do {
    const page = await store.list({ order: 'oldest', limit: PAGE, after });
    if (page.damaged !== undefined) {
      throw new MaestroError('RECORD_CORRUPT', `executions are damaged: ${page.damaged.join(', ')}`, {
        next: 'See `maestro snapshot verify`; export the others by their ids.',
      });
    }
    yield* page.records.map(({ executionId }) => executionId);
    after = page.next;
  } while (after !== undefined);
}

function missing(executionId: string, what: string): MaestroError {
  return new MaestroError('RECORD_CORRUPT', `the ${what} of execution ${executionId} is missing`);
}
