import { createHash } from 'node:crypto';
import { isMaestroError, MaestroError } from '../base/errors.js';
import { isValidId } from '../base/ids.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { definitionHash } from '../spec/index.js';
import { isFurtherRow } from '../store/further-rows.js';
import { isAlive } from '../store/process-identity.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { Families, renamedRecord, renamedRow, withChildren } from './families.js';
import { definitionsOf, migrationsOf } from '../supervisor/migrations.js';
import { damaged, decodeLine, encodeLine, type SnapshotEnd, type SnapshotLine } from './format.js';

export const COLLISIONS = ['refuse', 'skip', 'replace', 'rename'] as const;
/** What to do about an execution that is in the store already; rename: the imported one gets the next free id. */
export type Collision = (typeof COLLISIONS)[number];

export interface ImportOptions {
  /** Default refuse: nothing at all is imported. */
  readonly onCollision?: Collision;
  /** Folder that relative step modules are resolved against from now on; default: where it was. */
  readonly baseDir?: string;
  readonly onExecution?: (executionId: string) => void;
}

export interface ImportReport {
  readonly imported: readonly string[];
  readonly skipped: readonly string[];
  /** New id of each execution that was renamed, by the one that it has in the export. */
  readonly renamed: Readonly<Record<string, string>>;
}

/** Lines of an export without their ends, from the first one on, each time it is called. */
export type SnapshotSource = () => AsyncIterable<string>;

const OPS_PER_COMMIT = 1000;
const TRIES = 5;
/** Lines that belong to the execution line before them. */
const BELONGING: ReadonlySet<string> = new Set(['context', 'journal', 'output', 'row']);

/**
 * Reads an export and checks all of it: every line, their order, the counts and the checksum.
 * @throws SNAPSHOT_CORRUPT, SNAPSHOT_VERSION
 */
export async function* readSnapshot(source: SnapshotSource): AsyncGenerator<SnapshotLine> {
  const hash = createHash('sha256');
  const definitions = new Set<string>();
  let executions = 0;
  let number = 0;
  let sequence = 0;
  let end: SnapshotEnd | undefined;
  for await (const text of source()) {
    if (end !== undefined) throw damaged(number + 1, 'it comes after the end');
    const line = decodeLine(text, ++number);
    if ((number === 1) !== (line.type === 'snapshot'))
      throw damaged(number, 'it is not where the header belongs');
    if (line.type === 'end') {
      if (encodeLine(line) !== text) throw damaged(number, 'it is not written as a footer is');
      end = line;
    } else hash.update(`${text}\n`);
    if (line.type === 'definition') {
      if (definitionHash(line.spec) !== line.hash)
        throw damaged(number, 'the definition is not that of its hash');
      definitions.add(line.hash);
    } else if (line.type === 'execution') {
      executions++;
      sequence = 0;
      if (!definitionsOf(line.record).every((each) => definitions.has(each)))
        throw damaged(number, 'its definition does not come before it');
    } else if (line.type === 'journal' && line.sequence !== sequence++) {
      throw damaged(number, `journal record ${sequence - 1} should come here`);
    }
    if (line.type === 'row' && !isFurtherRow(line.row)) throw damaged(number, 'there can be no such row');
    if (executions === 0 && BELONGING.has(line.type)) throw damaged(number, 'it belongs to no execution');
    yield line;
  }
  if (end === undefined) throw damaged(number + 1, 'the export ends before its last line');
  if (end.sha256 !== hash.digest('hex'))
    throw damaged(number, 'the checksum does not match what comes before');
  if (end.executions !== executions || end.definitions !== definitions.size || end.lines !== number - 1)
    throw damaged(number, 'the counts do not match what comes before');
}

/**
 * Imports every execution of an export. All of it is checked before anything is written; each execution appears at
 * once, when it is complete. What was running becomes interrupted: it can be resumed.
 * @throws SNAPSHOT_CORRUPT, SNAPSHOT_VERSION, EXECUTION_EXISTS, EXECUTION_OWNED
 */
export async function importSnapshot(
  store: ExecutionStore,
  source: SnapshotSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const plan = await planImport(store, source, options.onCollision ?? 'refuse');
  const renamed = Object.fromEntries(plan.renamed);
  const report = { imported: [] as string[], skipped: [...plan.skipped], renamed };
  for (let left = TRIES; ; left--) {
    try {
      await write(store, source, plan, options, report.imported);
      return report;
    } catch (error) {
      // Another process that opened the store took the half-written execution for a deletion, and removed it.
      if (left === 0 || !isMaestroError(error, 'STORE_CONFLICT')) throw error;
    }
  }
}

interface ImportPlan {
  readonly skipped: ReadonlySet<string>;
  readonly replaced: ReadonlyMap<string, ExecutionRecord>;
  readonly renamed: ReadonlyMap<string, string>;
  /** What those replaced had started, and the import does not have. */
  readonly removed: readonly ExecutionRecord[];
}

