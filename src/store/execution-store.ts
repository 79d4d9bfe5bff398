import { MaestroError, isMaestroError } from '../base/errors.js';
import type { WorkflowStatus } from '../base/model.js';
import type { WorkflowSpec } from '../spec/types.js';
import { loadCheckpoint, checkpointOps } from './checkpoint.js';
import { childrenOf } from './children.js';
import { decodeDefinition } from './definition-codec.js';
import { corrupt, seal, sealJson, sealText, unseal, unsealJson } from './envelope.js';
import { countByStatus, indexOps, queryIndex, reindexOps } from './execution-index.js';
import { purge, removeExecution } from './execution-removal.js';
import { decodeJournalRecord, encodeJournalRecord } from './journal-codec.js';
import { putManifest, readManifests, type ArtifactManifest } from './artifact-rows.js';
import { definitionChangeOps, putDefinition, type DefinitionChange } from './definition-change.js';
import { leaseLost, notFenced, type Fence } from './fences.js';
import { furtherRows, type FurtherRow } from './further-rows.js';
import { CachedResults } from './cached-results.js';
import { QueueRows } from './queue-rows.js';
import { readRows } from './read-rows.js';
import { putLog, readLogs, type StepLog } from './step-logs.js';
import { sizes, strays } from './survey.js';
import * as keys from './keys.js';
import type { Kv, KvGuard, KvOp, Visible } from './kv.js';
import { decodeRecord, encodeRecord } from './record-codec.js';
import { scheduleChange, type ScheduleRow } from './schedule-rows.js';
import { TakeOvers } from './take-overs.js';
import { WatchedKv } from './watched-kv.js';
import type {
  Checkpoint,
  ExecutionRecord,
  ExecutionStore,
  InboxRequest,
  JournalRecord,
  ListFilter,
  ListPage,
  OwnerRecord,
  StoredExecution,
} from './types.js';

const DEFINITIONS_KEPT = 16;
/** A draft is marked as a deletion under way: what removes those removes what a crash left of it. */
const DRAFT = new Uint8Array(0);

const NOBODY = { pid: 0, processStart: '', bootId: '', hostname: '', createdAtMs: 0 };

/**
 * ExecutionStore over any Kv. The key layout is in keys.ts; values are sealed with a version and a checksum
 * (envelope.ts), index entries excepted, which have none.
 *
 * Definitions are kept by content and stay when executions are deleted: other executions may have them, and one
 * that is kept for nothing costs only its size.
 */
export class KvExecutionStore implements ExecutionStore {
  /** Hashes of definitions known to be on disk. */
  private readonly storedDefinitions = new Set<string>();
  /** Definitions read lately: what is stored under a hash never changes, and many executions share one. */
  private readonly definitions = new Map<string, WorkflowSpec>();

  private readonly kv: Kv;
  private failed: (error: MaestroError) => void = () => {};

  readonly cached: CachedResults;
  readonly queues: QueueRows;
  private readonly takeOvers: TakeOvers;

  constructor(kv: Kv) {
    this.kv = new WatchedKv(kv, (error) => this.failed(error));
    this.cached = new CachedResults(this.kv);
    this.queues = new QueueRows(this.kv);
    this.takeOvers = new TakeOvers(this.kv, (cause, fence) => this.lost(cause, fence));
  }

  onFailure(failed: (error: MaestroError) => void): void {
    this.failed = failed;
  }

  create(record: ExecutionRecord, spec: WorkflowSpec, globalContext: string): KvOp[] {
    const { executionId: id, definitionHash: hash } = record;
    const ops: KvOp[] = [putRecord(record), ...indexOps(record)];
    ops.push({ op: 'put', key: keys.contextKey(id), value: sealText(keys.contextKey(id), globalContext) });
    if (!this.storedDefinitions.has(hash)) ops.push(putDefinition(hash, spec));
    return ops;
  }

  update(previous: ExecutionRecord, next: ExecutionRecord): KvOp[] {
    return [putRecord(next), ...reindexOps(previous, next)];
  }

  appendJournal(executionId: string, record: JournalRecord): KvOp {
    const key = keys.journalKey(executionId, record.sequence);
    return { op: 'put', key, value: encodeJournalRecord(key, record) };
  }

