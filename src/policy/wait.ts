import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { Wait } from '../base/model.js';

/** What a node waits for, and what follows when nobody answers in time. Seconds may be fractions. */
export type WaitPlan = ReviewPlan | SignalPlan | TimePlan | ChildPlan;

/** The end of an execution of its own: a subworkflow. */
export interface ChildPlan {
  readonly kind: 'child';
}

export interface ReviewPlan {
  readonly kind: 'review';
  readonly deadlineSeconds: number | null;
  /** The decision taken at the deadline; null: the node fails then. */
  readonly fallback: Pick<Decision, 'decision' | 'response'> | null;
  readonly onReject: 'fail' | 'complete';
}

export interface SignalPlan {
  readonly kind: 'signal';
  readonly signal: string;
  readonly deadlineSeconds: number | null;
  /** What is taken for the payload at the deadline; null: the node fails then. */
  readonly fallback: { readonly payload: unknown } | null;
}

/** Either from the moment the wait begins, or at a moment of the calendar. */
export type TimePlan =
  | { readonly kind: 'time'; readonly seconds: number; readonly atMs?: never }
  | { readonly kind: 'time'; readonly atMs: number; readonly seconds?: never };

/** What a reviewer decides. */
export interface Decision {
  readonly decision: 'approve' | 'reject';
  readonly response: unknown;
  readonly comment: string | null;
  readonly reviewer: string | null;
}

/** What a wait leads to: an output as JSON text, or a failure that no retry helps. */
export type WaitOutcome = { readonly output: string } | { readonly error: ErrorDocument };

/** @param key of the attempt that waits, which names a child */
export function beginWait(plan: WaitPlan, key: string, nowMs: number): Wait {
  const signal = plan.kind === 'signal' ? plan.signal : plan.kind === 'child' ? key : null;
  return { kind: plan.kind, signal, wakeAtMs: wakeOf(plan, nowMs) };
}

/** The time of 0 means never, so a moment before the epoch is the first one after it. */
function wakeOf(plan: WaitPlan, nowMs: number): number {
  if (plan.kind === 'child') return 0;
  if (plan.kind !== 'time') return plan.deadlineSeconds === null ? 0 : due(nowMs, plan.deadlineSeconds);
  return plan.seconds === undefined ? Math.max(1, plan.atMs) : due(nowMs, plan.seconds);
}

function due(nowMs: number, seconds: number): number {
  return Math.max(1, nowMs + Math.ceil(seconds * 1000));
}

export function decideReview(plan: ReviewPlan, given: Decision, nodeId: string, atMs: number): WaitOutcome {
  const { response, comment, reviewer } = given;
  if (given.decision === 'reject' && plan.onReject === 'fail') {
    const by = reviewer === null ? '' : ` by ${reviewer}`;
    const why = comment === null ? '' : `: ${comment}`;
    const message = `the review of node "${nodeId}" was rejected${by}${why}`;
    return failure('REVIEW_REJECTED', message, { comment, reviewer, response });
  }
  const decision = given.decision === 'approve' ? 'approved' : 'rejected';
  const decided_at = new Date(atMs).toISOString();
  return { output: JSON.stringify({ decision, response, comment, reviewer, decided_at }) };
}

/** What becomes of a wait that nobody answered until its end. */
export function expireWait(
  plan: Exclude<WaitPlan, ChildPlan>,
  wait: Wait,
  nodeId: string,
  atMs: number,
): WaitOutcome {
  if (plan.kind === 'time')
    return { output: JSON.stringify({ waited_until: new Date(wait.wakeAtMs).toISOString() }) };
  if (plan.kind === 'signal') {
    if (plan.fallback !== null) return { output: JSON.stringify(plan.fallback.payload) };
    const message = `node "${nodeId}" got no signal ${JSON.stringify(plan.signal)} within ${plan.deadlineSeconds} s`;
    return failure('WAIT_EXPIRED', message);
  }
  if (plan.fallback === null)
    return failure('WAIT_EXPIRED', `node "${nodeId}" was not reviewed within ${plan.deadlineSeconds} s`);
  const comment = `nobody decided within ${plan.deadlineSeconds} s`;
  return decideReview(plan, { ...plan.fallback, comment, reviewer: null }, nodeId, atMs);
}

function failure(
  code: 'REVIEW_REJECTED' | 'WAIT_EXPIRED',
  message: string,
  details?: Record<string, unknown>,
): WaitOutcome {
  const { stack: _, ...error } = toErrorDocument(new MaestroError(code, message, { details }));
  return { error };
}
