import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import { isValidId, newId } from '../base/ids.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { EngineEvent } from '../engine/effects.js';
import { WORKFLOW } from '../engine/entries.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Pool } from '../pool/index.js';
import type { Workflow } from '../spec/index.js';
import type { ExecutionRecord, ExecutionStore, InboxKind, ListFilter, ListPage } from '../store/types.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { activate, restoreState } from '../supervisor/restore.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { Backlog, type Waiting } from './backlog.js';
import { contextText } from './context.js';
import { Deferred } from './deferred.js';
import { Definitions } from './definitions.js';
import { executionDocument, executionResult } from './document.js';
import { Followers } from './followers.js';
import { ExecutionHandle, type HandleHost } from './handle.js';
import { notFound, storedEvents } from './history.js';
import { InboxPoller } from './inbox-poller.js';
import type { Settings } from './options.js';
import { Ownership } from './ownership.js';
import { takeOverInterrupted, type Recovered } from './recovery.js';
import type { Execution, ExecutionDocument, ExecutionResult, Runtime, StartOptions } from './types.js';

const DEFAULT_DRAIN_MS = 30_000;
const NO_COUNTS = { completed: 0, failed: 0, skipped: 0, blocked: 0, cancelled: 0, running: 0 };

/** The runtime in this thread: composes store, pool and supervisor; owns the executions it runs. */
export class LocalRuntime implements Runtime, HandleHost {
  recovered: readonly Recovered[] = [];
  private readonly supervisor: Supervisor;
  private readonly ownership: Ownership;
  private readonly definitions: Definitions;
  private readonly backlog = new Backlog();
  private readonly followers = new Followers();
  private readonly poller: InboxPoller;
  private readonly results = new Map<string, Deferred<ExecutionResult>>();
  private readonly handles = new Map<string, WeakRef<ExecutionHandle>>();
  /** Executions being read from the store. */
  private activating = 0;
  private death: MaestroError | null = null;
  private closing: Promise<void> | null = null;

  constructor(
    private readonly store: ExecutionStore,
    private readonly pool: Pool,
    private readonly settings: Settings,
    workflows: readonly Workflow[],
    onEvent: ((event: ExecutionEvent) => void) | null,
  ) {
    const { clock, random, durability, concurrency, artifactRoot, graceMs } = settings;
    this.ownership = new Ownership(store, clock, random);
    this.definitions = new Definitions(workflows);
    this.supervisor = new Supervisor({
      store,
      pool,
      clock,
      durability,
      concurrency,
      artifactRoot,
      graceMs,
      onEvent,
      atRest: (execution) => this.settle(execution),
      published: (execution) => this.followers.notify(execution.id),
      died: (error, cause) => this.die(error, cause),
    });
    this.poller = new InboxPoller(store, this.supervisor.timers, clock, {
      isMine: (id) => this.isMine(id),
      isBusy: () => this.supervisor.active.size + this.backlog.size > 0,
      apply: (request, done) => this.applyRequest(request.executionId, request.kind, request.reason, [done]),
    });
  }

  /** Takes over what dead processes left behind. */
  async recoverInterrupted(): Promise<void> {
    const { taken, recovered } = await takeOverInterrupted(
      this.store,
      this.ownership,
      this.definitions,
      this.settings.clock,
    );
    this.recovered = recovered;
    for (const { executionId, workflowId } of taken) {
      this.settings.logger.info(
        { execution_id: executionId, workflow_id: workflowId },
        `Resuming workflow execution ${executionId}`,
      );
      this.backlog.push({ executionId, events: [], workflow: undefined });
    }
    for (const { executionId, error } of recovered) {
      if (error)
        this.settings.logger.warn({ execution_id: executionId, error }, 'execution cannot be resumed');
    }
    this.fill();
  }

  async start(
    workflow: Workflow,
    context: Record<string, unknown> = {},
    options: StartOptions = {},
  ): Promise<Execution> {
    this.assertOpen();
    const globalContext = contextText(workflow, context);
    const definition = this.definitions.of(workflow);
    const record = this.newRecord(workflow, options);
    await this.ownership.announce();
    let ops = this.store.create(record, workflow.spec, globalContext);
    if (options.executionId !== undefined) {
      await this.store.commitNew(record, ops);
      ops = [];
    }
    const handle = this.handleOf(record);
    const waiting: Waiting = { executionId: record.executionId, events: [], workflow };
    if (this.hasRoom) {
      const { random } = this.settings;
      const execution = activate({
        definition,
        record,
        globalContext,
        random,
        ownerId: this.ownership.self.ownerId,
      });
      this.poller.start();
      await this.supervisor.adopt(execution, { recover: false, events: [{ type: 'startRequested' }], ops });
    } else {
      if (ops.length > 0) await this.supervisor.commit(ops);
      this.enqueue(waiting);
    }
    return handle;
  }

