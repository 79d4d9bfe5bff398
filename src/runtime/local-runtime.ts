import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { WorkflowStatus } from '../base/model.js';
import type { ExecutionEvent } from '../observe/events.js';
import { Meter } from '../observe/meter.js';
import type { RuntimeMetrics } from '../observe/metrics.js';
import { readArtifacts } from './artifacts.js';
import { attemptLogs } from './attempt-log.js';
import type { Pool } from '../pool/index.js';
import type { Workflow, WorkflowSpec } from '../spec/index.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { Answers } from './answers.js';
import { storedCache } from './cache.js';
import { beginChores } from './chores.js';
import { contextText } from './context.js';
import { Children } from './children.js';
import { Crowding } from './crowding.js';
import { Definitions } from './definitions.js';
import { closedBeforeEnd, death } from './endings.js';
import { fork } from './forks.js';
import type { HandleHost } from './handle.js';
import { History } from './history.js';
import { readLogPage } from './logs.js';
import { InboxPoller } from './inbox-poller.js';
import { Maintenance } from './maintenance.js';
import { migrate } from './migrations.js';
import { Metrics } from './metrics.js';
import type { Settings } from './options.js';
import { Ownership } from './ownership.js';
import { queuesOfOwner, StoredQueues } from './queue-settings.js';
import type { Periodic } from './periodic.js';
import { readDocument } from './reader.js';
import { newRecord } from './records.js';
import type { Recovered } from './recovery.js';
import { Recoverer } from './recoverer.js';
import { replayDocument } from './replay.js';
import { engineRequest, userEvent } from './requests.js';
import { Reruns } from './reruns.js';
import { Residents } from './residents.js';
import { Results } from './results.js';
import { Scheduler } from './scheduler.js';
import { StoredSchedules } from './schedules.js';
import { openReviews } from './reviews.js';
import { DEFAULT_DRAIN_MS, Shutdown } from './shutdown.js';
import { Steering } from './steering.js';
import type {
  Cache,
  CloseOptions,
  CollectOptions,
  CollectReport,
  DeleteOptions,
  Execution,
  ExecutionDocument,
  MarkStaleOptions,
  ReviewFilter,
  ReviewInput,
  ReviewPage,
  Runtime,
  Schedules,
  SignalOptions,
  StartOptions,
} from './types.js';

