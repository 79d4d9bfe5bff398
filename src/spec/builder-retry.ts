import type { RetryPolicy } from '../base/model.js';
import { compact } from './compact.js';

/** How often and when a failed attempt is tried again; see RetryPolicy. */
export interface RetryOptions {
  /** Attempts in all, the first included. */
  maxAttempts?: number;
  delaySeconds?: number;
  /** false: never retry. */
  onFailure?: boolean;
  /** true: the delay doubles with every attempt. */
  exponentialBackoff?: boolean;
  maxDelaySeconds?: number;
  jitter?: 'none' | 'full';
  /** Error names or codes that are never retried. */
  nonRetryable?: readonly string[];
}

export function retryPolicy(retry: RetryOptions): Partial<RetryPolicy> {
  return compact({
    max_attempts: retry.maxAttempts,
    retry_delay_seconds: retry.delaySeconds,
    retry_on_failure: retry.onFailure,
    exponential_backoff: retry.exponentialBackoff,
    max_delay_seconds: retry.maxDelaySeconds,
    jitter: retry.jitter,
    non_retryable: retry.nonRetryable,
  });
}
