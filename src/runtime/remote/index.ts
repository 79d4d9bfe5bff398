import { MessageChannel, Worker } from 'node:worker_threads';
import { wrap, type Remote } from 'comlink';
import { MaestroError, type ErrorDocument } from '../../base/errors.js';
import type { WorkflowStatus } from '../../base/model.js';
import type { ExecutionEvent } from '../../observe/events.js';
import type { RuntimeMetrics } from '../../observe/metrics.js';
import type { Workflow, WorkflowSpec } from '../../spec/index.js';
import type { ListFilter, ListPage } from '../../store/types.js';
import type {
  ArtifactDocument,
  ArtifactFilter,
  Cache,
  CancelOptions,
  CloseOptions,
  CollectOptions,
  CollectReport,
  DeleteOptions,
  EventsOptions,
  Execution,
  ExecutionDocument,
  ExecutionResult,
  LogFilter,
  LogPage,
  MarkStaleOptions,
  MigrateOptions,
  MigrationDocument,
  QueueSettings,
  ReplayDocument,
  ReviewFilter,
  ReviewInput,
  ReviewPage,
  Runtime,
  Schedules,
  SignalOptions,
  StartOptions,
  WatchOptions,
} from '../types.js';
import {
  uncarry,
  type Outcome,
  type RemoteEvents,
  type RemoteHost,
  type RemoteForkOptions,
  type RemoteRerunOptions,
  type RemoteRuntimeOptions,
  type RemoteStarted,
  type RemoteWorkflow,
} from './protocol.js';

export type { RemoteRuntimeOptions } from './protocol.js';

/** An execution in the runtime's thread. Actor references do not cross: use events and `get`. */
export type RemoteExecution = Pick<Execution, 'id' | 'workflowId' | 'result' | 'events'>;

/** A runtime in a thread of its own: the same operations, for workflows without inline functions. */
export interface RemoteRuntime extends Omit<Runtime, 'start' | 'resume' | 'retry' | 'rerun' | 'fork'> {
  start(
    workflow: Workflow,
    context?: Record<string, unknown>,
    options?: StartOptions,
  ): Promise<RemoteExecution>;
  resume(executionId: string): Promise<RemoteExecution>;
  retry(executionId: string): Promise<RemoteExecution>;
  rerun(
    executionId: string,
    nodeId: string,
    options?: RemoteRerunOptions,
  ): Promise<RemoteExecution | undefined>;
  fork(executionId: string, options: RemoteForkOptions): Promise<RemoteExecution>;
}

/**
 * Starts a runtime in its own worker thread, so that the application's event loop stays free: scheduling, commits
 * and encoding happen there. When that thread dies every pending call rejects with RUNTIME_DIED.
 * @throws like createRuntime
 */
export async function createRemoteRuntime(
  options: RemoteRuntimeOptions & { onEvent?: (event: ExecutionEvent) => void } = {},
): Promise<RemoteRuntime> {
  const { onEvent, ...rest } = options;
  const crossing = new Crossing(onEvent);
  try {
    const recovered = await crossing.call((host) => host.open(rest));
    return new RemoteRuntimeClient(crossing, recovered);
  } catch (error) {
    await crossing.end();
    throw error;
  }
}

/** The worker, the calls that wait for it, and what happens to them when it dies. */
class Crossing {
  private readonly worker: Worker;
  private readonly host: Remote<RemoteHost>;
  private readonly pending = new Set<(error: MaestroError) => void>();
  private death: MaestroError | null = null;

