import type { Clock } from '../base/clock.js';
import { ForgetfulMap } from '../base/forgetful-map.js';
import { toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { Durability } from '../base/model.js';
import type { ChildEffect, Effect, EngineEvent } from '../engine/effects.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Meter } from '../observe/meter.js';
import type { QueueLimits } from '../policy/queue.js';
import type { Pool } from '../pool/index.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionStore } from '../store/types.js';
import type { ActiveExecution } from './active-execution.js';
import { ArtifactReader } from './artifacts.js';
import { Admission } from './admission.js';
import { ChildGate, type ChildrenStopped } from './child-gate.js';
import { Committer } from './committer.js';
import { answerTo } from './questions.js';
import { Departures } from './departures.js';
import { Jobs } from './jobs.js';
import type { RunningJob } from './running-job.js';
import { takeChildOutput, keepOutput } from './large-outputs.js';
import type { LoopEvent } from './loop-event.js';
import { PoolRelay, type Printed } from './pool-relay.js';
import { Queues } from './queues.js';
import { reportOf } from './reports.js';
import { StepLogs } from './step-logs.js';
import { TimerHeap } from './timer-heap.js';
import type { Turn, TurnRecord } from './turn.js';

export interface SupervisorOptions {
  readonly store: ExecutionStore;
  /** Whose executions these are: once another process has taken one of them over, nothing more is committed. */
  readonly ownerId: string;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly durability: Durability;
  /** Attempts that may run at once over all executions. */
  readonly concurrency: number;
  readonly queues: ReadonlyMap<string, QueueLimits>;
  readonly artifactRoot: string;
  readonly graceMs: number;
  readonly meter: Meter;
  /** Told durable events in order; null: nobody listens, none are built. */
  readonly onEvent: ((event: ExecutionEvent) => void) | null;
  /** An execution ended, or is paused with nothing left running; it has left memory. */
  readonly atRest: (execution: ActiveExecution) => void;
  /** Entries of an execution became durable. */
  readonly published: (execution: ActiveExecution) => void;
  /** A step wrote something; told at once, null: nobody listens. */
  readonly printed: ((output: Printed) => void) | null;
  /** What concerns the executions that subworkflow nodes start, once what asks for it is durable. */
  readonly children: (parent: ActiveExecution, effect: ChildEffect) => void;
  readonly childrenStopped: ChildrenStopped;
  /** Most that is stored of what one attempt writes, in characters; 0: nothing. */
  readonly maxLogChars: number;
  /** An attempt was lost with its worker: it runs again. */
  readonly lost: (job: RunningJob, error: ErrorDocument) => void;
  /** Nothing can be acknowledged any more: the store or the pool failed. */
  readonly died: (error: ErrorDocument, cause: unknown) => void;
}

/** What is done for an execution that cannot run here: what ends or pauses others with it, and what belongs to its commit. */
const OF_VISITORS: ReadonlySet<Effect['kind']> = new Set<Effect['kind']>(['cancel', 'steerChild', 'keep']);

/**
 * The one loop: takes what happened, lets engines decide, starts what may start, commits, then acts. Everything
 * runs on one thread; nothing here waits.
 */
export class Supervisor {
  readonly active = new ForgetfulMap<string, ActiveExecution>();
  readonly timers: TimerHeap;
  readonly jobs: Jobs;
  readonly queues: Queues;
  private readonly logs: StepLogs;
  private readonly committer: Committer;
  private readonly admission: Admission;
  private readonly departures = new Departures();
  private inbox: LoopEvent[] = [];
  private scheduled = false;
  private draining: (() => void) | null = null;
  private dead = false;
  private deathCause: unknown = null;
  /** Set once nothing in memory may change any more: it belongs to whoever opens the store next. */
  private suspension: unknown = null;

  constructor(private readonly options: SupervisorOptions) {
    const { pool, clock, durability, artifactRoot } = options;
    options.store.onFailure((error) => this.die(error));
    this.timers = new TimerHeap(clock);
    const gate = new ChildGate(options.childrenStopped, (execution) => {
      // Nothing is to be stored, but with the next turn it is told that it does not only wait any more.
      this.committer.turn.touched.add(execution);
      this.admission.offer(execution);
      this.schedule();
    });
    this.jobs = new Jobs({
      ...options,
      failed: ({ id: jobId }, error) =>
        this.enqueue({ kind: 'settled', jobId, outcome: { ok: false, kind: 'error', error, durationMs: 0 } }),
      childError: (execution) => gate.takeError(execution),
      left: (wish) => this.queues.ended(wish),
      found: (jobId, outcome, cached) => this.enqueue({ kind: 'settled', jobId, outcome, cached }),
    });
    this.logs = new StepLogs({
      ...options,
      timers: this.timers,
      limit: options.maxLogChars,
      early: durability !== 'exit',
      due: (ops) => void this.commit(ops).catch(() => {}),
    });
    this.queues = new Queues(options.queues, this.timers, () => this.schedule());
    this.admission = new Admission(pool, options.concurrency, this.queues, gate);
    this.committer = new Committer({
      ...options,
      leaving: (execution) => {
        this.leave(execution);
        this.departures.begin(execution.id);
      },
      meanwhile: (turn) => this.jobs.prepare(turn.held),
      durable: (turn, records) => this.publish(turn, records),
      failed: (error) => this.die(error),
    });
    pool.listen(
      new PoolRelay({
        ...options,
        jobs: this.jobs,
        settled: (jobId, outcome, files) => this.enqueue({ kind: 'settled', jobId, outcome, files }),
        artifacts: new ArtifactReader(artifactRoot, durability),
        emit: (event) => options.onEvent?.(event),
        logs: this.logs,
        failed: (error) => this.die(error),
      }),
    );
  }

  /**
   * Takes an execution into memory: what was interrupted is recovered, then `events` are applied, before anything can
   * start. Resolves once that is durable, together with `ops`.
   */
  adopt(
    execution: ActiveExecution,
    what: { recover: boolean; events: readonly EngineEvent[]; ops?: readonly KvOp[] },
  ): Promise<void> {
    this.active.set(execution.id, execution);
    return this.submit({ kind: 'adopt', execution, ...what });
  }

  /** Hands an event to an execution's engine. Resolves once its consequences are durable, together with `ops`. */
  request(execution: ActiveExecution, event: EngineEvent, ops?: readonly KvOp[]): Promise<void> {
    return this.submit({ kind: 'engine', execution, event, ops });
  }

  /** Commits ops that belong to no execution in memory, with everything else. */
  commit(ops: readonly KvOp[]): Promise<void> {
    return this.submit({ kind: 'commit', ops });
  }

  /** Waits until an execution that has ended, or visits, but has attempts to stop or a commit under way, has left. */
  whenGone(executionId: string): Promise<void> {
    const active = this.active.get(executionId);
    if (active !== undefined && (active.isEnded || active.isVisitor)) this.departures.begin(executionId);
    return this.departures.when(executionId);
  }

  /** Everything in memory is left to be resumed by whoever opens the store next. Resolves once that is durable. */
  suspend(why: unknown): Promise<void> {
    const suspended = this.submit({ kind: 'suspend', ops: this.logs.take() });
    this.suspension = why;
    return suspended;
  }

  /** Starts nothing new; resolves when no attempt is under way. */
  drain(): Promise<void> {
    this.admission.closed = true;
    if (this.jobs.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.draining = resolve;
    });
  }

  /** Ends the loop. Nothing is committed or told afterwards. */
  stop(error: unknown): void {
    this.dead = true;
    this.deathCause = error;
    for (const { waiter } of this.inbox) waiter?.failed(error);
    this.inbox = [];
    this.admission.closed = true;
    this.timers.clear();
    this.jobs.abandon();
    this.committer.close(error);
    for (const execution of this.active.values()) this.release(execution);
    this.departures.endAll();
    this.draining?.();
  }

  private tell(execution: ActiveExecution, event: EngineEvent): void {
    this.enqueue({ kind: 'engine', execution, event });
  }

  private submit(event: LoopEvent): Promise<void> {
    return new Promise((done, failed) => this.enqueue({ ...event, waiter: { done, failed } }));
  }

  private enqueue(event: LoopEvent): void {
    const isLate = this.suspension !== null && (event.kind === 'engine' || event.kind === 'adopt');
    if (this.dead) event.waiter?.failed(this.deathCause);
    else if (isLate) event.waiter?.failed(this.suspension);
    else this.inbox.push(event);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.dead) return;
    this.scheduled = true;
    queueMicrotask(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    if (this.dead) return;
    try {
      const nowMs = this.options.clock.nowMs();
      const events = this.inbox;
      this.inbox = [];
      for (const event of events) this.take(event, nowMs);
      const { touched } = this.committer.turn;
      this.admission.admit(nowMs, this.jobs, (execution) => touched.add(this.opened(execution)));
      for (const execution of touched)
        for (const effect of execution.engine.takeEffects()) this.act(execution, effect);
      this.jobs.flush();
      this.committer.flush();
    } catch (error) {
      this.die(error);
    }
  }

  private take(item: LoopEvent, nowMs: number): void {
    const { turn } = this.committer;
    if (item.ops !== undefined) for (const op of item.ops) turn.ops.push(op);
    if (item.waiter !== undefined) {
      turn.waiters.push(item.waiter);
      turn.urgent = true;
    }
    switch (item.kind) {
      case 'settled':
        this.takeOutcome(item, nowMs);
        return;
      case 'engine':
        this.apply(
          item.execution,
          takeChildOutput(turn, this.options.store, item.execution, item.event),
          nowMs,
        );
        return;
      case 'adopt':
        turn.touched.add(this.opened(item.execution));
        if (item.recover) item.execution.engine.recover(nowMs);
        for (const event of item.events) this.apply(item.execution, event, nowMs);
        if (item.recover)
          for (const event of item.execution.engine.overdue(nowMs)) this.apply(item.execution, event, nowMs);
        this.admission.offer(item.execution);
        return;
      case 'suspend':
        for (const execution of this.active.values()) {
          execution.suspended = true;
          turn.touched.add(execution);
        }
        return;
      case 'commit':
        return;
    }
  }

  private takeOutcome(settled: LoopEvent & { kind: 'settled' }, nowMs: number): void {
    const job = this.jobs.settle(settled.jobId);
    if (job === undefined) return;
    if (this.jobs.size === 0) this.draining?.();
    const { turn } = this.committer;
    const log = this.logs.settle(job);
    if (log !== undefined) turn.ops.push(log);
    const { outcome } = settled;
    if (!outcome.ok && outcome.kind === 'lost') this.options.lost(job, outcome.error);
    this.apply(job.execution, reportOf(turn, this.options.store, job, settled, nowMs), nowMs);
  }

  private apply(execution: ActiveExecution, event: EngineEvent, nowMs: number): void {
    if (execution.released || execution.suspended) return;
    this.opened(execution).engine.apply(event, nowMs);
    const { turn } = this.committer;
    turn.touched.add(execution);
    turn.urgent = true;
    if (execution.isEnded) turn.ends = true;
    this.admission.offer(execution);
  }

  /** What the engine decides next belongs to the open turn. */
  private opened(execution: ActiveExecution): ActiveExecution {
    execution.engine.turn = this.committer.turn.number;
    return execution;
  }

  private act(execution: ActiveExecution, effect: Effect): void {
    // What would begin does so where it can run.
    if (execution.isVisitor && !OF_VISITORS.has(effect.kind)) return;
    switch (effect.kind) {
      case 'dispatch': {
        const job = this.jobs.create(execution, effect);
        if (this.committer.maySend(effect.readyTurn)) this.jobs.send(job);
        else this.committer.turn.held.push(job);
        return;
      }
      case 'cancel': {
        const message = `node "${execution.definition.plan.ids[effect.node]}" was cancelled`;
        const cancelled = { name: 'MaestroError', code: 'STEP_CANCELLED', message };
        this.jobs.cancel(execution, effect.node, effect.reason ?? cancelled);
        return;
      }
      case 'evaluate':
      case 'judge':
      case 'expand':
        void answerTo(execution, effect, this.jobs).then((event) => this.tell(execution, event));
        return;
      case 'child':
      case 'steerChild':
        this.committer.turn.afterwards.push(() => this.options.children(execution, effect));
        return;
      case 'keep': {
        const { node, run, text } = effect;
        keepOutput(this.committer.turn, this.options.store, { execution, node, run }, text);
        return;
      }
      case 'closed':
        return execution.mapValues.drop(effect.map);
      case 'wake':
        execution.wakeAt(this.timers, effect.node, effect.atMs, () =>
          this.tell(execution, { type: 'woke', node: effect.node }),
        );
        return;
      case 'deadline':
        // Keys below those of the nodes, which may have a timer of their own beside it; the workflow's is -1.
        execution.wakeAt(this.timers, -2 - effect.node, effect.atMs, () =>
          this.tell(execution, { type: 'deadlinePassed', node: effect.node }),
        );
        return;
    }
  }

  private publish(turn: Turn, records: readonly TurnRecord[]): void {
    // Under `exit` they are not in the store before the end.
    if (this.options.durability !== 'exit')
      for (const { execution, key } of turn.savedOutputs) execution.unsavedOutputs.delete(key);
    for (const job of turn.held) this.jobs.send(job);
    this.jobs.flush();
    for (const record of records) {
      const { execution, entries, sequence } = record;
      this.options.meter.entries(entries);
      if (execution.deriver !== null)
        for (const event of execution.deriver.derive(sequence, entries)) this.options.onEvent?.(event);
      execution.replicas?.publish(entries);
      execution.committing = [];
      this.options.published(execution);
      if (!record.atRest) continue;
      this.release(execution);
      this.options.atRest(execution);
      this.departures.end(execution.id);
    }
    for (const then of turn.afterwards) then();
    this.schedule();
  }

  private leave(execution: ActiveExecution): void {
    execution.released = true;
    if (this.active.get(execution.id) === execution) this.active.delete(execution.id);
    this.admission.withdraw(execution);
  }

  private release(execution: ActiveExecution): void {
    this.leave(execution);
    execution.stopTimers();
    execution.replicas?.stop();
  }

  private die(cause: unknown): void {
    if (this.dead) return;
    this.stop(cause);
    this.options.died(toErrorDocument(cause), cause);
  }
}