/** The runtime in this thread: composes store, pool and supervisor; owns the executions it runs. */
export class LocalRuntime implements Runtime, HandleHost {
  recovered: readonly Recovered[] = [];
  private readonly supervisor: Supervisor;
  private readonly ownership: Ownership;
  private readonly definitions: Definitions;
  private readonly residents: Residents;
  readonly crowding: Crowding;
  readonly queues: StoredQueues;
  private readonly meter = new Meter();
  private readonly results = new Results(this);
  private readonly history: History;
  private readonly steering: Steering;
  private readonly maintenance: Maintenance;
  private numbers: Metrics | undefined;
  private shutdown: Shutdown | null = null;
  private readonly chores: readonly Periodic[];
  private calendar: Schedules | undefined;
  private readonly recoverer: Recoverer;
  private readonly children: Children;
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
    const { clock, random } = settings;
    this.crowding = new Crowding(store, settings.logger);
    const queues = queuesOfOwner(settings.queues);
    this.ownership = new Ownership(store, clock, random, settings.processes, queues);
    this.definitions = new Definitions(workflows);
    this.history = new History({
      store,
      definitions: this.definitions,
      clock,
      isHere: (id) => this.residents.isHere(id),
    });
    this.supervisor = new Supervisor({
      ...settings,
      store,
      ownerId: this.ownership.self.ownerId,
      pool,
      meter: this.meter,
      onEvent,
      atRest: (execution) => this.settle(execution),
      published: (execution) => this.tell(execution),
      children: (parent, effect) => this.children.act(parent, effect),
      childrenStopped: (id) => this.children.stopped(id),
      ...attemptLogs(settings.rootLogger),
      died: (error, cause) => this.die(error, cause),
    });
    this.queues = new StoredQueues({
      ...{ store, clock, ownership: this.ownership },
      changed: (set) => this.supervisor.queues.configure(set),
    });
    this.residents = new Residents({
      store,
      supervisor: this.supervisor,
      definitions: this.definitions,
      ownership: this.ownership,
      ...{ settings, listens: onEvent !== null },
      busy: () => this.poller.start(),
      claim: (executionId) => this.poller.claim(executionId),
      failed: (executionId, error) => this.lose(executionId, error),
    });
    this.steering = new Steering({
      ...{ store, settings, supervisor: this.supervisor, ownership: this.ownership },
      ...{ definitions: this.definitions, residents: this.residents, results: this.results },
      assertOpen: () => this.assertOpen(),
    });
    this.children = new Children(this.steering);
    this.recoverer = new Recoverer({
      ...{ ...settings, ...this.steering.host, steering: this.steering },
      taken: (record) => this.children.recovered(record),
    });
    this.maintenance = new Maintenance({
      ...settings,
      store,
      ownership: this.ownership,
      residents: this.residents,
      inTurn: (id, work) => this.steering.inTurn(id, work),
      childrenDone: (id) => this.children.doneFor(id),
      get: (id) => this.get(id),
      abandon: (id, error) => this.steering.abandon(id, error),
    });
    this.chores = this.beginChores();
    this.poller = this.createPoller();
  }

  private createPoller(): InboxPoller {
    return new InboxPoller(this.store, this.settings, {
      refresh: () => this.queues.refresh(),
      isMine: (id) => this.residents.isHere(id),
      isBusy: () => this.residents.size > 0,
      apply: (request, done) => this.steering.apply(request.executionId, engineRequest(request), [done]),
    });
  }

  private beginChores(): readonly Periodic[] {
    const scheduler = new Scheduler(this.steering);
    return beginChores(this.settings, {
      tidy: (policy, stopped) => this.maintenance.pass(policy, stopped),
      recover: () => this.recover(),
      schedule: (stopped) => scheduler.look(stopped),
    });
  }

  get schedules(): Schedules {
    return (this.calendar ??= new StoredSchedules(this.steering.host));
  }

  get cache(): Cache {
    return storedCache(this.store, this.settings.clock);
  }

  /** Takes over what dead processes left behind, when the store is opened. */
  async recoverInterrupted(): Promise<void> {
    this.recovered = await this.recover();
  }

  get failure(): MaestroError | undefined {
    return this.death ?? undefined;
  }

  async recover(): Promise<readonly Recovered[]> {
    this.assertOpen();
    return this.recoverer.recover();
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
    const begin = async (): Promise<Execution> => {
      const create = (as: ExecutionRecord) => this.store.create(as, workflow.spec, globalContext);
      const isNamed = options.executionId !== undefined;
      if (isNamed) await this.store.commitNew(record, create(record));
      const handle = this.results.handle(record.executionId, record.workflowId);
      await this.residents.begin(record, workflow, globalContext, isNamed ? null : create);
      this.crowding.note();
      return handle;
    };
    // What is stored before it is here may be asked for in between.
    const isStoredFirst = options.executionId !== undefined || !this.residents.hasRoom;
    return isStoredFirst ? this.steering.inTurn(record.executionId, begin) : begin();
  }

  readonly resume: Runtime['resume'] = (id, options) => this.steering.resume(id, options);
  readonly retry: Runtime['retry'] = (id, options) => this.steering.retry(id, options);
  readonly rerun: Runtime['rerun'] = (id, nodeId, options) =>
    new Reruns(this.steering).rerun(id, nodeId, options);
  readonly fork: Runtime['fork'] = (id, options) => fork(this.steering, id, options);
  readonly migrate: Runtime['migrate'] = async (id, workflow, options) => {
    const document = await migrate(this.steering, id, workflow, options);
    if (document.migrated) this.history.notify(id, document.workflow_id);
    return document;
  };
  readonly pause: Runtime['pause'] = (id) => this.steering.pause(id).then(() => this.children.asked(id));
  readonly cancel: Runtime['cancel'] = (id, reason, options) => this.steering.cancel(id, reason, options);
  readonly artifacts: Runtime['artifacts'] = (id, filter) =>
    readArtifacts(this.store, this.settings.artifactRoot, id, filter);

  metrics(): Promise<RuntimeMetrics> {
    return (this.numbers ??= this.measure()).read();
  }

  signal(executionId: string, name: string, payload?: unknown, options: SignalOptions = {}): Promise<void> {
    return new Answers(this.steering).signal(executionId, name, payload, options);
  }

  review(executionId: string, nodeId: string, review: ReviewInput): Promise<void> {
    return new Answers(this.steering).review(executionId, nodeId, review);
  }

  reviews(filter: ReviewFilter = {}): Promise<ReviewPage> {
    const { store, definitions } = this;
    const live = (id: string) =>
      this.settings.durability === 'exit' ? this.active(id)?.engine.state : undefined;
    return openReviews({ store, definitions, live }, filter);
  }

  counts(): Promise<Record<WorkflowStatus, number>> {
    return this.maintenance.counts();
  }

  async delete(executionId: string, options?: DeleteOptions): Promise<boolean> {
    this.assertOpen();
    const remove = (): Promise<boolean> => this.maintenance.delete(executionId, options);
    return this.steering.inTurn(executionId, () => this.supervisor.whenGone(executionId).then(remove));
  }

  async collect(options: CollectOptions): Promise<CollectReport> {
    this.assertOpen();
    return this.maintenance.collect(options);
  }

  async markStale(options: MarkStaleOptions): Promise<readonly string[]> {
    this.assertOpen();
    return this.maintenance.markStale(options);
  }

  get(id: string, { items }: { items?: readonly string[] } = {}): Promise<ExecutionDocument | undefined> {
    const live = this.settings.durability === 'exit' ? this.active(id) : undefined;
    const isInterrupted = (record: ExecutionRecord): Promise<boolean> => this.isInterrupted(record);
    return readDocument(this.store, this.definitions, id, { live, isInterrupted, items });
  }

  async definition(executionId: string): Promise<WorkflowSpec | undefined> {
    const record = await this.store.getRecord(executionId);
    return record && this.store.getDefinition(record.definitionHash);
  }

  readonly list: Runtime['list'] = (filter) => this.store.list(filter);
  readonly replay: Runtime['replay'] = (id, at) => replayDocument(this.store, this.definitions, id, at);
  readonly events: Runtime['events'] = (id, options) => this.history.events(id, options);
  readonly watch: Runtime['watch'] = (workflowId, options) => this.history.watch(workflowId, options);
  readonly logs: Runtime['logs'] = (id, filter) => readLogPage(this.store, id, filter);

  close({ drainMs = DEFAULT_DRAIN_MS, graceMs }: CloseOptions = {}): Promise<void> {
    if (this.closing !== null && drainMs === 0) this.shutdown?.hurry(graceMs ?? this.settings.graceMs);
    return (this.closing ??= this.shutDown(drainMs, graceMs ?? this.settings.graceMs));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What handles ask.

  active(executionId: string): ActiveExecution | undefined {
    return this.supervisor.active.get(executionId);
  }

  follow(executionId: string): AsyncIterable<ExecutionEvent> {
    return this.history.follow(executionId, () => this.results.isOpen(executionId));
  }

  steer(executionId: string, node: number, event: NodeEvent | WorkflowEvent): void {
    const request = userEvent(node, event);
    const active = this.active(executionId);
    if (active === undefined)
      throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is not running here`);
    void this.supervisor.request(active, request).catch(() => {});
  }

  private measure(): Metrics {
    const { meter, store, pool, supervisor, residents } = this;
    return new Metrics({ meter, store, pool, clock: this.settings.clock, supervisor, residents });
  }

  private assertOpen(): void {
    if (this.death !== null) throw this.death;
    if (this.closing !== null) throw new MaestroError('RUNTIME_CLOSED', 'this runtime is closed');
  }

  private tell(execution: ActiveExecution): void {
    const { executionId, workflowId } = execution.record;
    this.history.notify(executionId, workflowId);
    this.residents.note(execution);
  }

  private settle(execution: ActiveExecution): void {
    this.results.settle(execution);
    this.children.atRest(execution);
    this.history.notify(execution.id);
    this.residents.fill();
  }

  private lose(executionId: string, error: unknown): void {
    const fields = { execution_id: executionId, error: toErrorDocument(error) };
    this.settings.logger.error(fields, 'execution cannot be continued');
    this.results.fail(executionId, error);
    this.children.lost(executionId, error);
    this.history.notify(executionId);
  }

  private async isInterrupted({ status, ownerId, executionId }: ExecutionRecord): Promise<boolean> {
    if (status !== 'running' && status !== 'pending') return false;
    return !this.residents.isHere(executionId) && (await this.ownership.holder(ownerId)) === undefined;
  }

  private die(error: ErrorDocument, cause: unknown): void {
    this.settings.logger.error({ error }, 'the runtime stopped: nothing more is acknowledged');
    this.death = death(error, cause);
    this.ownership.retire();
    this.residents.close();
    this.children.close();
    this.poller.stop();
    for (const chore of this.chores) void chore.stop();
    this.results.failAll(this.death);
    this.history.close(this.death);
    void this.pool.close(0);
  }

  private async shutDown(drainMs: number, graceMs: number): Promise<void> {
    this.shutdown = new Shutdown({ ...this.settings, supervisor: this.supervisor, pool: this.pool });
    this.poller.stop();
    this.residents.close();
    await Promise.all(this.chores.map((chore) => chore.stop()));
    await this.recoverer.pass;
    this.children.close();
    if (this.children.isBusy) await this.children.settle(drainMs);
    if (this.death === null) {
      await this.shutdown.run(drainMs, graceMs);
      await this.leaveToOthers().catch(() => {});
    }
    const closed = closedBeforeEnd();
    this.supervisor.stop(closed);
    this.results.failAll(closed);
    this.history.close(closed);
    await this.store.close().catch(() => {});
  }

  /** What has not ended is nobody's from now on: the next runtime on this store takes it over at once. */
  private async leaveToOthers(): Promise<void> {
    await this.supervisor.suspend(closedBeforeEnd());
    await this.residents.disown();
    await this.ownership.resign();
  }
}