  constructor(onEvent: ((event: ExecutionEvent) => void) | undefined) {
    const calls = new MessageChannel();
    const events = new MessageChannel();
    this.worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { calls: calls.port2, events: events.port2 },
      transferList: [calls.port2, events.port2],
    });
    // Node's ports are EventTargets, which is all that comlink needs of an endpoint.
    this.host = wrap<RemoteHost>(calls.port1);
    events.port1.on('message', (batch: ExecutionEvent[]) => {
      for (const event of batch) onEvent?.(event);
    });
    events.port1.unref();
    calls.port1.unref();
    this.worker.on('error', (cause) => this.die(cause));
    this.worker.on('exit', (code) => this.die(new Error(`the thread ended with code ${code}`)));
  }

  /** comlink never settles a call whose other side is gone (comlink#601): the thread's end does it here. */
  async call<T>(work: (host: Remote<RemoteHost>) => Promise<Outcome<T>>): Promise<T> {
    if (this.death !== null) throw this.death;
    let reject!: (error: MaestroError) => void;
    const died = new Promise<never>((_, fail) => (reject = fail));
    this.pending.add(reject);
    try {
      const outcome = await Promise.race([work(this.host), died]);
      if (outcome.ok) return outcome.value;
      throw uncarry(outcome.error);
    } finally {
      this.pending.delete(reject);
    }
  }

  async end(): Promise<void> {
    this.death ??= new MaestroError('RUNTIME_CLOSED', 'this runtime is closed');
    await this.worker.terminate();
  }

  /** What ended it, unless it was closed. */
  get failure(): MaestroError | undefined {
    return this.death?.code === 'RUNTIME_DIED' ? this.death : undefined;
  }

  private die(cause: unknown): void {
    this.death ??= new MaestroError('RUNTIME_DIED', `the runtime's thread died: ${String(cause)}`, { cause });
    for (const reject of this.pending) reject(this.death);
    this.pending.clear();
  }
}

class RemoteRuntimeClient implements RemoteRuntime {
  private closing: Promise<void> | null = null;

  constructor(
    private readonly crossing: Crossing,
    readonly recovered: readonly { executionId: string; error?: ErrorDocument }[],
  ) {}

  async start(
    workflow: Workflow,
    context: Record<string, unknown> = {},
    options: StartOptions = {},
  ): Promise<RemoteExecution> {
    const remote = remoteWorkflow(workflow);
    return this.execution(await this.crossing.call((host) => host.start(remote, context, options)));
  }

  readonly schedules: Schedules = {
    add: async (workflow, options) => {
      const remote = remoteWorkflow(workflow);
      return this.crossing.call((host) => host.addSchedule(remote, options));
    },
    list: (options) => this.crossing.call((host) => host.listSchedules(options)),
    pause: (id) => this.crossing.call((host) => host.pauseSchedule(id)),
    resume: (id) => this.crossing.call((host) => host.resumeSchedule(id)),
    remove: (id) => this.crossing.call((host) => host.removeSchedule(id)),
  };

  readonly queues: QueueSettings = {
    list: () => this.crossing.call((host) => host.listQueues()),
    set: (queue, limit) => this.crossing.call((host) => host.setQueue(queue, limit)),
    unset: (queue) => this.crossing.call((host) => host.unsetQueue(queue)),
  };

  readonly cache: Cache = {
    stat: () => this.crossing.call((host) => host.cacheStat()),
    clear: (options) => this.crossing.call((host) => host.clearCache(options)),
  };

  async resume(executionId: string): Promise<RemoteExecution> {
    return this.execution(await this.crossing.call((host) => host.resume(executionId)));
  }

  async retry(executionId: string): Promise<RemoteExecution> {
    return this.execution(await this.crossing.call((host) => host.retry(executionId)));
  }

  async rerun(
    executionId: string,
    nodeId: string,
    { cascade }: RemoteRerunOptions = {},
  ): Promise<RemoteExecution | undefined> {
    const started = await this.crossing.call((host) => host.rerun(executionId, nodeId, { cascade }));
    return started && this.execution(started);
  }

  async fork(
    executionId: string,
    { from, context, executionId: id }: RemoteForkOptions,
  ): Promise<RemoteExecution> {
    const options = { from, context, executionId: id };
    return this.execution(await this.crossing.call((host) => host.fork(executionId, options)));
  }

  async migrate(
    executionId: string,
    workflow: Workflow,
    options?: MigrateOptions,
  ): Promise<MigrationDocument> {
    const remote = remoteWorkflow(workflow);
    return this.crossing.call((host) => host.migrate(executionId, remote, options));
  }

  pause(executionId: string): Promise<void> {
    return this.crossing.call((host) => host.pause(executionId));
  }

  cancel(executionId: string, reason?: string, options?: CancelOptions): Promise<void> {
    return this.crossing.call((host) => host.cancel(executionId, reason, options));
  }

