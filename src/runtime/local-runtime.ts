import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { atMost } from '../base/clock.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { EngineEvent } from '../engine/effects.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Pool } from '../pool/index.js';
import type { Workflow, WorkflowSpec } from '../spec/index.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionRecord, ExecutionStore, InboxKind, ListFilter, ListPage } from '../store/types.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { contextText } from './context.js';
import { Definitions } from './definitions.js';
import { Followers } from './followers.js';
import type { HandleHost } from './handle.js';
import { notFound, storedEvents } from './history.js';
import { InboxPoller } from './inbox-poller.js';
import type { Settings } from './options.js';
import { OneByOne } from './one-by-one.js';
import { Ownership } from './ownership.js';
import { readDocument } from './reader.js';
import { newRecord } from './records.js';
import { takeOverInterrupted, type Recovered } from './recovery.js';
import { engineRequest, userEvent } from './requests.js';
import { Residents } from './residents.js';
import { Results } from './results.js';
import type { CloseOptions, Execution, ExecutionDocument, Runtime, StartOptions } from './types.js';

const DEFAULT_DRAIN_MS = 30_000;

/** The runtime in this thread: composes store, pool and supervisor; owns the executions it runs. */
export class LocalRuntime implements Runtime, HandleHost {
  recovered: readonly Recovered[] = [];
  private readonly supervisor: Supervisor;
  private readonly ownership: Ownership;
  private readonly definitions: Definitions;
  private readonly residents: Residents;
  private readonly results = new Results(this);
  private readonly followers = new Followers();
  private readonly oneByOne = new OneByOne();
  private readonly poller: InboxPoller;
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
      printed: (output) => settings.logger.debug(output, 'a command wrote'),
      died: (error, cause) => this.die(error, cause),
    });
    this.residents = new Residents({
      store,
      supervisor: this.supervisor,
      definitions: this.definitions,
      ownership: this.ownership,
      settings,
      busy: () => this.poller.start(),
      failed: (executionId, error) => this.lose(executionId, error),
    });
    this.poller = new InboxPoller(store, this.supervisor.timers, clock, {
      isMine: (id) => this.residents.isHere(id),
      isBusy: () => this.residents.size > 0,
      apply: ({ executionId, kind, reason }, done) => this.apply(executionId, kind, reason, [done]),
    });
  }

  /** Takes over what dead processes left behind. */
  async recoverInterrupted(): Promise<void> {
    const { clock, logger } = this.settings;
    const { taken, recovered } = await takeOverInterrupted(
      this.store,
      this.ownership,
      this.definitions,
      clock,
    );
    this.recovered = recovered;
    for (const { executionId, error } of recovered) {
      if (error) logger.warn({ execution_id: executionId, error }, 'execution cannot be resumed');
    }
    for (const { executionId, workflowId } of taken) {
      logger.info(
        { execution_id: executionId, workflow_id: workflowId },
        `Resuming workflow execution ${executionId}`,
      );
      this.results.handle(executionId, workflowId);
      this.residents.enqueue({ executionId, events: [], workflow: undefined });
    }
  }

  async start(
    workflow: Workflow,
    context: Record<string, unknown> = {},
    options: StartOptions = {},
  ): Promise<Execution> {
    this.assertOpen();
    const globalContext = contextText(workflow, context);
    const record = newRecord(workflow, options, this.settings, this.ownership.self.ownerId);
    await this.ownership.announce();
    let ops = this.store.create(record, workflow.spec, globalContext);
    if (options.executionId !== undefined) {
      await this.store.commitNew(record, ops);
      ops = [];
    }
    const handle = this.results.handle(record.executionId, record.workflowId);
    await this.residents.begin(record, workflow, globalContext, ops);
    return handle;
  }

  resume(executionId: string, options: { workflow?: Workflow } = {}): Promise<Execution> {
    return this.oneByOne.run(executionId, () => this.resumeOnce(executionId, options));
  }

  private async resumeOnce(executionId: string, options: { workflow?: Workflow }): Promise<Execution> {
    this.assertOpen();
    const record = await this.record(executionId);
    if (this.residents.isHere(executionId)) {
      const handle = this.results.handle(executionId, record.workflowId);
      const isUnderWay = this.residents.isWaiting(executionId);
      if (isUnderWay || (await this.apply(executionId, 'resume', undefined, []))) return handle;
      return this.resumeOnce(executionId, options);
    }
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
    const events: EngineEvent[] = record.status === 'paused' ? [{ type: 'resumeRequested' }] : [];
    return this.continueStored(record, events, options.workflow);
  }

  retry(executionId: string, options: { workflow?: Workflow } = {}): Promise<Execution> {
    return this.oneByOne.run(executionId, () => this.retryOnce(executionId, options));
  }

  private async retryOnce(executionId: string, options: { workflow?: Workflow }): Promise<Execution> {
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
    return this.oneByOne.run(executionId, () => this.request(executionId, 'pause'));
  }

  cancel(executionId: string, reason?: string): Promise<void> {
    return this.oneByOne.run(executionId, () => this.request(executionId, 'cancel', reason));
  }

  get(executionId: string): Promise<ExecutionDocument | undefined> {
    const live = this.settings.durability === 'exit' ? this.active(executionId) : undefined;
    return readDocument(this.store, this.definitions, executionId, live, (record) =>
      this.isInterrupted(record),
    );
  }

  async definition(executionId: string): Promise<WorkflowSpec | undefined> {
    const record = await this.store.getRecord(executionId);
    return record && this.store.getDefinition(record.definitionHash);
  }

  list(filter?: ListFilter): Promise<ListPage> {
    return this.store.list(filter);
  }

  events(executionId: string): AsyncIterable<ExecutionEvent> {
    return storedEvents(this.store, this.definitions, executionId);
  }

  close({ drainMs = DEFAULT_DRAIN_MS, graceMs }: CloseOptions = {}): Promise<void> {
    return (this.closing ??= this.shutDown(drainMs, graceMs ?? this.settings.graceMs));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What handles ask.

  active(executionId: string): ActiveExecution | undefined {
    return this.supervisor.active.get(executionId);
  }

  async *follow(executionId: string): AsyncGenerator<ExecutionEvent> {
    const follower = this.followers.follow(executionId, () => this.results.isOpen(executionId));
    try {
      yield* storedEvents(this.store, this.definitions, executionId, () => follower.more());
    } finally {
      follower.leave();
    }
  }

  steer(executionId: string, node: number, event: NodeEvent | WorkflowEvent): void {
    const request = userEvent(node, event);
    const active = this.active(executionId);
    if (active === undefined)
      throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is not running here`);
    void this.supervisor.request(active, request).catch(() => {});
  }

  private assertOpen(): void {
    if (this.death !== null) throw this.death;
    if (this.closing !== null) throw new MaestroError('RUNTIME_CLOSED', 'this runtime is closed');
  }

  private async record(executionId: string): Promise<ExecutionRecord> {
    await this.supervisor.whenGone(executionId);
    const record = await this.store.getRecord(executionId);
    if (record === undefined) throw notFound(executionId);
    return record;
  }

  /** Takes an execution that nobody runs over, and goes on with it. What cannot run is refused before. */
  private async continueStored(
    record: ExecutionRecord,
    events: readonly EngineEvent[],
    workflow: Workflow | undefined,
  ): Promise<Execution> {
    const { executionId, workflowId } = record;
    const holder = await this.ownership.holder(record.ownerId);
    if (holder !== undefined) {
      throw new MaestroError('EXECUTION_OWNED', `execution ${executionId} is run by process ${holder.pid}`, {
        details: { pid: holder.pid, hostname: holder.hostname },
      });
    }
    const spec = await this.store.getDefinition(record.definitionHash);
    if (spec !== undefined) this.definitions.forStored(record, spec, workflow);
    await this.takeOver(record);
    await this.forgetPauses(executionId);
    const handle = this.results.handle(executionId, workflowId);
    if (this.residents.hasRoom) await this.residents.bring({ executionId, events, workflow });
    else this.residents.enqueue({ executionId, events, workflow });
    return handle;
  }

  /** A pause that nobody saw is overtaken by the request to go on. A cancellation is not: it stays final. */
  private async forgetPauses(executionId: string): Promise<void> {
    const stale = (await this.store.requests()).filter(
      (request) => request.executionId === executionId && request.kind === 'pause',
    );
    if (stale.length > 0) await this.store.commit(stale.map((request) => this.store.deleteRequest(request)));
  }

  private async takeOver(record: ExecutionRecord): Promise<void> {
    await this.ownership.announce();
    const { clock } = this.settings;
    const { ownerId } = this.ownership.self;
    await this.store.takeOver(record, { ...record, ownerId, updatedAtMs: clock.nowMs() });
  }

  /** Pauses or cancels wherever the execution is: here, in another process, or nowhere. */
  private async request(executionId: string, kind: 'pause' | 'cancel', reason?: string): Promise<void> {
    this.assertOpen();
    if (this.residents.isHere(executionId) && (await this.apply(executionId, kind, reason, []))) return;
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
    await this.residents.bring(
      { executionId, events: [engineRequest(kind, reason)], workflow: undefined },
      true,
    );
  }

  /**
   * Applies a request to an execution that is here, in memory or waiting; `ops` are committed with it.
   * @returns false when it came to rest and left in the meantime: nothing was done
   */
  private async apply(
    executionId: string,
    kind: InboxKind,
    reason: string | undefined,
    ops: readonly KvOp[],
  ): Promise<boolean> {
    const event = engineRequest(kind, reason);
    await this.residents.arrival(executionId);
    const active = this.active(executionId);
    if (active !== undefined) {
      await this.supervisor.request(active, event, ops);
      return true;
    }
    if (!(await this.residents.bringNow(executionId, event))) return false;
    if (ops.length > 0) await this.supervisor.commit(ops);
    return true;
  }

  private settle(execution: ActiveExecution): void {
    this.results.settle(execution);
    this.followers.notify(execution.id);
    this.residents.fill();
  }

  private lose(executionId: string, error: unknown): void {
    this.settings.logger.error({ execution_id: executionId, error }, 'execution cannot be continued');
    this.results.fail(executionId, error);
    this.followers.notify(executionId);
  }

  private async isInterrupted({ status, ownerId, executionId }: ExecutionRecord): Promise<boolean> {
    if (status !== 'running' && status !== 'pending') return false;
    return !this.residents.isHere(executionId) && (await this.ownership.holder(ownerId)) === undefined;
  }

  private die(error: ErrorDocument, cause: unknown): void {
    this.settings.logger.error({ error }, 'the runtime stopped: nothing more is acknowledged');
    this.death =
      cause instanceof MaestroError
        ? cause
        : new MaestroError('RUNTIME_DIED', `the runtime stopped: ${error.message}`, { cause });
    this.ownership.retire();
    this.residents.close();
    this.poller.stop();
    this.results.failAll(this.death);
    this.followers.notifyAll();
    void this.pool.close(0);
  }

  private async shutDown(drainMs: number, graceMs: number): Promise<void> {
    this.poller.stop();
    this.residents.close();
    if (this.death === null) {
      await atMost(this.settings.clock, drainMs, this.supervisor.drain());
      await this.pool.close(graceMs);
      await this.leaveToOthers().catch(() => {});
    }
    const closed = new MaestroError(
      'RUNTIME_CLOSED',
      'the runtime was closed before the execution ended; it can be resumed',
    );
    this.supervisor.stop(closed);
    this.results.failAll(closed);
    this.followers.notifyAll();
    await this.store.close().catch(() => {});
  }

  /** What has not ended is nobody's from now on: the next runtime on this store takes it over at once. */
  private async leaveToOthers(): Promise<void> {
    await this.supervisor.suspend();
    await this.residents.disown();
    await this.ownership.resign();
  }
}
