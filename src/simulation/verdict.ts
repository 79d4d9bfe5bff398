import { isWorkflowStatusEnded } from '../base/model.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ExecutionDocument } from '../runtime/types.js';
import type { Cause } from './seed-fates.js';
import type { Trial } from './trial.js';

export const SURPRISES = [
  'did_not_end',
  'condition_failed',
  'unverified',
  'failed',
  'completed_nothing',
  'runtime_died',
] as const;
export type SurpriseKind = (typeof SURPRISES)[number];

/** An end that nothing declared and no fault explains. */
export interface Surprise {
  readonly kind: SurpriseKind;
  readonly node_id: string | null;
  readonly message: string;
}

/** What made a node fail for good; a rejected review or a loop that ran out is a way to end like any other. */
export type FailureCause = Cause | 'rejected' | 'exhausted';

/** What is to be said of how an execution ended. */
export interface Verdict {
  readonly surprises: readonly Surprise[];
  /** Causes of the failures that were to be expected. */
  readonly expected: readonly FailureCause[];
}

export function judge(trial: Trial): Verdict {
  const { document, failure } = trial;
  if (failure !== null)
    return one(
      'runtime_died',
      `the runtime itself failed: ${failure.code ?? failure.name}: ${failure.message}`,
    );
  if (document === undefined || !isWorkflowStatusEnded(document.status))
    return one('did_not_end', openText(document));
  if (document.status === 'completed' && document.completed_nodes === 0)
    return one('completed_nothing', 'it is completed, but every node was skipped');
  const surprises: Surprise[] = [];
  const expected: FailureCause[] = [];
  for (const last of lastFailures(trial)) {
    const cause = causeOf(trial, last);
    if (cause !== null) expected.push(cause);
    else surprises.push(surpriseOf(last.event));
  }
  if (document.error?.code === 'WORKFLOW_TIMEOUT') {
    const cause = struckBy(trial);
    if (cause === null) return one('failed', document.error.message);
    expected.push(cause);
  }
  // A contract that a failure left unverified is a consequence of that failure.
  if (expected.length > 0)
    return { surprises: surprises.filter(({ kind }) => kind !== 'unverified'), expected };
  if (document.status === 'failed' && surprises.length === 0)
    return one('failed', 'it failed, but no node did');
  return { surprises, expected };
}

function one(kind: SurpriseKind, message: string): Verdict {
  return { surprises: [{ kind, node_id: null, message }], expected: [] };
}

interface LastFailure {
  readonly event: ExecutionEvent;
  /** Of its node: what starts over begins a new one. */
  readonly run: number;
}

/** The failures that nothing came after. */
function lastFailures({ events, document }: Trial): LastFailure[] {
  const failures = new Map<string, LastFailure>();
  for (const [event, run] of withRuns(events))
    if (event.event_type === 'node_failed' && event.data.will_retry === false)
      failures.set(event.node_id!, { event, run });
  return [...failures.values()].filter(
    // An item of a map is its map's affair.
    ({ event }) => document!.node_states[event.node_id!]?.status === 'failed',
  );
}

/** Each event with the run of its node that it belongs to. */
export function* withRuns(
  events: readonly ExecutionEvent[],
): Generator<[event: ExecutionEvent, run: number]> {
  const runs = new Map<string, number>();
  for (const event of events) {
    const { event_type, node_id = '', data } = event;
    const run = runs.get(node_id) ?? 0;
    yield [event, run];
    const isOver =
      event_type === 'node_repeated' || (event_type === 'node_recovered' && data.reason === 'rerun');
    if (isOver) runs.set(node_id, run + 1);
  }
}

function causeOf(trial: Trial, { event: { node_id, data }, run }: LastFailure): FailureCause | null {
  if (data.error_code === 'CONDITION_FAILED' || data.error_code === 'CONTRACT_UNVERIFIED') return null;
  if (data.error_code === 'REPEAT_EXHAUSTED') return 'exhausted';
  if (data.error_code === 'NODE_TIMEOUT') return limitCause(trial, node_id!, run, Number(data.attempts));
  if (data.error_code === 'MAP_FAILED') return causeOfMap(trial, node_id!);
  const cause = trial.causeOf(node_id!, run, Number(data.attempts));
  return cause ?? (data.error_code === 'REVIEW_REJECTED' ? 'rejected' : null);
}

/** What took the time of a node: whatever befell one of its attempts, or all of them. */
function limitCause(trial: Trial, nodeId: string, run: number, attempts: number): FailureCause | null {
  for (let attempt = attempts; attempt > 0; attempt--) {
    const cause = trial.causeOf(nodeId, run, attempt);
    if (cause !== null) return cause;
  }
  return struckBy(trial);
}

/** A kind of fault that this execution has seen. */
function struckBy({ struck }: Trial): FailureCause | null {
  return (['crash', 'timeout', 'error'] as const).find((kind) => struck[kind] > 0) ?? null;
}

const KIND_OF_CODE: Readonly<Record<string, SurpriseKind>> = {
  CONDITION_FAILED: 'condition_failed',
  CONTRACT_UNVERIFIED: 'unverified',
};

/** Why items failed: null as soon as nothing explains one of them. */
function causeOfMap(trial: Trial, gate: string): FailureCause | null {
  const { model, events } = trial;
  const map = model.plan.mapOf.get(model.nodeOf(gate));
  let first: FailureCause | null = null;
  for (const [event, run] of withRuns(events)) {
    const { event_type, node_id = '', data } = event;
    const isItem =
      model.plan.indexOf.get(node_id) === undefined && model.plan.mapOf.get(model.nodeOf(node_id)) === map;
    if (event_type !== 'node_failed' || data.will_retry === true || !isItem) continue;
    const cause = causeOf(trial, { event, run });
    if (cause === null) return null;
    first ??= cause;
  }
  return first;
}

function surpriseOf({ node_id, data }: ExecutionEvent): Surprise {
  const kind = KIND_OF_CODE[String(data.error_code)] ?? 'failed';
  return { kind, node_id: node_id!, message: String(data.error) };
}

const MOST_OPEN = 5;

function openText(document: ExecutionDocument | undefined): string {
  if (document === undefined) return 'it was never stored';
  const states = Object.values(document.node_states);
  const open = states.filter(({ status }) => status === 'running' || status === 'ready');
  const shown = open
    .slice(0, MOST_OPEN)
    .map(({ node_id, status }) => `${JSON.stringify(node_id)} is ${status}`);
  const more = open.length > MOST_OPEN ? ` and ${open.length - MOST_OPEN} more` : '';
  return `it is ${document.status} when the simulated time is over: ${shown.join(', ') || 'nothing runs'}${more}`;
}