  putCheckpoint(executionId: string, checkpoint: Checkpoint): KvOp[] {
    return checkpointOps(executionId, checkpoint);
  }

  putOutput(executionId: string, node: number, run: number, text: string): KvOp {
    const key = keys.outputKey(executionId, node, run);
    return { op: 'put', key, value: sealText(key, text) };
  }

  readonly putLog = putLog;
  readonly putManifest = putManifest;

  putOwner(owner: OwnerRecord): KvOp {
    const key = keys.ownerKey(owner.ownerId);
    return { op: 'put', key, value: sealJson(key, owner) };
  }

  deleteOwner(ownerId: string): KvOp {
    return { op: 'del', key: keys.ownerKey(ownerId) };
  }

  putRequest(request: InboxRequest): KvOp {
    const key = keys.requestKey(request);
    return { op: 'put', key, value: sealJson(key, request) };
  }

  deleteRequest(request: InboxRequest): KvOp {
    return { op: 'del', key: keys.requestKey(request) };
  }

  async commit(ops: readonly KvOp[]): Promise<void> {
    await this.kv.commit(ops);
    this.rememberDefinitions(ops);
  }

  async commitOwned(ownerId: string, ops: readonly KvOp[], visible: Visible = 'now'): Promise<void> {
    const fence = notFenced(ownerId);
    const when = visible === 'soon' && ops.every(({ key }) => keys.isProgress(key)) ? 'soon' : 'now';
    await this.kv.commit(ops, [fence], when).catch((cause: unknown) => {
      throw this.lost(cause, fence);
    });
    this.rememberDefinitions(ops);
  }

  async deleteFences(untilMs: number): Promise<KvOp[]> {
    const rows = await readRows<Fence>(this.kv, keys.FENCES);
    return rows.flatMap(({ key, row }) =>
      row !== null && row.createdAtMs < untilMs ? [{ op: 'del', key }] : [],
    );
  }

  async commitNew(record: ExecutionRecord, ops: readonly KvOp[], guard?: KvGuard): Promise<void> {
    const { executionId: id, ownerId } = record;
    // Who was taken for dead starts nothing: what it is late with may have been and gone in the hands of its successor.
    const fence = ownerId === null ? undefined : notFenced(ownerId);
    // Left-overs of a deleted execution with this id must be gone before the id is used again.
    if (await this.kv.get(keys.deletionKey(id))) await purge(this.kv, id);
    try {
      await this.kv.commit(ops, [
        { key: keys.recordKey(id), value: null },
        { key: keys.deletionKey(id), value: null },
        ...(guard === undefined ? [] : [guard]),
        ...(fence === undefined ? [] : [fence]),
      ]);
    } catch (cause) {
      const error = this.lost(cause, fence);
      if (error !== cause) throw error;
      if (!isMaestroError(error, 'STORE_CONFLICT') || (guard && error.details.key === guard.key)) throw error;
      throw new MaestroError('EXECUTION_EXISTS', `there is already an execution ${id}`, { cause: error });
    }
    this.rememberDefinitions(ops);
  }

  async schedules(): Promise<{ rows: readonly ScheduleRow[]; damaged: readonly string[] }> {
    const all = await readRows<ScheduleRow>(this.kv, keys.SCHEDULES);
    return {
      rows: all.flatMap(({ row }) => row ?? []),
      damaged: all.flatMap(({ key, row }) => (row === null ? key.slice(keys.SCHEDULES.length) : [])),
    };
  }

  async getSchedule(workflowId: string): Promise<ScheduleRow | undefined> {
    const key = keys.scheduleKey(workflowId);
    const bytes = await this.kv.get(key);
    return bytes && (unsealJson(key, bytes) as ScheduleRow);
  }

  async changeSchedule(
    seen: ScheduleRow | undefined,
    next: ScheduleRow | undefined,
    spec?: WorkflowSpec,
  ): Promise<void> {
    const { op, guard } = scheduleChange(seen, next);
    const definition = next && spec && putDefinition(next.definitionHash, spec);
    await this.kv.commit(definition === undefined ? [op] : [op, definition], [guard]);
  }

