import { MaestroError } from '../base/errors.js';
import type { Plan } from '../graph/index.js';
import { planOf } from '../spec/index.js';
import type { StepLog } from '../store/step-logs.js';
import type { ExecutionStore } from '../store/types.js';
import { restoreState } from '../supervisor/restore.js';
import { notFound } from './history.js';
import type { LogFilter, LogPage, NodeLogDocument } from './types.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
/** A place in the logs of an execution: node, run, attempt, time. */
const PLACE = /^[0-9a-f]{8}\/[0-9a-f]{8}\/[0-9a-f]{8}\/[0-9a-f]{12}$/;

/** A page of what an execution's steps wrote. @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, USAGE */
export async function readLogPage(
  store: ExecutionStore,
  executionId: string,
  { nodeId, attempt, stream, limit = DEFAULT_LIMIT, after }: LogFilter = {},
): Promise<LogPage> {
  const record = await store.getRecord(executionId);
  const spec = record && (await store.getDefinition(record.definitionHash));
  if (spec === undefined) throw notFound(executionId);
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT))
    throw new MaestroError('USAGE', `limit is ${limit}; it must be 1 to ${MAX_LIMIT}`);
  if (after !== undefined && !PLACE.test(after))
    throw new MaestroError('USAGE', 'after is not the `next` of a page of logs');
  const plan = await planWithItems(store, executionId, planOf(spec));
  const node = nodeId === undefined ? undefined : plan.indexOf.get(nodeId);
  if (nodeId !== undefined && node === undefined)
    throw new MaestroError(
      'NODE_NOT_FOUND',
      `execution ${executionId} has no node ${JSON.stringify(nodeId)}`,
    );
  const page: LogPage = { execution_id: executionId, status: record!.status, logs: [] };
  let last = '';
  for await (const log of store.logs(executionId, { node, after })) {
    if (attempt !== undefined && log.attempt !== attempt) continue;
    if (page.logs.length === limit) return { ...page, next: last };
    page.logs.push(documentOf(log, plan.ids[log.node] ?? String(log.node), stream));
    last = log.place;
  }
  return page;
}

/** Items of maps are nodes that only the execution's history knows. */
async function planWithItems(store: ExecutionStore, executionId: string, plan: Plan): Promise<Plan> {
  if (plan.maps.length === 0) return plan;
  const stored = await store.load(executionId);
  return stored === undefined ? plan : (await restoreState(store, stored, plan)).state.plan;
}

function documentOf(log: StepLog, node_id: string, stream: LogFilter['stream']): NodeLogDocument {
  const { run, attempt, writtenChars, entries } = log;
  const kept = entries.reduce((sum, { text }) => sum + text.length, 0);
  return {
    node_id,
    attempt,
    run,
    began_at: new Date(log.beganMs).toISOString(),
    written_chars: writtenChars,
    dropped_chars: writtenChars - kept,
    entries: entries
      .filter((entry) => stream === undefined || entry.stream === stream)
      .map(({ stream, atMs, offset, text }) => ({
        stream,
        time: new Date(atMs).toISOString(),
        offset,
        text,
      })),
  };
}
