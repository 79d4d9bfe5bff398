import { MaestroError } from '../../base/errors.js';
import type { ExecutionEvent } from '../../observe/events.js';
import { workflowFromSpec, type Workflow } from '../../spec/index.js';
import { createRuntime } from '../create-runtime.js';
import { notFound } from '../history.js';
import type { Execution, Runtime } from '../types.js';
import { EventCursor } from './event-cursor.js';
import {
  carry,
  type Outcome,
  type RemoteEvents,
  type RemoteHost,
  type RemoteStarted,
  type RemoteWorkflow,
} from './protocol.js';

/** Workflows kept by their text, so that many starts of one share its compiled plan. */
const MAX_WORKFLOWS = 64;

/** The runtime's side of the crossing: lives in the worker thread, holds the real runtime. */
export class RuntimeHost implements RemoteHost {
  private runtime: Runtime | null = null;
  /** Executions whose result has not been told yet. */
  private readonly executions = new Map<string, Execution>();
  private readonly workflows = new Map<string, Workflow>();
  private readonly cursors = new Map<number, { cursor: EventCursor; stop: AbortController }>();
  private nextCursor = 1;

  /** @param tell posts a batch of live events to the application */
  constructor(private readonly tell: (events: ExecutionEvent[]) => void) {}

  open: RemoteHost['open'] = (options) =>
    outcome(async () => {
      this.runtime = await createRuntime({ ...options, onEvent: this.batched() });
      return this.runtime.recovered;
    });

  start: RemoteHost['start'] = (workflow, context, options) =>
    outcome(async () => this.held(await this.opened.start(this.workflow(workflow), context, options)));

  resume: RemoteHost['resume'] = (id) => outcome(async () => this.held(await this.opened.resume(id)));

  retry: RemoteHost['retry'] = (id) => outcome(async () => this.held(await this.opened.retry(id)));

  rerun: RemoteHost['rerun'] = (id, nodeId, options) =>
    outcome(async () => {
      const execution = await this.opened.rerun(id, nodeId, options);
      return execution && this.held(execution);
    });

  fork: RemoteHost['fork'] = (id, options) =>
    outcome(async () => this.held(await this.opened.fork(id, options)));

  migrate: RemoteHost['migrate'] = (id, workflow, options) =>
    outcome(async () => this.opened.migrate(id, this.workflow(workflow), options));

  result: RemoteHost['result'] = (id) =>
    outcome(async () => {
      const execution = this.executions.get(id);
      if (execution === undefined) throw notFound(id);
      return execution.result.finally(() => this.executions.delete(id));
    });

  pause: RemoteHost['pause'] = (id) => outcome(() => this.opened.pause(id));

  cancel: RemoteHost['cancel'] = (id, reason, options) =>
    outcome(() => this.opened.cancel(id, reason, options));

  signal: RemoteHost['signal'] = (id, name, payload, options) =>
    outcome(() => this.opened.signal(id, name, payload, options));

  review: RemoteHost['review'] = (id, nodeId, review) =>
    outcome(() => this.opened.review(id, nodeId, review));

  reviews: RemoteHost['reviews'] = (filter) => outcome(() => this.opened.reviews(filter));

  addSchedule: RemoteHost['addSchedule'] = (workflow, options) =>
    outcome(() => this.opened.schedules.add(this.workflow(workflow), options));

  listSchedules: RemoteHost['listSchedules'] = (options) =>
    outcome(() => this.opened.schedules.list(options));

  pauseSchedule: RemoteHost['pauseSchedule'] = (id) => outcome(() => this.opened.schedules.pause(id));

  resumeSchedule: RemoteHost['resumeSchedule'] = (id) => outcome(() => this.opened.schedules.resume(id));

  removeSchedule: RemoteHost['removeSchedule'] = (id) => outcome(() => this.opened.schedules.remove(id));

  cacheStat: RemoteHost['cacheStat'] = () => outcome(() => this.opened.cache.stat());

  clearCache: RemoteHost['clearCache'] = (options) => outcome(() => this.opened.cache.clear(options));

