import { after, type Clock } from '../base/clock.js';
import { toErrorDocument, type ErrorDocument } from '../base/errors.js';
import { IdMap } from '../base/id-map.js';
import type { NodeOutput } from '../base/model.js';
import { LEAF } from '../engine/columns.js';
import type { Effect } from '../engine/effects.js';
import type { QueueWish } from '../policy/queue.js';
import type { FetchKind, Job, JobOutcome, Pool, StepKind } from '../pool/index.js';
import type { ExecutionStore } from '../store/types.js';
import type { ActiveExecution } from './active-execution.js';
import { AttemptCall, AttemptJob } from './attempt-job.js';
import { completedBefore, repeatOf } from './call-parts.js';
import { AttemptInputs, NO_TEXTS, type Inputs } from './inputs.js';
import { RunningJob } from './running-job.js';
import { cacheHash, isCached, lookUp } from './step-cache.js';
import { outputText, textOf } from './outputs.js';

/** So many attempts are prepared at most while they wait for a commit: about what it takes to keep workers busy until the rest is. */
const PREPARED_AT_ONCE = 512;

interface JobsOptions {
  readonly store: ExecutionStore;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly artifactRoot: string;
  readonly graceMs: number;
  /** Called when a job ends without the pool: its inputs could not be read. */
  readonly failed: (job: RunningJob, error: ErrorDocument) => void;
  /** Called when a job has ended, however that was, whose node is in a queue. */
  readonly left: (wish: QueueWish) => void;
  /** Why it cannot be said whether the children of an execution that compensates have stopped. */
  readonly childError: (execution: ActiveExecution) => ErrorDocument | undefined;
  /** Called when a job needs no pool: its result is known. */
  readonly found: (jobId: number, outcome: JobOutcome, hash: string) => void;
}

function stopAll({ stopTimers }: RunningJob): void {
  if (stopTimers !== null) for (const stop of stopTimers) stop();
}

/** The attempts under way: builds their calls, sends them to the pool in batches, keeps their deadlines. */
export class Jobs {
  private readonly jobs = new IdMap<RunningJob>();
  /** Attempts the pool does not have yet, by kind of step: they take room all the same. */
  private readonly waitingByKind: Record<StepKind, number> = { inline: 0, module: 0, process: 0, command: 0 };
  private outbox: Job[] = [];
  private nextId = 1;

  constructor(private readonly options: JobsOptions) {}

  /** Attempts decided and not settled, over all executions. */
  get size(): number {
    return this.jobs.size;
  }

  /** Attempts that the pool has. */
  sent(): RunningJob[] {
    return this.jobs.values().filter(({ state }) => state === 'sent');
  }

  get(id: number): RunningJob | undefined {
    return this.jobs.get(id);
  }

  /** Attempts of this kind of step that the pool does not have yet. */
  waiting(kind: StepKind): number {
    return this.waitingByKind[kind];
  }

  /** Registers an attempt; it is sent by `send`. */
  create(execution: ActiveExecution, effect: Extract<Effect, { kind: 'dispatch' }>): RunningJob {
    const { node } = effect;
    const job = new RunningJob(this.nextId++, execution, effect, completedBefore(execution, node));
    this.jobs.set(job.id, job);
    execution.jobs.set(node, job);
    this.waitingByKind[execution.definition.stepOf(node).kind]++;
    return job;
  }

  /**
   * These wait for a commit that is under way: what is certain about them already is done now, and the pool makes ready what
   * it can. Whether they are sent is decided by `send`.
   */
  prepare(held: readonly RunningJob[]): void {
    const prepared: Job[] = [];
    for (const job of held) {
      const { compensations } = job.execution.definition;
      if (job.state !== 'held' || !job.execution.stopping.isEmpty || compensations.has(job.node)) continue;
      job.prepared = this.atHand(job);
      if (job.prepared !== null) prepared.push(job.prepared);
      if (prepared.length === PREPARED_AT_ONCE) break;
    }
    if (prepared.length > 0) this.options.pool.stage?.(prepared);
  }

