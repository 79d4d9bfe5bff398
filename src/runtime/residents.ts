import type { MaestroError } from '../base/errors.js';
import type { EngineEvent } from '../engine/effects.js';
import type { Workflow } from '../spec/index.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { activate, restoreState } from '../supervisor/restore.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { Backlog, type Arriving, type Waiting } from './backlog.js';
import { Deferred } from './deferred.js';
import type { Definitions, ForEnding } from './definitions.js';
import { notFound } from './history.js';
import type { Claim } from './inbox-poller.js';
import type { Settings } from './options.js';
import type { Ownership } from './ownership.js';
import { engineRequest } from './requests.js';

interface ResidentsOptions {
  readonly store: ExecutionStore;
  readonly supervisor: Supervisor;
  readonly definitions: Definitions;
  readonly ownership: Ownership;
  readonly settings: Settings;
  /** Whether anybody is told events. */
  readonly listens: boolean;
  /** Something is here again: look out for requests. */
  readonly busy: () => void;
  /** Takes on what the inbox holds for an execution. */
  readonly claim: (executionId: string) => Promise<Claim>;
  /** An execution could not be brought into memory. */
  readonly failed: (executionId: string, error: unknown) => void;
}

/** Executions that are left to others in one commit. */
const DISOWNED_AT_ONCE = 100;

/** Which of our executions are in memory, which wait in the store, and how one becomes the other. */
export class Residents {
  private readonly backlog = new Backlog();
  /** Executions being read from the store. */
  private readonly arriving = new Map<string, Deferred<void>>();
  /** Executions in memory that only wait: they take nobody's place. */
  private readonly patient = new Set<ActiveExecution>();
  private closed = false;

  constructor(private readonly options: ResidentsOptions) {}

  get hasRoom(): boolean {
    const { supervisor, settings } = this.options;
    return supervisor.active.size - this.patient.size + this.arriving.size < settings.maxActiveExecutions;
  }

  /** Something about an execution in memory has become durable. */
  note(execution: ActiveExecution): void {
    if (!execution.onlyWaits || execution.released) this.patient.delete(execution);
    else if (!this.patient.has(execution)) {
      this.patient.add(execution);
      this.fill();
    }
  }

  /** Executions of ours that have not ended, in memory or waiting. */
  get size(): number {
    return this.options.supervisor.active.size + this.arriving.size + this.backlog.size;
  }

  /** Executions of ours that wait in the store for a place in memory. */
  get waiting(): number {
    return this.backlog.size;
  }

  isWaiting(executionId: string): boolean {
    return this.backlog.has(executionId);
  }

  isHere(executionId: string): boolean {
    const { active } = this.options.supervisor;
    return active.has(executionId) || this.arriving.has(executionId) || this.isWaiting(executionId);
  }

  /** Resolves when the execution, if it is on its way into memory, is there or has failed to come. */
  arrival(executionId: string): Promise<void> {
    return this.arriving.get(executionId)?.promise ?? Promise.resolve();
  }

  /** It gets its turn when there is room. */
  enqueue(waiting: Waiting): void {
    this.backlog.push(waiting);
    this.fill();
  }

  /** It has just been taken over: it comes at once where there is room, and gets its turn where there is none. */
  receive(record: ExecutionRecord): void {
    const { executionId } = record;
    const waiting: Waiting = { executionId, events: [], workflow: undefined };
    if (this.closed || this.backlog.size > 0 || !this.hasRoom) return this.enqueue(waiting);
    this.options.busy();
    this.start({ ...waiting, record });
  }

  /** A stored execution comes into memory now when there is room, else when it gets its turn. */
  async admit(waiting: Waiting): Promise<void> {
    if (this.hasRoom) await this.bring(waiting);
    else this.enqueue(waiting);
  }

  /** A new execution. `create` stores it, with its first turn; null when it is stored. */
  async begin(
    record: ExecutionRecord,
    workflow: Workflow,
    globalContext: string,
    create: ActiveExecution['birth'],
  ): Promise<void> {
    const { supervisor, definitions, ownership, settings, listens, busy } = this.options;
    if (!this.hasRoom) {
      if (create !== null) await supervisor.commit(create(record));
      this.enqueue({ executionId: record.executionId, events: [], workflow });
      return;
    }
    const definition = definitions.of(workflow);
    const { random } = settings;
    const { ownerId } = ownership.self;
    const execution = activate({ definition, record, globalContext, random, ownerId, listens });
    execution.birth = create;
    busy();
    await supervisor.adopt(execution, { recover: false, events: [{ type: 'startRequested' }] });
  }

