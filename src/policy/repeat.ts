import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';

/** How a node runs again and again until something holds. */
export interface RepeatPolicy {
  /** CEL; when it is true after an iteration, that was the last one. */
  readonly until: string;
  /** Iterations in all, the first included. */
  readonly max: number;
  /** Between the end of an iteration and the next; may be a fraction. */
  readonly delaySeconds: number;
  /** What becomes of the node when `max` iterations were not enough. */
  readonly onExhausted: 'fail' | 'complete';
}

/** What follows an iteration: the loop is over, there is another one (at a time), or it has failed for good. */
export type RepeatStep =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly atMs?: number }
  | { readonly kind: 'failed'; readonly error: ErrorDocument };

/**
 * @param met whether `until` holds
 * @param iteration the one that has ended; counts from 1
 */
export function afterIteration(
  policy: RepeatPolicy,
  met: boolean,
  iteration: number,
  nodeId: string,
  nowMs: number,
): RepeatStep {
  const { until, max, delaySeconds, onExhausted } = policy;
  if (met) return { kind: 'done' };
  if (iteration < max)
    return delaySeconds > 0
      ? { kind: 'again', atMs: nowMs + Math.ceil(delaySeconds * 1000) }
      : { kind: 'again' };
  if (onExhausted === 'complete') return { kind: 'done' };
  const times = max === 1 ? '1 iteration' : `${max} iterations`;
  const error = new MaestroError(
    'REPEAT_EXHAUSTED',
    `node "${nodeId}" repeated ${times}, and its "until" did not hold: ${until}`,
    { details: { until, iterations: max } },
  );
  const { stack: _, ...document } = toErrorDocument(error);
  return { kind: 'failed', error: document };
}
