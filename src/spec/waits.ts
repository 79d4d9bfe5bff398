import type { WaitPlan } from '../policy/wait.js';
import type { NodeSpec } from './types.js';

/** The keys that say what a node waits for. A `human_review` waits also without `review`. */
export const WAIT_KEYS = ['review', 'wait_for', 'sleep', 'wait_until'] as const;

/** Whether a node of a checked workflow waits instead of executing something; also for an execution of its own. */
export function isWaitNode(node: Pick<NodeSpec, 'type' | (typeof WAIT_KEYS)[number]>): boolean {
  return (
    node.type === 'human_review' ||
    node.type === 'subworkflow' ||
    WAIT_KEYS.some((key) => node[key] !== undefined)
  );
}

/** What a node of a checked workflow waits for; null when it executes something. */
export function waitPlanOf({ type, review, wait_for, sleep, wait_until }: NodeSpec): WaitPlan | null {
  if (type === 'human_review') {
    const { deadline_seconds = null, default: fallback, on_reject = 'fail' } = review ?? {};
    return {
      kind: 'review',
      deadlineSeconds: deadline_seconds,
      fallback:
        fallback === undefined ? null : { decision: fallback.decision, response: fallback.response ?? null },
      onReject: on_reject,
    };
  }
  if (type === 'subworkflow') return { kind: 'child' };
  if (wait_for !== undefined) {
    const { signal, deadline_seconds = null } = wait_for;
    const fallback = 'default' in wait_for ? { payload: wait_for.default } : null;
    return { kind: 'signal', signal, deadlineSeconds: deadline_seconds, fallback };
  }
  if (sleep !== undefined) return { kind: 'time', seconds: sleep.seconds };
  return wait_until === undefined ? null : { kind: 'time', atMs: Date.parse(wait_until.time) };
}

/** The schema that an answer to a waiting node must fit; undefined: anything does. */
export function answerSchemaOf({ review, wait_for }: NodeSpec): Record<string, unknown> | undefined {
  return review?.response_schema ?? wait_for?.schema;
}