  /**
   * Brings a stored execution into memory and applies its events before anything of it starts.
   * @param anyway also when it cannot run here: it is paused or ended, and leaves
   * @param ops committed with that
   */
  async bring(waiting: Arriving, anyway = false, ops: readonly KvOp[] = []): Promise<void> {
    const { executionId } = waiting;
    const arrival = new Deferred<void>();
    this.arriving.set(executionId, arrival);
    let adopted: Promise<void>;
    try {
      const { execution, refusal } = await this.read(waiting, anyway);
      if (refusal !== null) execution.isVisitor = !endsByCompensating(execution, waiting.events, refusal);
      const isNew = execution.record.status === 'pending';
      const first: EngineEvent[] = isNew ? [{ type: 'startRequested' }] : [];
      const answers = await this.claimAnswers(execution);
      this.options.busy();
      const heard = answers.requests.map(engineRequest);
      // What has ended hears nothing until it goes on again (by a retry or a rerun).
      const requests = execution.isEnded ? [...waiting.events, ...heard] : [...heard, ...waiting.events];
      const events = [...first, ...requests];
      const allOps = [...answers.ops, ...ops];
      adopted = this.options.supervisor.adopt(execution, { recover: !isNew, events, ops: allOps });
    } finally {
      this.arriving.delete(executionId);
      arrival.resolve();
    }
    await adopted;
  }

  /** Whatever came for its waits while nobody ran it is older than any deadline that is seen now. */
  private async claimAnswers({ id, definition }: ActiveExecution): Promise<Claim> {
    return definition.waits.size === 0 ? { requests: [], ops: [] } : this.options.claim(id);
  }

  private async read(
    { executionId, workflow, record: taken }: Arriving,
    anyway: boolean,
  ): Promise<{ execution: ActiveExecution; refusal: MaestroError | null }> {
    const { store, definitions, ownership, settings, listens } = this.options;
    const stored = await store.load(executionId, taken);
    if (stored === undefined) throw notFound(executionId);
    const { record, spec, globalContext } = stored;
    const { definition, refusal }: ForEnding = anyway
      ? definitions.forEnding(record, spec)
      : { definition: definitions.forStored(record, spec, workflow), refusal: null };
    const restored = await restoreState(store, stored, definition.plan);
    const { random } = settings;
    const { ownerId } = ownership.self;
    const execution = activate({ definition, record, globalContext, random, ownerId, listens }, restored);
    return { execution, refusal };
  }

  /** Takes one that waits out of the line and brings it in at once, with a further event. */
  async bringNow(executionId: string, event: EngineEvent, ops: readonly KvOp[]): Promise<boolean> {
    const waiting = this.backlog.remove(executionId);
    if (waiting === undefined) return false;
    await this.bring({ ...waiting, events: [...waiting.events, event] }, false, ops);
    return true;
  }

  /** Brings executions into memory while there is room. */
  fill(): void {
    this.options.busy();
    while (this.hasRoom && !this.closed) {
      const waiting = this.backlog.shift();
      if (waiting === undefined) return;
      this.start(waiting);
    }
  }

  private start(arriving: Arriving): void {
    this.bring(arriving)
      .catch((error: unknown) => this.closed || this.options.failed(arriving.executionId, error))
      .finally(() => this.fill());
  }

  /** Nothing more comes into memory. */
  close(): void {
    this.closed = true;
  }

  /** What still waits is nobody's from now on. */
  async disown(): Promise<void> {
    const { store, supervisor } = this.options;
    const disownOne = async (executionId: string): Promise<void> => {
      const record = await store.getRecord(executionId);
      if (record !== undefined) await supervisor.commit(store.update(record, { ...record, ownerId: null }));
    };
    while (this.backlog.size > 0) {
      const batch: Promise<void>[] = [];
      while (batch.length < DISOWNED_AT_ONCE && this.backlog.size > 0)
        batch.push(disownOne(this.backlog.shift()!.executionId));
      await Promise.all(batch);
    }
  }
}

/**
 * Whether these events have an execution compensated that cannot run here: as far as that needs nothing that is not known here, it can.
 * @throws refusal when a compensation lacks its function
 */
function endsByCompensating(
  { engine, definition }: ActiveExecution,
  events: readonly EngineEvent[],
  refusal: MaestroError,
): boolean {
  const due = events.flatMap((event) => engine.endings.compensationsOf(event));
  if (!due.every((node) => definition.canExecute(node))) throw refusal;
  return due.length > 0;
}
