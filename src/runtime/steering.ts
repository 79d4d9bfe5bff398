import { MaestroError, type ErrorDocument } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { EngineEvent } from '../engine/effects.js';
import type { Workflow } from '../spec/index.js';
import type { KvGuard, KvOp } from '../store/kv.js';
import type { ExecutionRecord, ExecutionStore, InboxBody, InboxKind, InboxRequest } from '../store/types.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { Definitions } from './definitions.js';
import { notFound } from './history.js';
import { OneByOne } from './one-by-one.js';
import type { Settings } from './options.js';
import type { Ownership } from './ownership.js';
import { engineRequest, isAnswer } from './requests.js';
import type { Residents } from './residents.js';
import type { Results } from './results.js';
import type { CancelOptions, Execution } from './types.js';

/** The parts of a runtime that steering works with. */
interface SteeringHost {
  readonly store: ExecutionStore;
  readonly supervisor: Supervisor;
  readonly ownership: Ownership;
  readonly definitions: Definitions;
  readonly residents: Residents;
  readonly results: Results;
  readonly settings: Settings;
  /** @throws RUNTIME_CLOSED, or what the runtime died of */
  readonly assertOpen: () => void;
}

/** What users ask of a stored execution: it finds where the execution is, and brings it here when nobody has it. */
export class Steering {
  private readonly oneByOne = new OneByOne();

  constructor(readonly host: SteeringHost) {}

  resume(executionId: string, options: { workflow?: Workflow } = {}): Promise<Execution> {
    return this.oneByOne.run(executionId, () => this.resumeOnce(executionId, options));
  }

