import { mkdirSync } from 'node:fs';
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import type { StepContext, StepFunction } from '../base/step.js';
import { parsed } from './parsed.js';
import { artifactDirOf, idempotencyKeyOf, type FetchKind, type StepCall } from './port.js';
import { encodeError, encodeOutput, type StepResult } from './step-result.js';

/** What a running step can ask of the place it runs in. */
export interface StepHost {
  heartbeat(): void;
  progress(fraction: number, message: string | undefined): void;
  fetch(kind: FetchKind): Promise<string>;
}

/**
 * One step being run: its context, its signal, its result. Shared by the inline adapter and the workers, so that a
 * step cannot tell them apart. Everything costly (parsing, the AbortController, the folder) waits until it is asked for.
 */
export class RunningStep {
  readonly context: StepContext;
  #controller: AbortController | undefined;
  #reason: ErrorDocument | undefined;

  constructor(call: StepCall, globalContext: string, host: StepHost) {
    const lazy = new LazyContext(call, globalContext, host, this);
    this.context = new Proxy(lazy, AS_OWN) as unknown as StepContext;
  }

  /** Fires the step's signal. Whatever the step returns or throws from now on, `reason` is its result. */
  abort(reason: ErrorDocument): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(toAbortError(reason));
  }

  /** Runs the step to its end. Never throws or rejects; synchronous when the step is. */
  run(fn: StepFunction, maxOutputBytes: number): StepResult | Promise<StepResult> {
    try {
      const returned = fn(this.context as StepContext<never>);
      if (!isThenable(returned)) return this.#finish(encodeOutput(returned, maxOutputBytes));
      return Promise.resolve(returned).then(
        (value) => this.#finish(encodeOutput(value, maxOutputBytes)),
        (thrown: unknown) => this.#finish(encodeError(thrown)),
      );
    } catch (thrown) {
      return this.#finish(encodeError(thrown));
    }
  }

  #finish(result: StepResult): StepResult {
    return this.#reason === undefined ? result : { ok: false, error: this.#reason };
  }

  /** Made when it is first read. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(toAbortError(this.#reason));
    }
    return this.#controller.signal;
  }
}

function isThenable(value: unknown): boolean {
  if (typeof value !== 'object' && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

/** The `reason` a step reads from its signal. */
function toAbortError(reason: ErrorDocument): MaestroError {
  const known = reason.code !== undefined && Object.hasOwn(ERROR_CODES, reason.code);
  return new MaestroError(known ? (reason.code as ErrorCode) : 'STEP_CANCELLED', reason.message);
}

/** What a context has made when it is first read: parsing costs, and so do functions that most steps never call. */
const LAZY_FIELDS = [
  'nodeConfig',
  'dependencyOutputs',
  'dependencyArtifacts',
  'globalContext',
  'previousOutput',
  'item',
  'signal',
  'allOutputs',
  'allArtifacts',
  'artifactDir',
  'idempotencyKey',
  'heartbeat',
  'progress',
] as const satisfies readonly (keyof StepContext)[];
type LazyField = (typeof LAZY_FIELDS)[number];

/** Getters of the class, not of each object: accessors defined on every context cost more than a short step. */
class LazyContext {
  readonly workflowId: string;
  readonly executionId: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly attempt: number;
  readonly iteration: number;
  readonly index: number | undefined;
  readonly #call: StepCall;
  readonly #globalContext: string;
  readonly #host: StepHost;
  readonly #running: RunningStep;
  /** Apart from the others, because most steps read it, and many nothing else. */
  #nodeConfig: unknown;
  #made: Partial<Record<LazyField, unknown>> | undefined;

  constructor(call: StepCall, globalContext: string, host: StepHost, running: RunningStep) {
    this.#call = call;
    this.#globalContext = globalContext;
    this.#host = host;
    this.#running = running;
    this.workflowId = call.workflowId;
    this.executionId = call.executionId;
    this.nodeId = call.nodeId;
    this.nodeName = call.nodeName;
    this.attempt = call.attempt;
    this.iteration = call.repeat?.iteration ?? 1;
    this.index = call.index < 0 ? undefined : call.index;
  }

  /** Made once. Kept beside the object: to define a property costs more than a short step. */
  read(field: LazyField): unknown {
    if (field === 'nodeConfig') return (this.#nodeConfig ??= parsed(this.#call.nodeConfig));
    const made = (this.#made ??= {});
    return Object.hasOwn(made, field) ? made[field] : (made[field] = this.#make(field));
  }

  /** All fields as own properties. */
  makeAll(): void {
    for (const field of LAZY_FIELDS) {
      if (Object.hasOwn(this, field)) continue;
      Object.defineProperty(this, field, { value: this.read(field), enumerable: true, configurable: true });
    }
  }

  #make(field: Exclude<LazyField, 'nodeConfig'>): unknown {
    const host = this.#host;
    switch (field) {
      case 'dependencyOutputs':
      case 'dependencyArtifacts':
        return JSON.parse(this.#call[field]);
      case 'previousOutput':
        return this.#call.repeat === null ? null : JSON.parse(this.#call.repeat.previousOutput);
      case 'item':
        return this.#call.item === null ? undefined : JSON.parse(this.#call.item);
      case 'globalContext':
        return parsed(this.#globalContext);
      case 'signal':
        return this.#running.signal;
      case 'allOutputs':
      case 'allArtifacts':
        return async (): Promise<unknown> => JSON.parse(await host.fetch(field));
      case 'artifactDir':
        return (): string => folder(artifactDirOf(this.#call));
      case 'idempotencyKey':
        return idempotencyKeyOf(this.#call);
      case 'heartbeat':
        return () => host.heartbeat();
      case 'progress':
        return (fraction: unknown, message: unknown) =>
          host.progress(toFraction(fraction), toMessage(message));
    }
  }
}

for (const field of LAZY_FIELDS) {
  const get = function (this: LazyContext): unknown {
    return this.read(field);
  };
  Object.defineProperty(LazyContext.prototype, field, { get, configurable: true });
}

function folder(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

/** A step sees all fields as the object's own: a context can be spread, at the cost of making all of it. */
const AS_OWN: ProxyHandler<LazyContext> = {
  // Read from the object itself: its getters use private fields, which a proxy has not.
  get: (context, key) => (context as unknown as Record<PropertyKey, unknown>)[key],
  ownKeys: (context) => {
    context.makeAll();
    return Reflect.ownKeys(context);
  },
  getOwnPropertyDescriptor: (context, key) => {
    if (LAZY_FIELDS.includes(key as LazyField)) context.makeAll();
    return Reflect.getOwnPropertyDescriptor(context, key);
  },
};

function toFraction(fraction: unknown): number {
  return typeof fraction === 'number' && fraction > 0 ? Math.min(fraction, 1) : 0;
}

function toMessage(message: unknown): string | undefined {
  return typeof message === 'string' ? message : undefined;
}
