import { MaestroError } from '../base/errors.js';
import { WORKFLOW_STATUSES, type WorkflowStatus } from '../base/model.js';
import type { Kv, KvOp } from './kv.js';
import { hexTime, statusPrefix, under, workflowPrefix } from './keys.js';
import type { ExecutionRecord, ListFilter } from './types.js';

/*
 * Two indexes answer every filter: s/<status> and w/<workflow>/<status>, both ordered by creation. A query reads
 * one range per wanted status (all six when none is named) and merges them. Statuses and workflow therefore never
 * have to be filtered out afterwards, and a page costs at most 6 × (limit + 1) keys however many are stored.
 */

const NOTHING = new Uint8Array(0);
const DEFAULT_LIMIT = 100;
const AFTER_ANY_ID = '~';
/** Keys counted before the event loop goes on: some milliseconds. */
const COUNTED_AT_ONCE = 4096;

type Indexed = Pick<ExecutionRecord, 'executionId' | 'workflowId' | 'status' | 'createdAtMs'>;

/** Where an execution stands in creation order; unique. */
function positionOf(record: Indexed): string {
  return `${hexTime(record.createdAtMs)}/${record.executionId}`;
}

function indexKeys(record: Indexed): string[] {
  const position = positionOf(record);
  return [
    statusPrefix(record.status) + position,
    workflowPrefix(record.workflowId, record.status) + position,
  ];
}

export function indexOps(record: Indexed): KvOp[] {
  return indexKeys(record).map((key) => ({ op: 'put', key, value: NOTHING }));
}

export function unindexOps(record: Indexed): KvOp[] {
  return indexKeys(record).map((key) => ({ op: 'del', key }));
}

/** Ops for the difference between two versions of one record; none when it is indexed the same. */
export function reindexOps(previous: Indexed, next: Indexed): KvOp[] {
  if (
    previous.status === next.status &&
    previous.workflowId === next.workflowId &&
    previous.createdAtMs === next.createdAtMs
  )
    return [];
  return [...unindexOps(previous), ...indexOps(next)];
}

/** Execution ids of one page in the order asked for, and the cursor of the next one. */
export interface IdPage {
  readonly ids: readonly string[];
  readonly next?: string;
}

/** @throws MaestroError USAGE for a limit or a cursor that makes no sense. */
export async function queryIndex(kv: Kv, filter: ListFilter): Promise<IdPage> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new MaestroError('USAGE', `limit must be a whole number of at least 1, not ${limit}`);
  const reverse = (filter.order ?? 'newest') === 'newest';
  const { from, to } = bounds(filter, reverse);
  if (from >= to) return { ids: [] };
  // One that changes its status meanwhile may be in two ranges.
  const positions = new Set<string>();
  for (const prefix of prefixes(filter)) {
    const range = { start: prefix + from, end: prefix + to, limit: limit + 1, reverse };
    for await (const key of kv.keys(range)) positions.add(key.slice(prefix.length));
  }
  const found = [...positions].sort();
  if (reverse) found.reverse();
  const ids = found.slice(0, limit).map((position) => position.slice(position.indexOf('/') + 1));
  return found.length > limit ? { ids, next: toCursor(found[limit - 1]) } : { ids };
}

/** Positions from `from` (inclusive) to `to` (exclusive), after the cursor in the order asked for. */
function bounds(filter: ListFilter, reverse: boolean): { from: string; to: string } {
  let from = hexTime(Math.ceil(filter.createdFromMs ?? 0));
  let to = filter.createdToMs === undefined ? AFTER_ANY_ID : hexTime(Math.ceil(filter.createdToMs));
  if (filter.after !== undefined) {
    const position = fromCursor(filter.after);
    if (reverse && position < to) to = position;
    if (!reverse && position >= from) from = `${position}\0`;
  }
  return { from, to };
}

function prefixes(filter: ListFilter): string[] {
  const wanted = filter.status === undefined ? WORKFLOW_STATUSES : [filter.status].flat();
  const { workflowId } = filter;
  return [...new Set(wanted)].map((status) =>
    workflowId === undefined ? statusPrefix(status) : workflowPrefix(workflowId, status),
  );
}

/** How many executions have each status: one walk over the status index, which lets others have their turn. */
export async function countByStatus(kv: Kv): Promise<Record<WorkflowStatus, number>> {
  const counts = Object.fromEntries(WORKFLOW_STATUSES.map((status) => [status, 0]));
  for (const status of WORKFLOW_STATUSES)
    for await (const _ of kv.keys(under(statusPrefix(status))))
      if (++counts[status] % COUNTED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  return counts as Record<WorkflowStatus, number>;
}

function toCursor(position: string): string {
  return Buffer.from(position).toString('base64url');
}

function fromCursor(cursor: string): string {
  const position = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!/^[0-9a-f]{12}\/[\x21-\x7e]+$/.test(position))
    throw new MaestroError('USAGE', '`after` is not the `next` of a page');
  return position;
}