  listQueues: RemoteHost['listQueues'] = () => outcome(() => this.opened.queues.list());

  setQueue: RemoteHost['setQueue'] = (...args) => outcome(() => this.opened.queues.set(...args));

  unsetQueue: RemoteHost['unsetQueue'] = (queue) => outcome(() => this.opened.queues.unset(queue));

  get: RemoteHost['get'] = (...args) => outcome(() => this.opened.get(...args));

  definition: RemoteHost['definition'] = (id) => outcome(() => this.opened.definition(id));

  list: RemoteHost['list'] = (filter) => outcome(() => this.opened.list(filter));

  recover: RemoteHost['recover'] = () => outcome(() => this.opened.recover());

  replay: RemoteHost['replay'] = (id, at) => outcome(() => this.opened.replay(id, at));

  logs: RemoteHost['logs'] = (id, filter) => outcome(() => this.opened.logs(id, filter));

  artifacts: RemoteHost['artifacts'] = (id, filter) => outcome(() => this.opened.artifacts(id, filter));

  metrics: RemoteHost['metrics'] = () => outcome(() => this.opened.metrics());

  counts: RemoteHost['counts'] = () => outcome(() => this.opened.counts());

  delete: RemoteHost['delete'] = (id, options) => outcome(() => this.opened.delete(id, options));

  collect: RemoteHost['collect'] = (options) => outcome(() => this.opened.collect(options));

  markStale: RemoteHost['markStale'] = (options) => outcome(() => this.opened.markStale(options));

  openEvents: RemoteHost['openEvents'] = (source) =>
    outcome(async () => {
      const stop = new AbortController();
      const cursor = new EventCursor(this.events(source, stop.signal));
      this.cursors.set(this.nextCursor, { cursor, stop });
      return this.nextCursor++;
    });

  nextEvents: RemoteHost['nextEvents'] = (id) =>
    outcome(async () => {
      const events = (await this.cursors.get(id)?.cursor.next()) ?? [];
      if (events.length === 0) this.cursors.delete(id);
      return events;
    });

  closeEvents: RemoteHost['closeEvents'] = (id) =>
    outcome(async () => {
      const open = this.cursors.get(id);
      this.cursors.delete(id);
      open?.stop.abort();
      open?.cursor.close();
    });

  close: RemoteHost['close'] = (options) => outcome(() => this.opened.close(options));

  private get opened(): Runtime {
    if (this.runtime === null) throw new MaestroError('RUNTIME_CLOSED', 'the runtime is not open');
    return this.runtime;
  }

  private events(source: RemoteEvents, signal: AbortSignal): AsyncIterable<ExecutionEvent> {
    if (source.of === 'workflow') return this.opened.watch(source.workflowId, { signal });
    const { executionId } = source;
    if (source.of === 'execution') {
      const { after, follow } = source;
      return this.opened.events(executionId, { after, follow, signal });
    }
    return this.executions.get(executionId)?.events() ?? this.opened.events(executionId);
  }

  private held(execution: Execution): RemoteStarted {
    const { id, workflowId } = execution;
    this.executions.set(id, execution);
    return { id, workflowId };
  }

  private workflow(remote: RemoteWorkflow): Workflow {
    const key = `${remote.baseDir}\n${JSON.stringify(remote.spec)}`;
    let workflow = this.workflows.get(key);
    if (workflow === undefined) {
      workflow = workflowFromSpec(remote.spec, { baseDir: remote.baseDir });
      if (this.workflows.size >= MAX_WORKFLOWS) this.workflows.delete(this.workflows.keys().next().value!);
      this.workflows.set(key, workflow);
    }
    return workflow;
  }

  /** Collects the events of one turn of the event loop into one message. */
  private batched(): (event: ExecutionEvent) => void {
    let batch: ExecutionEvent[] = [];
    return (event) => {
      if (batch.push(event) > 1) return;
      setImmediate(() => {
        this.tell(batch);
        batch = [];
      });
    };
  }
}

async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: carry(error) };
  }
}
