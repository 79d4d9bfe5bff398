import type { StepContext, StepFunction } from '../base/step.js';

/** What a node does instead of its step: it gives a value, calls a function, or does as `failing` and the like say. */
export type Stub = StubPlan | ((context: StepContext) => unknown) | JsonValue;

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What one call comes to. */
export interface StubbedCall {
  /** Of simulated time, before the function is called. Infinity: it never ends by itself. */
  readonly delayMs: number;
  readonly fn: StepFunction;
}

/** A stub that is not a plain value or function; made by `failing`, `taking`, `inTurn` and `never`. */
export class StubPlan {
  /** @param callOf what a call comes to; calls of one node in one execution count from 1, retries included */
  constructor(readonly callOf: (call: number) => StubbedCall) {}
}

/** Fails the first `times` calls with this error, or text; then it is `then`. */
export function failing(times: number, error: Error | string, then: Stub = null): StubPlan {
  const thrown = typeof error === 'string' ? new Error(error) : error;
  const fail = (): never => {
    throw thrown;
  };
  return new StubPlan((call) => (call <= times ? { delayMs: 0, fn: fail } : stubbedCall(then, call - times)));
}

/** Takes so many seconds of simulated time; then it is `then`. */
export function taking(seconds: number, then: Stub = null): StubPlan {
  return new StubPlan((call) => {
    const { delayMs, fn } = stubbedCall(then, call);
    return { delayMs: delayMs + seconds * 1000, fn };
  });
}

/** A stub for each call; the last one for all that follow. */
export function inTurn(...stubs: readonly [Stub, ...Stub[]]): StubPlan {
  return new StubPlan((call) => stubbedCall(stubs[Math.min(call, stubs.length) - 1], call));
}

/** Never ends by itself: until it is cancelled, or its time is over. */
export function never(): StubPlan {
  return new StubPlan(() => ({ delayMs: Infinity, fn: () => null }));
}

export function stubbedCall(stub: Stub, call: number): StubbedCall {
  if (stub instanceof StubPlan) return stub.callOf(call);
  if (typeof stub === 'function') return { delayMs: 0, fn: stub };
  return { delayMs: 0, fn: () => structuredClone(stub) };
}
