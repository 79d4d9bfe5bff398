import type { ExecutionState } from '../engine/execution-state.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import { commentDocument } from './document.js';
import { notFound } from './history.js';
import { readState } from './reader.js';
import type { ReviewDocument, ReviewFilter, ReviewPage } from './types.js';

const DEFAULT_LIMIT = 100;
const PAGE = 100;

interface ReviewSource {
  readonly store: ExecutionStore;
  readonly definitions: Definitions;
  /** The state of an execution that the store does not know yet (durability exit). */
  readonly live: (executionId: string) => ExecutionState | undefined;
}

/**
 * Open reviews, those of the oldest executions first. Only executions of workflows that have reviews are read, whole
 * pages of them: a page of reviews may have more than `limit`. @throws EXECUTION_NOT_FOUND
 */
export async function openReviews(source: ReviewSource, filter: ReviewFilter): Promise<ReviewPage> {
  const { store } = source;
  const decided = await decisionsUnderWay(store);
  const reviews: ReviewDocument[] = [];
  if (filter.executionId !== undefined) {
    const record = await store.getRecord(filter.executionId);
    if (record === undefined) throw notFound(filter.executionId);
    return { reviews: await reviewsOf(source, record, decided) };
  }
  let after = filter.after;
  do {
    const page = await store.list({
      status: ['running', 'paused', 'pending'],
      order: 'oldest',
      limit: PAGE,
      after,
    });
    for (const record of page.records) reviews.push(...(await reviewsOf(source, record, decided)));
    after = page.next;
  } while (after !== undefined && reviews.length < (filter.limit ?? DEFAULT_LIMIT));
  return { reviews, ...(after !== undefined && { next: after }) };
}

async function reviewsOf(
  source: ReviewSource,
  record: ExecutionRecord,
  decided: ReadonlySet<string>,
): Promise<ReviewDocument[]> {
  const { store, definitions, live } = source;
  const { executionId } = record;
  const spec = await store.getDefinition(record.definitionHash);
  if (spec === undefined || !spec.nodes.some(({ type }) => type === 'human_review')) return [];
  const state = live(executionId) ?? (await readState(store, definitions, executionId));
  if (state === undefined) return [];
  const { waits, startedAtMs, comments } = state.columns;
  const open = [...waits].filter(
    ([node, { kind }]) => kind === 'review' && !decided.has(`${executionId}/${node}`),
  );
  return open.map(([node, { wakeAtMs }]) => {
    const { id, name, review = {} } = spec.nodes[node];
    return {
      execution_id: executionId,
      workflow_id: record.workflowId,
      workflow_name: record.workflowName,
      node_id: id,
      node_name: name,
      instructions: review.instructions ?? null,
      assignees: [...(review.assignees ?? [])],
      response_schema: review.response_schema ?? null,
      asked_at: new Date(startedAtMs[node]).toISOString(),
      deadline: wakeAtMs > 0 ? new Date(wakeAtMs).toISOString() : null,
      default: review.default ?? null,
      comments: (comments.get(node) ?? []).map(commentDocument),
    };
  });
}

/** Decisions in the inbox that nobody has seen yet, as `execution/node`. */
async function decisionsUnderWay(store: ExecutionStore): Promise<ReadonlySet<string>> {
  const decided = new Set<string>();
  for (const request of await store.requests()) {
    if (request.kind !== 'answer' || request.answer.type !== 'reviewDecided') continue;
    decided.add(`${request.executionId}/${request.answer.node}`);
  }
  return decided;
}