  private async resumeOnce(executionId: string, options: { workflow?: Workflow }): Promise<Execution> {
    this.host.assertOpen();
    const record = await this.record(executionId);
    if (this.host.residents.isHere(executionId)) {
      const handle = this.host.results.handle(executionId, record.workflowId);
      const isUnderWay = this.host.residents.isWaiting(executionId);
      if (isUnderWay || (await this.apply(executionId, { type: 'resumeRequested' }, []))) return handle;
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
    this.host.assertOpen();
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
    return this.oneByOne.run(executionId, () => this.request(executionId, { kind: 'pause' }));
  }

  cancel(executionId: string, reason?: string, { compensate }: CancelOptions = {}): Promise<void> {
    return this.oneByOne.run(executionId, () =>
      this.request(executionId, { kind: 'cancel', reason, compensate }),
    );
  }

  /** Requests about one execution one after another. */
  inTurn<T>(executionId: string, work: () => Promise<T>): Promise<T> {
    return this.oneByOne.run(executionId, work);
  }

  /**
   * Stores a new execution by `ops`, if a guard of the caller's holds, and goes on with it.
   * @throws EXECUTION_EXISTS, STORE_CONFLICT for the guard
   */
  async startStored(
    record: ExecutionRecord,
    ops: readonly KvOp[],
    { workflow, guard }: { workflow?: Workflow; guard?: KvGuard } = {},
  ): Promise<Execution> {
    const { store, ownership, results, residents } = this.host;
    const { executionId, workflowId } = record;
    await ownership.announce();
    return this.inTurn(executionId, async () => {
      await store.commitNew(record, ops, guard);
      const handle = results.handle(executionId, workflowId);
      await residents.admit({ executionId, events: [], workflow });
      return handle;
    });
  }

  /** @throws EXECUTION_NOT_FOUND */
  async record(executionId: string): Promise<ExecutionRecord> {
    await this.host.supervisor.whenGone(executionId);
    const record = await this.host.store.getRecord(executionId);
    if (record === undefined) throw notFound(executionId);
    return record;
  }

  /** Fails an execution that nobody runs. @throws EXECUTION_STATE, EXECUTION_OWNED, STORE_CONFLICT */
  abandon(executionId: string, error: ErrorDocument): Promise<void> {
    return this.oneByOne.run(executionId, async () => {
      const record = await this.record(executionId);
      const holder = await this.host.ownership.holder(record.ownerId);
      if (isWorkflowStatusEnded(record.status) || this.host.residents.isHere(executionId) || holder) {
        throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is not abandoned`);
      }
      await this.takeOver(record);
      const events: EngineEvent[] = [{ type: 'abandonRequested', error }];
      await this.host.residents.bring({ executionId, events, workflow: undefined }, true);
    });
  }

  /** Takes an execution that nobody runs over, and goes on with it. What cannot run is refused before. */
  async continueStored(
    record: ExecutionRecord,
    events: readonly EngineEvent[],
    workflow: Workflow | undefined,
  ): Promise<Execution> {
    const { executionId, workflowId } = record;
    const holder = await this.host.ownership.holder(record.ownerId);
    if (holder !== undefined) {
      throw new MaestroError('EXECUTION_OWNED', `execution ${executionId} is run by process ${holder.pid}`, {
        details: { pid: holder.pid, hostname: holder.hostname },
      });
    }
    const spec = await this.host.store.getDefinition(record.definitionHash);
    if (spec !== undefined) this.host.definitions.forStored(record, spec, workflow);
    await this.takeOver(record);
    await this.forgetPauses(executionId);
    const handle = this.host.results.handle(executionId, workflowId);
    await this.orLetGo(executionId, this.host.residents.admit({ executionId, events, workflow }));
    return handle;
  }

  /** A pause that nobody saw is overtaken by the request to go on. A cancellation is not: it stays final. */
  private async forgetPauses(executionId: string): Promise<void> {
    const stale = (await this.host.store.requests()).filter(
      (request) => request.executionId === executionId && request.kind === 'pause',
    );
    if (stale.length > 0)
      await this.host.store.commit(stale.map((request) => this.host.store.deleteRequest(request)));
  }

  private async takeOver(record: ExecutionRecord): Promise<void> {
    await this.host.ownership.announce();
    const { clock } = this.host.settings;
    const { ownerId } = this.host.ownership.self;
    await this.host.store.takeOver(record, { ...record, ownerId, updatedAtMs: clock.nowMs() });
  }

  /** Pauses or cancels wherever the execution is: here, in another process, or nowhere. */
  private async request(executionId: string, body: InboxBody & { kind: InboxKind }): Promise<void> {
    this.host.assertOpen();
    const { kind } = body;
    const event = engineRequest(body);
    if (this.host.residents.isHere(executionId) && (await this.apply(executionId, event, []))) return;
    const record = await this.record(executionId);
    if (isWorkflowStatusEnded(record.status) || (kind === 'pause' && record.status === 'paused')) {
      throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is already ${record.status}`);
    }
    if ((await this.host.ownership.holder(record.ownerId)) !== undefined) {
      await this.leaveRequest(executionId, body);
      return;
    }
    await this.takeOver(record);
    const waiting = { executionId, events: [event], workflow: undefined };
    await this.orLetGo(executionId, this.host.residents.bring(waiting, true));
  }

  /** What was taken over and cannot be brought in is nobody's again: others would wait for this process to run it. */
  private async orLetGo(executionId: string, arrival: Promise<void>): Promise<void> {
    try {
      await arrival;
    } catch (error) {
      const { store, supervisor, residents, ownership } = this.host;
      const record = await store.getRecord(executionId).catch(() => undefined);
      const isOurs = record?.ownerId === ownership.self.ownerId && !residents.isHere(executionId);
      // Who cannot write any more owns nothing for long.
      if (isOurs) await supervisor.commit(store.update(record, { ...record, ownerId: null })).catch(() => {});
      throw error;
    }
  }

  /** Leaves a request to whoever runs the execution, or will. Resolves once it is durable. */
  async leaveRequest(executionId: string, body: InboxBody): Promise<InboxRequest> {
    const { clock, random } = this.host.settings;
    const request = { requestId: newId(clock, random), executionId, createdAtMs: clock.nowMs(), ...body };
    await this.host.store.commit([this.host.store.putRequest(request)]);
    return request;
  }

  /**
   * Applies a request to an execution that is here, in memory or waiting; `ops` are committed with it.
   * @returns false when it came to rest in the meantime: nothing was done
   */
  async apply(executionId: string, event: EngineEvent, ops: readonly KvOp[]): Promise<boolean> {
    const { residents, supervisor } = this.host;
    await residents.arrival(executionId);
    const active = supervisor.active.get(executionId);
    if (active?.isVisitor === true) {
      await supervisor.whenGone(executionId);
      return false;
    }
    if (active !== undefined) {
      // What has ended hears no answer. Before it has left, a rerun may come that lets it hear those which are kept.
      if (active.isEnded && isAnswer(event)) return false;
      await supervisor.request(active, event, ops);
      return true;
    }
    if (await residents.bringNow(executionId, event, ops)) return true;
    // It had its turn at this moment, and is on its way.
    return residents.isHere(executionId) && this.apply(executionId, event, ops);
  }
}