  async resume(executionId: string, options: { workflow?: Workflow } = {}): Promise<Execution> {
    this.assertOpen();
    const active = this.supervisor.active.get(executionId);
    if (active !== undefined) await this.supervisor.request(active, { type: 'resumeRequested' });
    if (active !== undefined || this.backlog.has(executionId))
      return this.handleOf(active?.record ?? (await this.record(executionId)));
    const record = await this.record(executionId);
    if (isWorkflowStatusEnded(record.status)) {
      const next =
        record.status === 'completed'
          ? undefined
          : `\`maestro retry ${executionId}\` runs what failed again.`;
      throw new MaestroError(
        'EXECUTION_STATE',
        `execution ${executionId} is ${record.status}: there is nothing to resume`,
        { next },
      );
    }
    return this.continueStored(
      record,
      record.status === 'paused' ? [{ type: 'resumeRequested' }] : [],
      options.workflow,
    );
  }

  async retry(executionId: string, options: { workflow?: Workflow } = {}): Promise<Execution> {
    this.assertOpen();
    const record = await this.record(executionId);
    if (record.status !== 'failed' && record.status !== 'cancelled') {
      throw new MaestroError(
        'EXECUTION_STATE',
        `execution ${executionId} is ${record.status}: only failed and cancelled ones can be retried`,
      );
    }
    return this.continueStored(record, [{ type: 'retryRequested' }], options.workflow);
  }

  pause(executionId: string): Promise<void> {
    return this.request(executionId, 'pause');
  }

  cancel(executionId: string, reason?: string): Promise<void> {
    return this.request(executionId, 'cancel', reason);
  }

  async get(executionId: string): Promise<ExecutionDocument | undefined> {
    const stored = await this.store.load(executionId);
    if (stored === undefined) return undefined;
    const active = this.supervisor.active.get(executionId);
    const definition = this.definitions.plain(stored.record, stored.spec);
    // Under `exit` the store learns of an execution only when it comes to rest.
    const live = this.settings.durability === 'exit' ? active : undefined;
    const state = live?.engine.state ?? (await restoreState(this.store, stored, definition.plan)).state;
    return executionDocument({
      record: stored.record,
      definition,
      state,
      globalContext: stored.globalContext,
      interrupted: await this.isInterrupted(stored.record),
      outputText: async (node) => this.outputText(executionId, state, node, live),
    });
  }

  list(filter?: ListFilter): Promise<ListPage> {
    return this.store.list(filter);
  }

  events(executionId: string): AsyncIterable<ExecutionEvent> {
    return storedEvents(this.store, executionId);
  }