  signal(executionId: string, name: string, payload?: unknown, options: SignalOptions = {}): Promise<void> {
    return this.crossing.call((host) => host.signal(executionId, name, payload, options));
  }

  review(executionId: string, nodeId: string, review: ReviewInput): Promise<void> {
    return this.crossing.call((host) => host.review(executionId, nodeId, review));
  }

  reviews(filter?: ReviewFilter): Promise<ReviewPage> {
    return this.crossing.call((host) => host.reviews(filter));
  }

  get(executionId: string, options?: { items?: readonly string[] }): Promise<ExecutionDocument | undefined> {
    return this.crossing.call((host) => host.get(executionId, options));
  }

  definition(executionId: string): Promise<WorkflowSpec | undefined> {
    return this.crossing.call((host) => host.definition(executionId));
  }

  list(filter?: ListFilter): Promise<ListPage> {
    return this.crossing.call((host) => host.list(filter));
  }

  replay(executionId: string, at?: number | Date): Promise<ReplayDocument> {
    return this.crossing.call((host) => host.replay(executionId, at));
  }

  recover(): Promise<readonly { executionId: string; error?: ErrorDocument }[]> {
    return this.crossing.call((host) => host.recover());
  }

  /** What its thread died of. */
  get failure(): MaestroError | undefined {
    return this.crossing.failure;
  }

  metrics(): Promise<RuntimeMetrics> {
    return this.crossing.call((host) => host.metrics());
  }

  counts(): Promise<Record<WorkflowStatus, number>> {
    return this.crossing.call((host) => host.counts());
  }

  delete(executionId: string, options?: DeleteOptions): Promise<boolean> {
    return this.crossing.call((host) => host.delete(executionId, options));
  }

  collect(options: CollectOptions): Promise<CollectReport> {
    return this.crossing.call((host) => host.collect(options));
  }

  markStale(options: MarkStaleOptions): Promise<readonly string[]> {
    return this.crossing.call((host) => host.markStale(options));
  }

  artifacts(executionId: string, filter?: ArtifactFilter): Promise<ArtifactDocument[]> {
    return this.crossing.call((host) => host.artifacts(executionId, filter));
  }

  logs(executionId: string, filter?: LogFilter): Promise<LogPage> {
    return this.crossing.call((host) => host.logs(executionId, filter));
  }

  events(executionId: string, { signal, ...which }: EventsOptions = {}): AsyncIterable<ExecutionEvent> {
    return this.read({ of: 'execution', executionId, ...which }, signal);
  }

  watch(workflowId: string, { signal }: WatchOptions = {}): AsyncIterable<ExecutionEvent> {
    return this.read({ of: 'workflow', workflowId }, signal);
  }

  close(options: CloseOptions = {}): Promise<void> {
    return (this.closing ??= this.crossing
      .call((host) => host.close(options))
      .finally(() => this.crossing.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private execution({ id, workflowId }: RemoteStarted): RemoteExecution {
    const result: Promise<ExecutionResult> = this.crossing.call((host) => host.result(id));
    result.catch(() => {});
    return { id, workflowId, result, events: () => this.read({ of: 'handle', executionId: id }) };
  }

  private async *read(source: RemoteEvents, signal?: AbortSignal): AsyncGenerator<ExecutionEvent> {
    const cursor = await this.crossing.call((host) => host.openEvents(source));
    const close = (): Promise<void> => this.crossing.call((host) => host.closeEvents(cursor)).catch(() => {});
    const abort = (): void => void close();
    signal?.addEventListener('abort', abort);
    try {
      while (signal?.aborted !== true) {
        const events = await this.crossing.call((host) => host.nextEvents(cursor));
        if (events.length === 0) return;
        yield* events;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      await close();
    }
  }
}

/** A workflow as it crosses. @throws EXECUTOR_MISSING for one with functions */
function remoteWorkflow({ spec, baseDir, functions }: Workflow): RemoteWorkflow {
  if (functions.size === 0) return { spec, baseDir };
  throw new MaestroError(
    'EXECUTOR_MISSING',
    `inline functions cannot cross to another thread: ${[...functions.keys()].join(', ')}`,
    { next: 'Move them to a module and name it with `uses`.' },
  );
}
