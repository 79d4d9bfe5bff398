import { describe, expect, it } from 'vitest';
import type { ErrorDocument } from '../../src/base/errors.js';
import type { RetryPolicy } from '../../src/base/model.js';
import { nextRetryDelayMs, normalizeRetryPolicy } from '../../src/policy/retry.js';
import { conformanceRows } from './conformance.js';

/** Durations in ms, as in the file. Which fields a row has depends on its kind. */
interface Row {
  id: string;
  kind: string;
  attempts_made: number;
  attempt: number;
  policy: {
    maximumAttempts?: number;
    initialInterval: number;
    maximumInterval?: number;
    backoffCoefficient?: number;
    limit: number;
    duration?: number;
    factor?: number | null;
    cap?: number | null;
  };
  base: number;
  cap: number;
  failure: Failure;
  nonRetryableErrorTypes: string[];
  expect: {
    delay_ms: number | null | Record<string, number>;
    delays_ms: number[];
    then?: string;
    state?: string;
    bounds_ms: Record<string, [number, number]>;
    mean_ms: Record<string, number>;
    after_failures: Record<string, string>;
    retries_before_done?: number;
    retryable: boolean;
    delay_ms_when_random_is_1: number;
  };
}

interface Failure {
  type?: string;
  timeout?: string;
  errorType?: string;
  nonRetryable?: boolean;
  nextRetryDelay?: number;
  cause?: Failure;
}

const UNLIMITED = Number.MAX_SAFE_INTEGER;
const failed: ErrorDocument = { name: 'Error', message: 'no' };

function fromTemporal({ policy }: Row): RetryPolicy {
  return normalizeRetryPolicy({
    // Temporal counts the first attempt, as we do; 0 means without limit.
    max_attempts: policy.maximumAttempts === 0 ? UNLIMITED : policy.maximumAttempts,
    retry_delay_seconds: policy.initialInterval / 1000,
    exponential_backoff: policy.backoffCoefficient === 2,
    // 0 means without limit.
    max_delay_seconds: policy.maximumInterval ? policy.maximumInterval / 1000 : undefined,
  });
}

function fromArgo({ policy }: Row): RetryPolicy {
  return normalizeRetryPolicy({
    // Argo counts retries.
    max_attempts: policy.limit + 1,
    retry_delay_seconds: (policy.duration ?? 0) / 1000,
    exponential_backoff: policy.factor === 2,
    max_delay_seconds: policy.cap ? policy.cap / 1000 : undefined,
  });
}

function fromAws({ base, cap }: Row, jitter: 'none' | 'full'): RetryPolicy {
  const seconds = { retry_delay_seconds: base / 1000, max_delay_seconds: cap / 1000 };
  return normalizeRetryPolicy({ max_attempts: UNLIMITED, exponential_backoff: true, jitter, ...seconds });
}

const next = (policy: RetryPolicy, attemptsMade: number, error = failed, share = 0.5) =>
  nextRetryDelayMs(policy, attemptsMade, error, () => share);

const CODES: Record<string, string> = { StartToClose: 'STEP_TIMEOUT', Heartbeat: 'STEP_HEARTBEAT' };

function documentOf({
  type,
  errorType,
  timeout,
  nonRetryable,
  nextRetryDelay,
  cause,
}: Failure): ErrorDocument {
  return {
    name: errorType ?? type ?? 'Error',
    message: 'no',
    code: timeout === undefined ? undefined : CODES[timeout],
    details: {
      ...(nonRetryable !== undefined && { non_retryable: nonRetryable }),
      ...(nextRetryDelay !== undefined && { retry_after_seconds: nextRetryDelay / 1000 }),
    },
    cause: cause && documentOf(cause),
  };
}