  close(options: { drainMs?: number } = {}): Promise<void> {
    return (this.closing ??= this.shutDown(options.drainMs ?? DEFAULT_DRAIN_MS));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What handles ask.

  active(executionId: string): ActiveExecution | undefined {
    return this.supervisor.active.get(executionId);
  }

  follow(executionId: string): AsyncIterable<ExecutionEvent> {
    const more = this.followers.follow(executionId, () => this.results.has(executionId));
    return storedEvents(this.store, executionId, more);
  }

  steer(executionId: string, node: number, event: NodeEvent | WorkflowEvent): void {
    const active = this.supervisor.active.get(executionId);
    if (active === undefined) throw notInMemory(executionId);
    void this.supervisor.request(active, userEvent(node, event)).catch(() => {});
  }

  private get hasRoom(): boolean {
    return this.supervisor.active.size + this.activating < this.settings.maxActiveExecutions;
  }

  private isMine(executionId: string): boolean {
    return this.supervisor.active.has(executionId) || this.backlog.has(executionId);
  }

  private assertOpen(): void {
    if (this.death !== null) throw this.death;
    if (this.closing !== null) throw new MaestroError('RUNTIME_CLOSED', 'this runtime is closed');
  }

  private async record(executionId: string): Promise<ExecutionRecord> {
    const record = await this.store.getRecord(executionId);
    if (record === undefined) throw notFound(executionId);
    return record;
  }

  private newRecord(workflow: Workflow, options: StartOptions): ExecutionRecord {
    const { clock, random, mode, durability, retries } = this.settings;
    const executionId = options.executionId ?? newId(clock, random);
    if (!isValidId(executionId)) {
      throw new MaestroError('CONTEXT_INVALID', `"${executionId}" cannot be an execution id`, {
        next: 'Use up to 255 letters, digits and . _ : @ + -, beginning with a letter, a digit or _.',
      });
    }
    const nowMs = clock.nowMs();
    const { concurrency } = options;
    return {
      executionId,
      workflowId: workflow.spec.workflow.id,
      workflowName: workflow.spec.workflow.name,
      definitionHash: workflow.definitionHash,
      baseDir: workflow.baseDir,
      mode: options.mode ?? mode,
      durability,
      nodeCount: workflow.spec.nodes.length,
      status: 'pending',
      ownerId: this.ownership.self.ownerId,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      startedAtMs: null,
      endedAtMs: null,
      error: null,
      counts: NO_COUNTS,
      options: { retries: options.retries ?? retries, ...(concurrency === undefined ? {} : { concurrency }) },
    };
  }

  private handleOf({ executionId, workflowId }: ExecutionRecord): ExecutionHandle {
    const known = this.handles.get(executionId)?.deref();
    if (known !== undefined && this.results.has(executionId)) return known;
    let deferred = this.results.get(executionId);
    if (deferred === undefined) this.results.set(executionId, (deferred = new Deferred()));
    const handle = new ExecutionHandle(executionId, workflowId, deferred.promise, this);
    this.handles.set(executionId, new WeakRef(handle));
    return handle;
  }

  /** Takes an execution that nobody runs over, and goes on with it. What cannot run is refused before. */
  private async continueStored(
    record: ExecutionRecord,
    events: readonly EngineEvent[],
    workflow?: Workflow,
  ): Promise<Execution> {
    const { executionId } = record;
    await this.assertUnowned(record);
    const spec = await this.store.getDefinition(record.definitionHash);
    if (spec !== undefined) this.definitions.forStored(record, spec, workflow);
    await this.takeOver(record);
    const handle = this.handleOf(record);
    const waiting: Waiting = { executionId, events, workflow };
    if (this.hasRoom) await this.bring(waiting);
    else this.enqueue(waiting);
    return handle;
  }

  private async assertUnowned(record: ExecutionRecord): Promise<void> {
    const holder = await this.ownership.holder(record.ownerId);
    if (holder === undefined) return;
    throw new MaestroError(
      'EXECUTION_OWNED',
      `execution ${record.executionId} is run by process ${holder.pid}`,
      {
        details: { pid: holder.pid, hostname: holder.hostname },
      },
    );
  }

  private async takeOver(record: ExecutionRecord): Promise<void> {
    await this.ownership.announce();
    const { clock } = this.settings;
    await this.store.takeOver(record, {
      ...record,
      ownerId: this.ownership.self.ownerId,
      updatedAtMs: clock.nowMs(),
    });
  }

  /** Pauses or cancels wherever the execution is: here, in another process, or nowhere. */
  private async request(executionId: string, kind: 'pause' | 'cancel', reason?: string): Promise<void> {
    this.assertOpen();
    if (this.isMine(executionId)) return this.applyRequest(executionId, kind, reason, []);
    const record = await this.record(executionId);
    if (isWorkflowStatusEnded(record.status) || (kind === 'pause' && record.status === 'paused')) {
      throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is already ${record.status}`);
    }
    const { clock, random } = this.settings;
    if ((await this.ownership.holder(record.ownerId)) !== undefined) {
      const request = {
        requestId: newId(clock, random),
        executionId,
        kind,
        reason,
        createdAtMs: clock.nowMs(),
      };
      return this.store.commit([this.store.putRequest(request)]);
    }
    await this.takeOver(record);
    await this.bring({ executionId, events: [engineRequest(kind, reason)], workflow: undefined }, true);
  }

  private async applyRequest(
    executionId: string,
    kind: InboxKind,
    reason: string | undefined,
    ops: Parameters<Supervisor['commit']>[0],
  ): Promise<void> {
    const event = engineRequest(kind, reason);
    const active = this.supervisor.active.get(executionId);
    if (active !== undefined) return this.supervisor.request(active, event, ops);
    const waiting = this.backlog.remove(executionId);
    if (waiting !== undefined) await this.bring({ ...waiting, events: [...waiting.events, event] });
    await this.supervisor.commit(ops);
  }

  private enqueue(waiting: Waiting): void {
    this.backlog.push(waiting);
    this.fill();
  }

  /** Brings executions into memory while there is room. */
  private fill(): void {
    this.poller.start();
    while (this.hasRoom && this.closing === null && this.death === null) {
      const waiting = this.backlog.shift();
      if (waiting === undefined) return;
      this.activating++;
      this.bring(waiting)
        .catch((error: unknown) => {
          this.settings.logger.error(
            { execution_id: waiting.executionId, error },
            'execution cannot be continued',
          );
          this.finish(waiting.executionId, (deferred) => deferred.reject(error));
        })
        .finally(() => {
          this.activating--;
          this.fill();
        });
    }
  }

  /** @param anyway also when its functions are not known here: it will not run */
  private async bring(waiting: Waiting, anyway = false): Promise<void> {
    const stored = await this.store.load(waiting.executionId);
    if (stored === undefined) throw notFound(waiting.executionId);
    const { record, spec, globalContext } = stored;
    const definition = anyway
      ? this.definitions.plain(record, spec)
      : this.definitions.forStored(record, spec, waiting.workflow);
    const restored = await restoreState(this.store, stored, definition.plan);
    const { random } = this.settings;
    const { ownerId } = this.ownership.self;
    const execution = activate({ definition, record, globalContext, random, ownerId }, restored);
    const first: EngineEvent[] = record.status === 'pending' ? [{ type: 'startRequested' }] : [];
    this.poller.start();
    this.handleOf(record);
    await this.supervisor.adopt(execution, {
      recover: record.status !== 'pending',
      events: [...first, ...waiting.events],
    });
  }

  private settle(execution: ActiveExecution): void {
    const { record, definition, engine } = execution;
    this.handles.get(record.executionId)?.deref()?.keep(execution);
    this.finish(record.executionId, (deferred) =>
      deferred.resolve(executionResult(record, definition, engine.state)),
    );
    this.fill();
  }

  private finish(executionId: string, end: (deferred: Deferred<ExecutionResult>) => void): void {
    const deferred = this.results.get(executionId);
    this.results.delete(executionId);
    this.handles.delete(executionId);
    if (deferred !== undefined) end(deferred);
    this.followers.notify(executionId);
  }

  private async isInterrupted({ status, ownerId, executionId }: ExecutionRecord): Promise<boolean> {
    if (status !== 'running' && status !== 'pending') return false;
    return !this.isMine(executionId) && (await this.ownership.holder(ownerId)) === undefined;
  }

  private async outputText(
    executionId: string,
    state: ActiveExecution['engine']['state'],
    node: number,
    live: ActiveExecution | undefined,
  ): Promise<string> {
    const output = state.columns.output[node];
    if (typeof output === 'string') return output;
    const run = state.columns.run[node];
    const text =
      live?.unsavedOutputs.get(`${node}/${run}`) ?? (await this.store.getOutput(executionId, node, run));
    return text ?? 'null';
  }

  private die(error: ErrorDocument, cause: unknown): void {
    this.settings.logger.error({ error }, 'the runtime stopped: nothing more is acknowledged');
    this.death =
      cause instanceof MaestroError
        ? cause
        : new MaestroError('RUNTIME_DIED', `the runtime stopped: ${error.message}`, { cause });
    this.ownership.retire();
    this.poller.stop();
    for (const id of [...this.results.keys()]) this.finish(id, (deferred) => deferred.reject(this.death));
    void this.pool.close(0);
  }

  private async shutDown(drainMs: number): Promise<void> {
    this.poller.stop();
    if (this.death === null) {
      const { clock, graceMs } = this.settings;
      let stop = (): void => {};
      const late = new Promise<void>((resolve) => (stop = clock.setTimer(drainMs, resolve)));
      await Promise.race([this.supervisor.drain(), late]);
      stop();
      await this.pool.close(graceMs);
      await this.leaveToOthers().catch(() => {});
    }
    const closed = new MaestroError(
      'RUNTIME_CLOSED',
      'the runtime was closed before the execution ended; it can be resumed',
    );
    this.supervisor.stop(closed);
    for (const id of [...this.results.keys()]) this.finish(id, (deferred) => deferred.reject(closed));
    await this.store.close().catch(() => {});
  }

  /** What has not ended is nobody's from now on: the next runtime on this store takes it over at once. */
  private async leaveToOthers(): Promise<void> {
    await this.supervisor.suspend();
    for (let waiting = this.backlog.shift(); waiting !== undefined; waiting = this.backlog.shift()) {
      const record = await this.store.getRecord(waiting.executionId);
      if (record !== undefined)
        await this.supervisor.commit(this.store.update(record, { ...record, ownerId: null }));
    }
    await this.ownership.resign();
  }
}

function engineRequest(kind: InboxKind, reason: string | undefined): EngineEvent {
  return kind === 'cancel' ? { type: 'cancelRequested', reason } : { type: `${kind}Requested` };
}

/** What users may send through an actor reference: requests, never facts. */
function userEvent(node: number, event: NodeEvent | WorkflowEvent): EngineEvent {
  if (node !== WORKFLOW && event.type === 'cancelRequested') return { type: 'nodeCancelRequested', node };
  if (
    node === WORKFLOW &&
    (event.type === 'pauseRequested' || event.type === 'resumeRequested' || event.type === 'cancelRequested')
  ) {
    return event;
  }
  throw new MaestroError('USAGE', `${event.type} cannot be sent by users`, {
    next: 'Send cancelRequested to nodes; pauseRequested, resumeRequested or cancelRequested to workflows.',
  });
}

function notInMemory(executionId: string): MaestroError {
  return new MaestroError('EXECUTION_STATE', `execution ${executionId} is not running here`);
}
