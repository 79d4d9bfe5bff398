import { compact } from './compact.js';
import type { NodeSpec, ReviewSpec } from './types.js';

/** A node that waits for a person; its type becomes human_review. See ReviewSpec. */
export interface ReviewOptions {
  /** JSON Schema of the response that a decision must carry. */
  responseSchema?: Record<string, unknown>;
  instructions?: string;
  assignees?: readonly string[];
  deadlineSeconds?: number;
  /** The decision taken at the deadline; without it the node fails then. */
  default?: { decision: 'approve' | 'reject'; response?: unknown };
  /** Default fail. */
  onReject?: ReviewSpec['on_reject'];
}

/** A node that waits for a signal; its output is the payload. */
export interface SignalWaitOptions {
  signal: string;
  /** JSON Schema of the payload. */
  schema?: Record<string, unknown>;
  deadlineSeconds?: number;
  /** The payload taken at the deadline; without it the node fails then. */
  default?: unknown;
}

/** One thing to wait for, without a thread. */
export type WaitOptions =
  | { review: ReviewOptions; waitFor?: never; sleepSeconds?: never; waitUntil?: never }
  | { waitFor: SignalWaitOptions; review?: never; sleepSeconds?: never; waitUntil?: never }
  | { sleepSeconds: number; review?: never; waitFor?: never; waitUntil?: never }
  /** A moment; text in ISO 8601 with Z or an offset. */
  | { waitUntil: Date | string; review?: never; waitFor?: never; sleepSeconds?: never };

export interface NoWait {
  review?: never;
  waitFor?: never;
  sleepSeconds?: never;
  waitUntil?: never;
}

/** What waiting adds to a node's document. */
export function waitFields(
  options: WaitOptions | NoWait,
): Pick<NodeSpec, 'review' | 'wait_for' | 'sleep' | 'wait_until'> {
  const { review, waitFor, sleepSeconds, waitUntil } = options;
  return {
    review: review && reviewSpec(review),
    wait_for:
      waitFor &&
      compact({
        signal: waitFor.signal,
        schema: waitFor.schema,
        deadline_seconds: waitFor.deadlineSeconds,
        default: waitFor.default,
      }),
    sleep: sleepSeconds === undefined ? undefined : { seconds: sleepSeconds },
    wait_until: waitUntil === undefined ? undefined : { time: momentText(waitUntil) },
  };
}

function reviewSpec(review: ReviewOptions): ReviewSpec {
  return compact({
    response_schema: review.responseSchema,
    instructions: review.instructions,
    assignees: review.assignees && [...review.assignees],
    deadline_seconds: review.deadlineSeconds,
    default: review.default,
    on_reject: review.onReject,
  });
}

/** A date that is none becomes text that validation refuses. */
function momentText(moment: Date | string): string {
  if (typeof moment === 'string') return moment;
  return Number.isNaN(moment.getTime()) ? 'Invalid Date' : moment.toISOString();
}