async function planImport(
  store: ExecutionStore,
  source: SnapshotSource,
  onCollision: Collision,
): Promise<ImportPlan> {
  const families = new Families();
  const skipped = new Set<string>();
  const replaced = new Map<string, ExecutionRecord>();
  const colliding: string[] = [];
  let number = 0;
  for await (const line of readSnapshot(source)) {
    number++;
    if (line.type !== 'execution') continue;
    const { executionId } = line.record;
    if (families.has(executionId)) throw damaged(number, `execution ${executionId} comes twice`);
    families.add(line.record);
    const existing = await store.getRecord(executionId);
    if (existing === undefined) continue;
    if (onCollision === 'refuse') {
      throw new MaestroError('EXECUTION_EXISTS', `execution ${executionId} is in the store already`, {
        next: 'Skip or replace what is there already with --on-collision, or import into another store.',
      });
    }
    if (onCollision === 'skip') skipped.add(executionId);
    else if (onCollision === 'rename') colliding.push(executionId);
    else {
      await assertUnowned(store, existing);
      replaced.set(executionId, existing);
    }
  }
  const taken = new Set<string>();
  const renamed = await families.rename(colliding, async (id) => {
    const free = await freeId(store, id, (other) => families.has(other) || taken.has(other));
    taken.add(free);
    return free;
  });
  return { skipped, replaced, renamed, removed: await leftBehind(store, replaced.keys(), families) };
}

/** What executions that are replaced had started goes with them, unless it is replaced, too. @throws EXECUTION_OWNED */
async function leftBehind(
  store: ExecutionStore,
  replaced: Iterable<string>,
  families: Families,
): Promise<ExecutionRecord[]> {
  const left: ExecutionRecord[] = [];
  for (const parent of replaced) {
    for await (const id of withChildren(store, parent)) {
      const record = families.has(id) ? undefined : await store.getRecord(id);
      if (record === undefined) continue;
      await assertUnowned(store, record);
      left.push(record);
    }
  }
  return left;
}

/** The first of id-2, id-3, … that neither the store nor the import has. @throws EXECUTION_EXISTS */
async function freeId(store: ExecutionStore, id: string, isTaken: (id: string) => boolean): Promise<string> {
  for (let number = 2; ; number++) {
    const free = `${id}-${number}`;
    if (!isValidId(free)) {
      throw new MaestroError(
        'EXECUTION_EXISTS',
        `execution ${id} is stored already, and its id is too long`,
        {
          next: 'Import into another store.',
        },
      );
    }
    if (!isTaken(free) && (await store.getRecord(free)) === undefined) return free;
  }
}

async function assertUnowned(store: ExecutionStore, record: ExecutionRecord): Promise<void> {
  if (record.ownerId === null || isWorkflowStatusEnded(record.status)) return;
  const owner = (await store.owners()).find(({ ownerId }) => ownerId === record.ownerId);
  if (owner === undefined || !isAlive(owner)) return;
  throw new MaestroError(
    'EXECUTION_OWNED',
    `execution ${record.executionId} is run by process ${owner.pid}`,
    {
      details: { pid: owner.pid, hostname: owner.hostname },
    },
  );
}

/** Writes what is not there yet. @param done ids that are there: a second try goes on after them */
async function write(
  store: ExecutionStore,
  source: SnapshotSource,
  { skipped, replaced, renamed, removed }: ImportPlan,
  { baseDir, onExecution }: ImportOptions,
  done: string[],
): Promise<void> {
  const specs = new Map<string, SnapshotLine & { type: 'definition' }>();
  let current: ExecutionRecord | null = null;
  let context = '{}';
  let ops: KvOp[] = [];
  const flush = async (): Promise<void> => {
    if (current !== null && ops.length > 0) await store.commitDraft(current.executionId, ops);
    ops = [];
  };
  const finish = async (): Promise<void> => {
    if (current === null) return;
    await flush();
    const { spec } = specs.get(current.definitionHash)!;
    const earlier = migrationsOf(current).map(({ from }) => store.putDefinition(from, specs.get(from)!.spec));
    const create = store.create(current, spec, context);
    await store.commitDraft(current.executionId, [...earlier, ...create], 'final');
    done.push(current.executionId);
    onExecution?.(current.executionId);
    current = null;
  };
  for (const record of removed)
    if (await store.getRecord(record.executionId)) await store.delete(record.executionId, record);
  for await (const line of readSnapshot(source)) {
    if (line.type === 'definition') specs.set(line.hash, line);
    if (line.type === 'execution') {
      await finish();
      const record = renamedRecord(line.record, renamed);
      const { executionId } = record;
      if (skipped.has(executionId) || done.includes(executionId)) continue;
      const old = replaced.get(executionId);
      if (old !== undefined) await store.delete(executionId, old);
      current = { ...record, ownerId: null, baseDir: baseDir ?? record.baseDir };
      await store.beginDraft(executionId);
    }
    if (current === null) continue;
    if (line.type === 'context') context = line.json;
    if (line.type === 'journal') ops.push(store.appendJournal(current.executionId, line));
    if (line.type === 'output')
      ops.push(store.putOutput(current.executionId, line.node, line.run, line.json));
    if (line.type === 'row') {
      const row = renamedRow({ row: line.row, payload: Buffer.from(line.base64, 'base64') }, renamed);
      ops.push(store.putFurtherRow(current.executionId, row));
    }
    if (ops.length >= OPS_PER_COMMIT) await flush();
  }
  await finish();
}
