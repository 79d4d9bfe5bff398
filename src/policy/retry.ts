import type { ErrorDocument } from '../base/errors.js';
import type { RetryPolicy } from '../base/model.js';
import type { Random } from '../base/random.js';

/** No delay is longer than a year: due times stay exact integers whatever a policy says. */
export const MAX_RETRY_DELAY_MS = 365 * 24 * 60 * 60 * 1000;

/** One attempt. What a policy leaves out is taken from here: so `{ max_attempts: 3 }` retries after a second. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  max_attempts: 1,
  retry_delay_seconds: 1,
  retry_on_failure: true,
  exponential_backoff: false,
  jitter: 'none',
  non_retryable: [],
};

/** A whole policy from what a spec gives of one. Numbers out of range are brought into it. */
export function normalizeRetryPolicy(partial: Partial<RetryPolicy> | undefined): RetryPolicy {
  const policy: RetryPolicy = { ...DEFAULT_RETRY_POLICY, ...withoutUndefined(partial ?? {}) };
  policy.max_attempts = Math.max(1, Math.floor(finite(policy.max_attempts, Number.MAX_SAFE_INTEGER)));
  policy.retry_delay_seconds = seconds(policy.retry_delay_seconds);
  if (policy.max_delay_seconds !== undefined) policy.max_delay_seconds = seconds(policy.max_delay_seconds);
  return policy;
}

/**
 * How long to wait before the next attempt, in whole milliseconds; null when there is none: attempts used up,
 * `retry_on_failure` false, the error's name or code listed as non-retryable, or its details saying
 * `non_retryable: true` (its causes do not count).
 *
 * The delay is `retry_delay_seconds`, with exponential backoff × 2^(attemptsMade - 1), at most
 * `max_delay_seconds`. Full jitter takes a uniform share of that: AWS Architecture Blog, "Exponential Backoff
 * and Jitter". `attemptsMade` counts the one that just failed; less than 1 counts as 1.
 *
 * An error whose details have a number `retry_after_seconds` knows better: that replaces the computed delay, up to
 * `max_delay_seconds`, and without jitter (Temporal, retry.go: nextRetryDelay).
 */
export function nextRetryDelayMs(
  policy: RetryPolicy,
  attemptsMade: number,
  error: ErrorDocument,
  random: Random,
): number | null {
  if (!policy.retry_on_failure || attemptsMade >= policy.max_attempts) return null;
  if (isNonRetryable(policy, error)) return null;
  const cap = policy.max_delay_seconds ?? Number.POSITIVE_INFINITY;
  const wishedSeconds = error.details?.retry_after_seconds;
  if (typeof wishedSeconds === 'number') return clampMs(Math.min(wishedSeconds, cap) * 1000);
  // A wait of 0 stays 0: 0 × 2^1024 would be NaN.
  const doublings = policy.exponential_backoff ? Math.min(Math.max(0, attemptsMade - 1), 1023) : 0;
  const delayMs = clampMs(Math.min(policy.retry_delay_seconds * 2 ** doublings, cap) * 1000);
  return policy.jitter === 'full' ? Math.round(random() * delayMs) : delayMs;
}

function isNonRetryable(policy: RetryPolicy, error: ErrorDocument): boolean {
  if (error.details?.non_retryable === true) return true;
  const listed = policy.non_retryable ?? [];
  return listed.includes(error.name) || (error.code !== undefined && listed.includes(error.code));
}

function clampMs(delayMs: number): number {
  return Math.round(Math.min(Math.max(0, finite(delayMs, MAX_RETRY_DELAY_MS)), MAX_RETRY_DELAY_MS));
}

function seconds(value: number): number {
  return Math.max(0, finite(value, MAX_RETRY_DELAY_MS / 1000));
}

/** NaN becomes 0, infinity `largest`. */
function finite(value: number, largest: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.min(value, largest);
}

function withoutUndefined(partial: Partial<RetryPolicy>): Partial<RetryPolicy> {
  return Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
}