  /** Puts a job into the outbox, once its inputs are at hand. */
  send(job: RunningJob): void {
    if (job.state !== 'held') return;
    if (job.execution.stopping.holds(job)) return;
    if (job.prepared !== null) return this.enqueue(job, job.prepared);
    const error = job.execution.definition.compensations.has(job.node)
      ? this.options.childError(job.execution)
      : undefined;
    if (error !== undefined) return this.options.failed(job, error);
    const given = this.atHand(job);
    if (given === null) this.lookFor(job);
    else this.enqueue(job, given);
  }

  /** Sends it once what it lacks has been read. */
  private lookFor(job: RunningJob): void {
    const { large } = new AttemptInputs(job, NO_TEXTS);
    const { execution, node: own } = job;
    const outputText = (of: number): Promise<string> => this.outputText(execution, of);
    const item = knowsItem(job) ? undefined : execution.mapValues.load(execution, own, outputText);
    const loads = (large ?? []).map(async (node) => [node, await this.inputText(job, node)] as const);
    const prepared = Promise.all([Promise.all(loads), item]).then(async ([entries]) => {
      const texts = new Map(entries);
      return { texts, output: isCached(job) ? await this.lookUp(job, texts) : undefined };
    });
    prepared.then(
      ({ texts, output }) => {
        if (job.state !== 'held') return;
        if (output !== undefined)
          return this.options.found(
            job.id,
            { ok: true, output, artifacts: [], durationMs: 0 },
            job.cacheHash!,
          );
        this.enqueue(job, this.jobOf(job, new AttemptInputs(job, texts), texts));
        this.flush();
      },
      (error: unknown) => this.lose(job, error),
    );
  }

  /** The attempt as the pool takes it, unless something has to be read for it first. */
  private atHand(job: RunningJob): Job | null {
    if (isCached(job) || !knowsItem(job)) return null;
    const inputs = new AttemptInputs(job, NO_TEXTS);
    return inputs.large === null ? this.jobOf(job, inputs, NO_TEXTS) : null;
  }

  /** Its inputs cannot be read. */
  private lose(job: RunningJob, error: unknown): void {
    if (job.state === 'held') this.options.failed(job, toErrorDocument(error));
  }

  /** Keeps the counts of those that wait. */
  private move(job: RunningJob, state: 'sent' | 'over'): void {
    if (job.state === 'held') this.waitingByKind[job.execution.definition.stepOf(job.node).kind]--;
    job.state = state;
  }

  /** What a step like this one gave before, from the same. */
  private async lookUp(job: RunningJob, texts: ReadonlyMap<number, string>): Promise<string | undefined> {
    const { store, clock } = this.options;
    const outputText = (node: number): Promise<string> => this.outputText(job.execution, node);
    job.cacheHash = await cacheHash(job, new AttemptInputs(job, texts), outputText);
    return (await lookUp(store, job, job.cacheHash, clock.nowMs()))?.output;
  }

  /** Hands the outbox to the pool: one call, so that the pool can batch. */
  flush(): void {
    if (this.outbox.length === 0) return;
    const jobs = this.outbox;
    this.outbox = [];
    this.options.pool.dispatch(jobs);
  }

  /** Starts the cancellation of a node's attempt, if one is under way. */
  cancel(execution: ActiveExecution, node: number, reason: ErrorDocument): void {
    const job = execution.jobs.get(node);
    if (job === undefined) return;
    if (job.state === 'sent') {
      execution.stopping.add(job);
      this.options.pool.cancel(job.id, reason, this.options.graceMs);
    } else this.remove(job);
  }

  /** The attempt has an outcome. @returns undefined when it is unknown (dropped before) */
  settle(id: number): RunningJob | undefined {
    const job = this.jobs.get(id);
    if (job !== undefined) this.remove(job);
    return job;
  }

