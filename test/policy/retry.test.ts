import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetryPolicy } from '../../src/base/model.js';
import {
  DEFAULT_RETRY_POLICY,
  MAX_RETRY_DELAY_MS,
  nextRetryDelayMs,
  normalizeRetryPolicy,
} from '../../src/policy/retry.js';

const error = { name: 'Error', message: 'no' };
const random = () => 0.5;

describe('normalizeRetryPolicy', () => {
  it('is one attempt when nothing is given', () => {
    expect(normalizeRetryPolicy(undefined)).toEqual(DEFAULT_RETRY_POLICY);
    expect(nextRetryDelayMs(normalizeRetryPolicy(undefined), 1, error, random)).toBeNull();
    expect(nextRetryDelayMs(normalizeRetryPolicy({}), 1, error, random)).toBeNull();
  });

  it('retries when only max_attempts is given', () => {
    const policy = normalizeRetryPolicy({ max_attempts: 3 });
    expect([1, 2, 3].map((made) => nextRetryDelayMs(policy, made, error, random))).toEqual([
      1000,
      1000,
      null,
    ]);
  });

  it('takes undefined for left out, and brings numbers into range', () => {
    expect(normalizeRetryPolicy({ max_attempts: undefined, jitter: undefined })).toEqual(
      DEFAULT_RETRY_POLICY,
    );
    expect(normalizeRetryPolicy({ max_attempts: 2.9 }).max_attempts).toBe(2);
    for (const max_attempts of [0, -5, Number.NaN, Number.NEGATIVE_INFINITY])
      expect(normalizeRetryPolicy({ max_attempts }).max_attempts).toBe(1);
    expect(normalizeRetryPolicy({ max_attempts: Number.POSITIVE_INFINITY }).max_attempts).toBe(2 ** 53 - 1);
    expect(normalizeRetryPolicy({ retry_delay_seconds: -1 }).retry_delay_seconds).toBe(0);
    expect(normalizeRetryPolicy({ max_delay_seconds: Number.NaN }).max_delay_seconds).toBe(0);
    expect(normalizeRetryPolicy({ retry_delay_seconds: 0.25 }).retry_delay_seconds).toBe(0.25);
  });
});

describe('nextRetryDelayMs', () => {
  const delays = (partial: Partial<RetryPolicy>, attempts: number, draw = random) =>
    Array.from({ length: attempts }, (_, index) =>
      nextRetryDelayMs(normalizeRetryPolicy(partial), index + 1, error, draw),
    );

  it('doubles, up to the cap', () => {
    const policy = {
      max_attempts: 9,
      retry_delay_seconds: 0.5,
      exponential_backoff: true,
      max_delay_seconds: 3,
    };
    expect(delays(policy, 6)).toEqual([500, 1000, 2000, 3000, 3000, 3000]);
  });

  it('takes a share of the delay under full jitter', () => {
    const policy = { max_attempts: 9, retry_delay_seconds: 2, jitter: 'full' } as const;
    expect([0, 0.25, 0.999_99].map((share) => delays(policy, 1, () => share)[0])).toEqual([0, 500, 2000]);
  });

  it('gives up when told to, and on errors listed by name or code, but not on their causes', () => {
    const policy = normalizeRetryPolicy({ max_attempts: 5, non_retryable: ['TypeError', 'E_FATAL'] });
    const next = (document: object) => nextRetryDelayMs(policy, 1, { ...error, ...document }, random);
    expect(next({})).toBe(1000);
    expect(next({ name: 'TypeError' })).toBeNull();
    expect(next({ code: 'E_FATAL' })).toBeNull();
    expect(next({ message: 'TypeError' })).toBe(1000);
    expect(next({ details: { non_retryable: true } })).toBeNull();
    expect(next({ details: { non_retryable: 'true' } })).toBe(1000);
    expect(next({ cause: { name: 'TypeError', message: 'inner' } })).toBe(1000);
    expect(delays({ max_attempts: 5, retry_on_failure: false }, 2)).toEqual([null, null]);
  });

  it('waits as long as the error says, up to the longest delay, and whatever the jitter', () => {
    const next = (retry_after_seconds: unknown, policy: Partial<RetryPolicy> = {}) =>
      nextRetryDelayMs(
        normalizeRetryPolicy({ max_attempts: 3, exponential_backoff: true, ...policy }),
        2,
        { ...error, details: { retry_after_seconds } },
        () => 0.5,
      );
    expect(next(7)).toBe(7000);
    expect(next(0)).toBe(0);
    expect(next(7, { max_delay_seconds: 5 })).toBe(5000);
    expect(next(7, { jitter: 'full' })).toBe(7000);
    expect(next('7')).toBe(2000);
    expect(next(Infinity)).toBe(MAX_RETRY_DELAY_MS);
    expect(next(7, { max_attempts: 2 })).toBe(null);
  });

  it('is null or a whole number within bounds, whatever the policy', () => {
    const number = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.constantFrom(0, -0, Infinity, -Infinity, NaN, 1e308),
    );
    const policies = fc.record({
      max_attempts: number,
      retry_delay_seconds: number,
      exponential_backoff: fc.boolean(),
      max_delay_seconds: fc.option(number, { nil: undefined }),
      jitter: fc.constantFrom('none' as const, 'full' as const),
    });
    const shares = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(policies, fc.integer({ min: -2, max: 5000 }), shares, (partial, made, share) => {
        const delay = nextRetryDelayMs(normalizeRetryPolicy(partial), made, error, () => share);
        if (delay === null) return;
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(MAX_RETRY_DELAY_MS);
        if (partial.max_delay_seconds !== undefined && partial.max_delay_seconds >= 0)
          expect(delay).toBeLessThanOrEqual(Math.max(0, Math.round(partial.max_delay_seconds * 1000)));
      }),
      { numRuns: 500 },
    );
  });

  it('never shrinks from one attempt to the next, without jitter', () => {
    const seconds = fc.double({ min: 0, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(seconds, seconds, fc.integer({ min: 1, max: 2000 }), (retry_delay_seconds, cap, made) => {
        const partial = {
          max_attempts: 5000,
          retry_delay_seconds,
          exponential_backoff: true,
          max_delay_seconds: cap,
        };
        const policy = normalizeRetryPolicy(partial);
        const [now, next] = [made, made + 1].map((count) => nextRetryDelayMs(policy, count, error, random)!);
        expect(next).toBeGreaterThanOrEqual(now);
      }),
    );
  });
});
