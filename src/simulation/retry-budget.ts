import { nextRetryDelayMs } from '../policy/retry.js';
import type { RetryPolicy } from '../base/model.js';
import type { WorkflowModel } from './workflow-model.js';

/** Retries that go on for longer than the time one attempt is given. Seconds may be fractions. */
export interface LongRetries {
  readonly node_id: string;
  readonly timeout_seconds: number;
  readonly max_attempts: number;
  /** All delays between attempts, the longest that jitter allows. */
  readonly delays_seconds: number;
  /** Every attempt to its timeout, and all delays. */
  readonly worst_seconds: number;
  /** The longest it took from its first start to its end, and in which seed; null: never longer than its timeout. */
  readonly seen: { readonly seconds: number; readonly seed: number } | null;
}

/** Beyond this many attempts no delay grows any more. */
const DISTINCT_DELAYS = 1_100;

/** The nodes whose timeout does not limit them, because attempts and the delays between them add up. */
export function longRetries(
  model: WorkflowModel,
  seen: ReadonlyMap<string, { seconds: number; seed: number }>,
): LongRetries[] {
  return model.nodes.flatMap((node, index) => {
    const timeout = node.timeout_seconds;
    const policy = model.policyOf(index);
    if (
      timeout === undefined ||
      node.total_timeout_seconds !== undefined ||
      model.waitOf(index) !== null ||
      policy.max_attempts === 1 ||
      !policy.retry_on_failure
    )
      return [];
    const delays = delaysSeconds(policy);
    const longest = seen.get(node.id);
    const outlived = longest !== undefined && longest.seconds > timeout ? longest : null;
    if (delays <= timeout && outlived === null) return [];
    return [
      {
        node_id: node.id,
        timeout_seconds: timeout,
        max_attempts: policy.max_attempts,
        delays_seconds: round(delays),
        worst_seconds: round(policy.max_attempts * timeout + delays),
        seen: outlived,
      },
    ];
  });
}

function delaysSeconds(policy: RetryPolicy): number {
  const retries = policy.max_attempts - 1;
  let sumMs = 0;
  let delayMs = 0;
  for (let made = 1; made <= Math.min(retries, DISTINCT_DELAYS); made++) {
    delayMs =
      nextRetryDelayMs({ ...policy, jitter: 'none' }, made, { name: 'Error', message: '' }, () => 0) ?? 0;
    sumMs += delayMs;
  }
  return (sumMs + Math.max(0, retries - DISTINCT_DELAYS) * delayMs) / 1000;
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