  /** The attempt executes now: its clocks run from here, not from its dispatch. */
  started(id: number): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    const { timeout_seconds, heartbeat_timeout_seconds } = job.execution.definition.nodeSpec(job.node);
    if (timeout_seconds !== undefined) this.deadline(job, timeout_seconds, 'STEP_TIMEOUT');
    if (heartbeat_timeout_seconds !== undefined)
      this.deadline(job, heartbeat_timeout_seconds, 'STEP_HEARTBEAT');
  }

  heartbeat(id: number): void {
    const job = this.jobs.get(id);
    const seconds = job?.execution.definition.nodeSpec(job.node).heartbeat_timeout_seconds;
    if (job === undefined || seconds === undefined) return;
    // The heartbeat timer is the last one armed by `started`.
    job.stopTimers?.pop()?.();
    this.deadline(job, seconds, 'STEP_HEARTBEAT');
  }

  /** Answers what a step asks for on demand, as JSON text. */
  async fetch(id: number, kind: FetchKind): Promise<string> {
    const job = this.jobs.get(id);
    if (job === undefined) return '{}';
    const { execution } = job;
    if (kind === 'globalContext') return execution.globalContext;
    const { columns } = execution.engine.state;
    const parts: string[] = [];
    // Results of items are in the output of their map.
    for (let node = 0; node < execution.definition.plan.fixedCount; node++) {
      if (columns.leaf[node] !== LEAF.completed) continue;
      const text =
        kind === 'allOutputs'
          ? await this.outputText(execution, node)
          : JSON.stringify(columns.artifacts.get(node) ?? []);
      parts.push(execution.definition.keyOf(node) + text);
    }
    return `{${parts.join()}}`;
  }

  /** @throws RECORD_CORRUPT when the store lost it */
  outputText(execution: ActiveExecution, node: number): Promise<string> {
    const { id: executionId, definition, engine, unsavedOutputs: unsaved } = execution;
    const { columns } = engine.state;
    return outputText(this.options.store, { executionId, ids: definition.plan.ids, columns, unsaved }, node);
  }

  /** The text of an output of any run. @throws RECORD_CORRUPT when the store lost it */
  textOf(
    { id: executionId, definition, unsavedOutputs: unsaved }: ActiveExecution,
    which: { node: number; run: number; output: NodeOutput },
  ): Promise<string> {
    return textOf(this.options.store, { executionId, ids: definition.plan.ids, unsaved }, which);
  }

  /** Nothing of what runs is waited for any more. */
  abandon(): void {
    for (const job of this.jobs.values()) stopAll(job);
  }

  private remove(job: RunningJob): void {
    this.move(job, 'over');
    this.jobs.delete(job.id);
    if (job.execution.jobs.get(job.node) === job) job.execution.jobs.delete(job.node);
    stopAll(job);
    const wish = job.execution.definition.queues?.wishOf(job.node);
    if (wish !== undefined) this.options.left(wish);
    for (const next of job.execution.stopping.ended(job)) this.send(next);
  }

  private deadline(job: RunningJob, seconds: number, code: 'STEP_TIMEOUT' | 'STEP_HEARTBEAT'): void {
    const { clock, pool, graceMs } = this.options;
    const what =
      code === 'STEP_TIMEOUT' ? `took longer than ${seconds} s` : `sent no heartbeat for ${seconds} s`;
    const message = `attempt ${job.attempt} of node "${job.execution.definition.plan.ids[job.node]}" ${what}`;
    const fire = (): void => pool.cancel(job.id, { name: 'MaestroError', code, message }, graceMs);
    (job.stopTimers ??= []).push(after(clock, seconds * 1000, fire));
  }

  /** Of a dependency; of the node itself: of its iteration before. */
  private inputText({ execution, node, run }: RunningJob, of: number): Promise<string> {
    if (of !== node) return this.outputText(execution, of);
    const { output } = execution.engine.state.columns.iterations.get(node)!;
    return this.textOf(execution, { node, run: run - 1, output });
  }

  private enqueue(job: RunningJob, given: Job): void {
    this.move(job, 'sent');
    this.outbox.push(given);
  }

  /** @param texts of large outputs */
  private jobOf(job: RunningJob, inputs: Inputs, texts: ReadonlyMap<number, string>): Job {
    const repeat = job.execution.definition.repeats.size > 0 ? repeatOf(job, texts) : null;
    return new AttemptJob(job, new AttemptCall(job, this.options.artifactRoot, inputs, repeat));
  }
}

/** Whether what the attempt of an item is for is in memory; others are for none. */
function knowsItem({ execution, node }: RunningJob): boolean {
  return node < execution.definition.plan.fixedCount || execution.mapValues.has(execution, node);
}
