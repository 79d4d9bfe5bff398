import { mkdirSync } from 'node:fs';
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import type { StepContext, StepFunction } from '../base/step.js';
import type { FetchKind, StepCall } from './port.js';
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
    this.context = createContext(call, globalContext, host, () => this.#signal());
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

  #signal(): AbortSignal {
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

function createContext(
  call: StepCall,
  globalContext: string,
  host: StepHost,
  signal: () => AbortSignal,
): StepContext {
  const nodeConfig = parsedOnce(call.nodeConfig);
  const dependencyOutputs = parsedOnce(call.dependencyOutputs);
  const dependencyArtifacts = parsedOnce(call.dependencyArtifacts);
  const parsedGlobalContext = parsedOnce(globalContext);
  let folder: string | undefined;
  // Own enumerable getters: destructuring and spreading a context work, and a step that reads little pays little.
  return {
    workflowId: call.workflowId,
    executionId: call.executionId,
    nodeId: call.nodeId,
    nodeName: call.nodeName,
    get nodeConfig() {
      return nodeConfig();
    },
    get dependencyOutputs() {
      return dependencyOutputs();
    },
    get dependencyArtifacts() {
      return dependencyArtifacts() as Record<string, readonly string[]>;
    },
    get globalContext() {
      return parsedGlobalContext();
    },
    allOutputs: async () => JSON.parse(await host.fetch('allOutputs')) as Record<string, unknown>,
    allArtifacts: async () =>
      JSON.parse(await host.fetch('allArtifacts')) as Record<string, readonly string[]>,
    attempt: call.attempt,
    idempotencyKey: call.idempotencyKey,
    artifactDir() {
      if (folder === undefined) {
        mkdirSync(call.artifactDir, { recursive: true });
        folder = call.artifactDir;
      }
      return folder;
    },
    get signal() {
      return signal();
    },
    heartbeat: () => host.heartbeat(),
    progress: (fraction, message) => host.progress(toFraction(fraction), toMessage(message)),
  };
}

function parsedOnce(text: string): () => Record<string, unknown> {
  let value: Record<string, unknown> | undefined;
  return () => (value ??= JSON.parse(text) as Record<string, unknown>);
}

function toFraction(fraction: unknown): number {
  return typeof fraction === 'number' && fraction > 0 ? Math.min(fraction, 1) : 0;
}

function toMessage(message: unknown): string | undefined {
  return typeof message === 'string' ? message : undefined;
}