  async changeDefinition(
    seen: ExecutionRecord,
    next: ExecutionRecord,
    change: DefinitionChange,
    also: readonly KvOp[],
  ): Promise<void> {
    const { executionId, definitionHash } = next;
    const ops = await definitionChangeOps(this.kv, executionId, definitionHash, change);
    await this.takeOvers.take(seen, next, [...this.update(seen, next), ...ops, ...also]);
  }

  readonly putDefinition = putDefinition;

  takeOver(seen: ExecutionRecord, next: ExecutionRecord): Promise<void> {
    return this.takeOvers.take(seen, next, this.update(seen, next));
  }

  async getRecord(executionId: string): Promise<ExecutionRecord | undefined> {
    const bytes = await this.kv.get(keys.recordKey(executionId));
    return bytes && decodeRecord(executionId, bytes);
  }

  async getDefinition(hash: string): Promise<WorkflowSpec | undefined> {
    const known = this.definitions.get(hash);
    if (known !== undefined) return known;
    const key = keys.definitionKey(hash);
    const bytes = await this.kv.get(key);
    if (!bytes) return undefined;
    const spec = decodeDefinition(key, bytes);
    if (this.definitions.size >= DEFINITIONS_KEPT) this.definitions.clear();
    this.definitions.set(hash, spec);
    return spec;
  }

  async load(executionId: string, taken?: ExecutionRecord): Promise<StoredExecution | undefined> {
    const record = taken ?? (await this.getRecord(executionId));
    if (!record) return undefined;
    if (taken === undefined) await this.settled(record);
    const spec = await this.getDefinition(record.definitionHash);
    if (!spec) throw corrupt(keys.definitionKey(record.definitionHash), 'it is missing');
    const globalContext = await this.getText(keys.contextKey(executionId));
    if (globalContext === undefined) throw corrupt(keys.contextKey(executionId), 'it is missing');
    const checkpoint = await loadCheckpoint(this.kv, executionId);
    if (checkpoint === null) return { record, spec, globalContext, checkpoint };
    // It is in terms of the definition that held when it was read.
    const again = await this.getRecord(executionId);
    if (again !== undefined && again.definitionHash !== record.definitionHash) return this.load(executionId);
    return { record, spec, globalContext, checkpoint };
  }

  async settled({ ownerId }: ExecutionRecord): Promise<void> {
    if (ownerId !== null) await this.kv.settled?.(ownerId);
  }

  async *journal(executionId: string, fromSequence = 0): AsyncGenerator<JournalRecord> {
    let expected = fromSequence;
    const { end } = keys.under(keys.journalPrefix(executionId));
    for await (const { key, value } of this.kv.scan({ start: keys.journalKey(executionId, expected), end })) {
      const wanted = keys.journalKey(executionId, expected);
      if (key !== wanted) throw corrupt(wanted, 'it is missing, though later ones exist');
      const record = decodeJournalRecord(key, value);
      if (record.sequence !== expected) throw corrupt(key, `it says it is number ${record.sequence}`);
      yield record;
      expected++;
    }
  }

  async getOutput(executionId: string, node: number, run: number): Promise<string | undefined> {
    return this.getText(keys.outputKey(executionId, node, run));
  }

  async *outputs(executionId: string): AsyncGenerator<{ node: number; run: number; text: string }> {
    for await (const { key, value } of this.kv.scan(keys.under(keys.outputsPrefix(executionId)))) {
      const { node, run } = keys.outputOf(key);
      yield { node, run, text: Buffer.from(unseal(key, value)).toString() };
    }
  }

  manifests(executionId: string): AsyncIterable<ArtifactManifest> {
    return readManifests(this.kv, executionId);
  }

  logs(
    executionId: string,
    range?: { node?: number; after?: string },
  ): AsyncGenerator<StepLog & { place: string }> {
    return readLogs(this.kv, executionId, range);
  }

  readonly children = (executionId: string): Promise<string[]> => childrenOf(this.kv, executionId);

  furtherRows(executionId: string): AsyncGenerator<FurtherRow> {
    return furtherRows(this.kv, executionId);
  }

