import { MaestroError } from '../../../src/base/errors.js';
import type { Execution, ExecutionDocument, ExecutionResult, Runtime } from '../../../src/runtime/types.js';
import type { ExecutionRecord } from '../../../src/store/types.js';

/** A runtime that holds documents and remembers what it was asked; parts can be replaced. */
export function fakeRuntime(
  documents: readonly ExecutionDocument[],
  replace: Partial<Runtime> = {},
): Runtime & { readonly calls: string[] } {
  const calls: string[] = [];
  const runtime: Runtime & { readonly calls: string[] } = {
    calls,
    recovered: [],
    get: (id: string) => Promise.resolve(documents.find((document) => document.execution_id === id)),
    list: ({ limit = 100, after = '0' } = {}) => {
      const start = Number(after);
      const records = documents.slice(start, start + limit).map(recordOf);
      return Promise.resolve({
        records,
        ...(start + limit < documents.length ? { next: String(start + limit) } : {}),
      });
    },
    pause: (id: string) => (calls.push(`pause ${id}`), Promise.resolve()),
    cancel: (id: string) => (calls.push(`cancel ${id}`), Promise.resolve()),
    close: () => (calls.push('close'), Promise.resolve()),
    definition: () => Promise.resolve(undefined),
    start: unsupported,
    resume: unsupported,
    retry: unsupported,
    rerun: unsupported,
    fork: unsupported,
    migrate: unsupported,
    schedules: {
      add: unsupported,
      list: unsupported,
      pause: unsupported,
      resume: unsupported,
      remove: unsupported,
    },
    queues: { list: unsupported, set: unsupported, unset: unsupported },
    cache: { stat: unsupported, clear: unsupported },
    failure: undefined,
    recover: unsupported,
    replay: unsupported,
    logs: unsupported,
    artifacts: unsupported,
    metrics: unsupported,
    signal: unsupported,
    review: unsupported,
    reviews: unsupported,
    counts: unsupported,
    delete: unsupported,
    collect: unsupported,
    markStale: unsupported,
    async *events() {
      return;
    },
    watch: unsupported,
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...replace,
  };
  return runtime;
}

function unsupported(): never {
  throw new MaestroError('INVARIANT', 'not part of this test');
}

function recordOf(document: ExecutionDocument): ExecutionRecord {
  const { execution_id: executionId, status } = document;
  return { executionId, status, options: {} } as ExecutionRecord;
}

/** An execution whose end a test decides. */
export function fakeExecution(id: string): {
  execution: Execution;
  end: (result: Partial<ExecutionResult>) => void;
} {
  let settle: (result: ExecutionResult) => void = () => undefined;
  const result = new Promise<ExecutionResult>((resolve) => (settle = resolve));
  const execution = { id, workflowId: 'wf', result } as Partial<Execution> as Execution;
  return { execution, end: (partial) => settle(partial as ExecutionResult) };
}