/** Why a row says nothing about our policy; undefined when it does. */
function whyNot({ kind, policy, failure, expect: { state, retries_before_done } }: Row): string | undefined {
  const coefficient = policy?.backoffCoefficient;
  const doubles = coefficient === undefined || coefficient === 1 || coefficient === 2;
  switch (kind) {
    case 'temporal.next':
      if (state === 'TIMEOUT') return 'a deadline over all attempts is not part of a policy here';
      return doubles ? undefined : 'backoff is × 2 here';
    case 'temporal.schedule':
      return doubles ? undefined : 'backoff is × 2 here';
    case 'temporal.retryable':
      if (failure.type === 'terminated' || failure.type === 'canceled')
        return 'cancelling is no failure here';
      return failure.timeout === 'ScheduleToStart' ? 'waiting for a worker has no timeout here' : undefined;
    case 'aws.exponential':
    case 'aws.full-jitter':
    case 'smithy.full-jitter':
      return undefined;
    case 'temporal-internal.jitter':
      return retries_before_done === undefined ? 'the jitter of 0.8 to 1 is not offered here' : undefined;
    case 'argo.backoff':
      return policy === undefined ? 'a limit over all attempts is not part of a policy here' : undefined;
    case 'aws.equal-jitter':
    case 'aws.decorrelated-jitter':
      return 'this jitter is not offered here';
    case 'argo.retry-policy':
      return 'infrastructure failures have their own budget here, apart from policies';
    case 'temporal.defaults':
      return 'our defaults are our own';
    case 'temporal.validate':
    case 'temporal-ts-sdk.validate':
      return 'specs are validated by their schema, in another room';
    default:
      throw new Error(`a kind of row that nobody has looked at: ${kind}`);
  }
}

function check(row: Row): void {
  const { expect: expected } = row;
  switch (row.kind) {
    case 'temporal.next':
      expect(next(fromTemporal(row), row.attempts_made, documentOf(row.failure ?? {}))).toBe(
        expected.delay_ms,
      );
      break;
    case 'temporal.schedule': {
      const count = expected.delays_ms.length;
      const made = Array.from({ length: count }, (_, index) => next(fromTemporal(row), index + 1));
      expect(made).toEqual(expected.delays_ms);
      if (expected.then === 'MAXIMUM_ATTEMPTS_REACHED') expect(next(fromTemporal(row), count + 1)).toBeNull();
      break;
    }
    case 'temporal.retryable': {
      const listed = row.nonRetryableErrorTypes.map(
        (type) => CODES[type.replace('TemporalTimeout:', '')] ?? type,
      );
      const policy = normalizeRetryPolicy({ max_attempts: 2, non_retryable: listed });
      expect(next(policy, 1, documentOf(row.failure)) !== null).toBe(expected.retryable);
      break;
    }
    case 'temporal-internal.jitter':
      expect(next(fromTemporal(row), expected.retries_before_done!)).not.toBeNull();
      expect(next(fromTemporal(row), expected.retries_before_done! + 1)).toBeNull();
      break;
    case 'aws.exponential':
      // Their n counts from 0 where ours counts attempts made.
      for (const [n, delay] of Object.entries(expected.delay_ms as Record<string, number>))
        expect(next(fromAws(row, 'none'), Number(n) + 1)).toBe(delay);
      break;
    case 'aws.full-jitter':
      for (const [n, [low, high]] of Object.entries(expected.bounds_ms)) {
        const at = (share: number) => next(fromAws(row, 'full'), Number(n) + 1, failed, share);
        expect([at(0), at(0.5), at(1)]).toEqual([low, expected.mean_ms[n], high]);
      }
      break;
    case 'smithy.full-jitter':
      expect(next(fromAws(row, 'full'), row.attempt + 1, failed, 1)).toBe(expected.delay_ms_when_random_is_1);
      break;
    case 'argo.backoff': {
      const ends = Object.entries(expected.after_failures ?? {});
      for (const [made, phase] of ends)
        expect(next(fromArgo(row), Number(made)) === null).toBe(phase === 'Failed');
      const delays = expected.delays_ms ?? [];
      expect(delays.map((_, index) => next(fromArgo(row), index + 1))).toEqual(delays);
      expect(ends.length + delays.length).toBeGreaterThan(0);
      break;
    }
    default:
      throw new Error(`not run: ${row.kind}`);
  }
}

const rows = conformanceRows<Row>('retry-cases.json');

describe.skipIf(rows === undefined)('retry policies of Temporal, AWS, Smithy and Argo', () => {
  const sorted = (rows ?? []).map((row) => ({ row, reason: whyNot(row) }));
  const applicable = sorted.filter(({ reason }) => reason === undefined);
  const others = sorted.filter(({ reason }) => reason !== undefined);

  it(`${applicable.length} rows apply, ${others.length} do not`, () => {
    expect(applicable.length + others.length).toBe(rows!.length);
    expect(applicable.length).toBeGreaterThanOrEqual(24);
  });

  it.each(applicable.map(({ row }) => row))('$id $kind', (row) => check(row));
  // A row that would fail is no reason to leave it out; these mean something we do not have.
  for (const { row, reason } of others) it.skip(`${row.id} ${row.kind}: ${reason}`, () => {});
});