  putFurtherRow(executionId: string, { row, payload }: FurtherRow): KvOp {
    const key = keys.executionPrefix(executionId) + row;
    return { op: 'put', key, value: seal(key, payload) };
  }

  getContext(executionId: string): Promise<string | undefined> {
    return this.getText(keys.contextKey(executionId));
  }

  async lastSequence(executionId: string): Promise<number> {
    const range = { ...keys.under(keys.journalPrefix(executionId)), limit: 1, reverse: true };
    for await (const key of this.kv.keys(range)) return keys.lastNumber(key);
    return -1;
  }

  async beginDraft(executionId: string): Promise<void> {
    const mark = keys.deletionKey(executionId);
    if (await this.kv.get(mark)) await purge(this.kv, executionId);
    const free = [keys.recordKey(executionId), mark].map((key) => ({ key, value: null }));
    await this.kv.commit([{ op: 'put', key: mark, value: DRAFT }], free);
  }

  async commitDraft(executionId: string, ops: readonly KvOp[], last?: 'final'): Promise<void> {
    const key = keys.deletionKey(executionId);
    const all: KvOp[] = last === 'final' ? [...ops, { op: 'del', key }] : [...ops];
    await this.kv.commit(all, [{ key, value: DRAFT }]);
    this.rememberDefinitions(ops);
  }

  async list(filter: ListFilter = {}): Promise<ListPage> {
    const { ids, next } = await queryIndex(this.kv, filter);
    const records: ExecutionRecord[] = [];
    const damaged: string[] = [];
    for (const id of ids) {
      try {
        const record = await this.getRecord(id);
        if (record) records.push(record);
      } catch (error) {
        if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
        damaged.push(id);
      }
    }
    return { records, ...(next !== undefined && { next }), ...(damaged.length > 0 && { damaged }) };
  }

  countByStatus(): Promise<Record<WorkflowStatus, number>> {
    return countByStatus(this.kv);
  }

  readonly strays: ExecutionStore['strays'] = (listed) => strays(this.kv, listed);
  readonly sizes: ExecutionStore['sizes'] = () => sizes(this.kv);
  readonly space: ExecutionStore['space'] = () => this.kv.space?.() ?? null;

  /** A request that nobody can read is nobody's: it must not keep the others from being seen. */
  async requests(): Promise<InboxRequest[]> {
    const rows = await readRows<InboxRequest>(this.kv, keys.INBOX);
    return rows.flatMap(({ row }) => row ?? []);
  }

  /** A lease that nobody can read names no living process: it must not keep others from starting. */
  async owners(): Promise<OwnerRecord[]> {
    const rows = await readRows<OwnerRecord>(this.kv, keys.OWNERS);
    return rows.map(({ key, row }) => row ?? { ownerId: key.slice(keys.OWNERS.length), ...NOBODY });
  }

  async cursorAfter(filter: ListFilter, count: number): Promise<string | undefined> {
    return (await queryIndex(this.kv, { ...filter, limit: count })).next;
  }

  async delete(executionId: string, seen?: ExecutionRecord): Promise<boolean> {
    return removeExecution(this.kv, executionId, seen && encodeRecord(seen));
  }

  close(): Promise<void> {
    return this.kv.close();
  }

  /** An owner that was taken for dead can store nothing any more, whatever it was that found that out. */
  private lost(cause: unknown, fence: KvGuard | undefined): unknown {
    const error = leaseLost(cause, fence);
    if (error !== cause) this.failed(error as MaestroError);
    return error;
  }

  private async getText(key: string): Promise<string | undefined> {
    const bytes = await this.kv.get(key);
    return bytes && Buffer.from(unseal(key, bytes)).toString();
  }

  private rememberDefinitions(ops: readonly KvOp[]): void {
    for (const { op, key } of ops)
      if (op === 'put' && key.startsWith(keys.DEFINITIONS))
        this.storedDefinitions.add(key.slice(keys.DEFINITIONS.length));
  }
}

function putRecord(record: ExecutionRecord): KvOp {
  return { op: 'put', key: keys.recordKey(record.executionId), value: encodeRecord(record) };
}
