import { systemClock } from '../base/clock.js';
import { isMaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded, type ExecutionMode } from '../base/model.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Job } from '../pool/index.js';
import { Definitions } from '../runtime/definitions.js';
import { History } from '../runtime/history.js';
import { readDocument } from '../runtime/reader.js';
import type { Execution, ExecutionDocument, Runtime } from '../runtime/types.js';
import { KvExecutionStore } from '../store/execution-store.js';
import { SimulatedDisk } from './disk.js';
import type { FaultKind } from './fault-plan.js';
import { keyedRandom } from './keyed-random.js';
import { SimulatedPool } from './pool.js';
import { Respondent } from './respondent.js';
import { SeedFates, type Cause, type Fate } from './seed-fates.js';
import { Timeline } from './timeline.js';
import type { WorkflowModel } from './workflow-model.js';
import { World, type BootOptions, type SimulatedProcess } from './world.js';

export interface TrialOptions {
  readonly faults: ReadonlySet<FaultKind>;
  readonly workers: number;
  readonly mode: ExecutionMode;
  readonly retries: boolean;
  readonly context: Readonly<Record<string, unknown>>;
  readonly startAtMs: number;
  /** Simulated time after which an execution is said not to end. */
  readonly limitMs: number;
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

/** Something that happened outside of the execution's own history. */
export interface Note {
  readonly atMs: number;
  readonly text: string;
}

/** How one seed went. */
export interface Trial {
  readonly model: WorkflowModel;
  readonly seed: number;
  /** Undefined when not even its start was stored. */
  readonly document: ExecutionDocument | undefined;
  readonly events: readonly ExecutionEvent[];
  readonly notes: readonly Note[];
  /** What made an attempt fail, or a wait go without an answer; absent when nothing did. */
  readonly causeOf: (nodeId: string, run: number, attempt: number) => Cause | null;
  /** How often each kind of fault happened. */
  readonly struck: Readonly<Record<FaultKind, number>>;
  /** What ended the runtime, though nothing made it: a bug of ours. */
  readonly failure: ErrorDocument | null;
}

const EXECUTION_ID = 'simulated';
const INLINE_AT_ONCE = 100;
const GRACE_MS = 5_000;
/** No request comes through the inbox but by a rare race: looking every 100 ms would make a week's wait take long. */
const INBOX_EVERY_MS = 3_600_000;
const MOST_RESTART_MS = 60_000;

type Process = SimulatedProcess<SimulatedPool>;

/**
 * Plays one seed: a process runs the execution and is started again whenever it dies, until the execution has ended.
 * @returns null when it was told to end before
 */
export async function playTrial(
  model: WorkflowModel,
  seed: number,
  options: TrialOptions,
): Promise<Trial | null> {
  return new TrialRun(model, seed, options).play();
}

class TrialRun {
  private readonly timeline: Timeline;
  private readonly world: World;
  private readonly disk: SimulatedDisk;
  private readonly fates: SeedFates;
  private readonly respondent: Respondent;
  private readonly boot: BootOptions<SimulatedPool>;
  private readonly notes: Note[] = [];
  private readonly causes = new Map<string, Cause>();
  private readonly struck: Record<FaultKind, number> = { crash: 0, timeout: 0, error: 0 };
  private process: Process | null = null;
  private over = false;
  private failure: ErrorDocument | null = null;

  constructor(
    private readonly model: WorkflowModel,
    private readonly seed: number,
    private readonly options: TrialOptions,
  ) {
    this.timeline = new Timeline(options.startAtMs);
    this.world = new World(this.timeline);
    this.fates = new SeedFates(model, seed, options.faults);
    this.disk = new SimulatedDisk(this.timeline, {
      latencyMs: () => 0,
      faultOf: (n) => this.fates.faults.crashes.get(n),
    });
    this.respondent = new Respondent({
      ...{ model, fates: this.fates, timeline: this.timeline, executionId: EXECUTION_ID },
      ask: (request) => this.ask(request),
      note: (nodeId, text) => this.note(`${nodeId} ${text}`),
      silent: (nodeId) => this.leaveAlone(nodeId),
      failed: (error) => this.fail(error),
    });
    this.boot = this.bootOptions();
  }

  async play(): Promise<Trial | null> {
    this.live().catch((error: unknown) => this.fail(error));
    const untilMs = this.timeline.nowMs + this.options.limitMs;
    const isStopped = (): boolean => this.options.signal?.aborted === true;
    await this.timeline.run(() => this.over || isStopped(), { untilMs });
    const stopped = !this.over && isStopped();
    this.over = true;
    this.process?.die('the simulation is over');
    if (stopped) return null;
    const { document, events } = await this.readBack();
    return {
      seed: this.seed,
      ...{ document, events, notes: this.notes, struck: this.struck, failure: this.failure },
      model: this.model,
      causeOf: (nodeId, run, attempt) => {
        const node = this.model.nodeOf(nodeId);
        if (this.model.waitOf(node) !== null) return this.fates.silenceOf(node);
        return this.causes.get(key(nodeId, run, attempt)) ?? null;
      },
    };
  }

  private bootOptions(): BootOptions<SimulatedPool> {
    const { mode, retries, workers } = this.options;
    const perKind = { inline: INLINE_AT_ONCE, module: workers, process: workers, command: workers };
    return {
      ...{ mode, retries, seed: this.seed, workflows: [this.model.workflow], graceMs: GRACE_MS },
      inboxEveryMs: INBOX_EVERY_MS,
      openDisk: (user) => this.disk.open(user),
      poolOf: ({ clock }) =>
        new SimulatedPool({ clock, slots: { perKind }, attemptOf: (job) => this.attemptOf(job) }),
      onEvent: (event) => this.respondent.heard(event),
    };
  }

  private attemptOf(job: Job): Fate {
    const { nodeId, attempt } = job.call;
    const fate = this.fates.attemptOf(job);
    if (fate.cause !== null) this.causes.set(key(nodeId, job.call.run, attempt), fate.cause);
    if (fate.cause === 'timeout' || fate.cause === 'error') this.struck[fate.cause]++;
    return fate;
  }

  private leaveAlone(nodeId: string): void {
    if (this.fates.silenceOf(this.model.nodeOf(nodeId)) === 'timeout') this.struck.timeout++;
    this.note(`${nodeId} is not answered`);
  }

  private async live(): Promise<void> {
    for (let life = 0; !this.over; life++) {
      const process = this.world.create('process-', this.boot);
      this.process = process;
      void this.lead(process, life);
      const why = await process.dead;
      if (this.over) return;
      this.struck.crash++;
      const when = why.endsWith('is not written')
        ? 'before a commit is written'
        : 'after a commit, before it is answered';
      this.note(`the process dies ${when}`);
      const restart = keyedRandom(this.seed, 'restart', life);
      await this.timeline.sleep(Math.round(restart() * MOST_RESTART_MS));
    }
  }

  private async lead(process: Process, life: number): Promise<void> {
    try {
      const runtime = await this.world.start(process, this.boot);
      if (life > 0) this.note('the process starts again');
      const execution = await this.begin(runtime);
      await execution?.result;
      this.over = true;
    } catch (error) {
      if (process.alive) this.fail(error);
    }
  }

  /** @returns undefined when it has ended before */
  private async begin(runtime: Runtime): Promise<Execution | undefined> {
    const { model, options } = this;
    const document = await runtime.get(EXECUTION_ID);
    if (document === undefined)
      return runtime.start(model.workflow, options.context, { executionId: EXECUTION_ID });
    if (isWorkflowStatusEnded(document.status)) return undefined;
    this.respondent.look(document);
    try {
      return await runtime.resume(EXECUTION_ID);
    } catch (error) {
      // It has ended meanwhile.
      if (isMaestroError(error, 'EXECUTION_STATE')) return undefined;
      throw error;
    }
  }

  private async ask(request: (runtime: Runtime) => Promise<void>): Promise<boolean> {
    const { process } = this;
    if (process === null || !process.alive || process.runtime === null) return false;
    return Promise.race([request(process.runtime).then(() => true), process.dead.then(() => false)]);
  }

  private fail(error: unknown): void {
    this.failure ??= isMaestroError(error) ? withoutStack(error) : toErrorDocument(error);
    this.over = true;
  }

  private note(text: string): void {
    this.notes.push({ atMs: Math.floor(this.timeline.nowMs), text });
  }

  private async readBack(): Promise<{ document: ExecutionDocument | undefined; events: ExecutionEvent[] }> {
    const store = new KvExecutionStore(this.disk.rows);
    const definitions = new Definitions([this.model.workflow]);
    const isHere = (): boolean => false;
    const document = await readDocument(store, definitions, EXECUTION_ID, {
      live: undefined,
      isInterrupted: async () => false,
    });
    const events: ExecutionEvent[] = [];
    if (document === undefined) return { document, events };
    const history = new History({ store, definitions, clock: systemClock, isHere });
    for await (const event of history.events(EXECUTION_ID)) events.push(event);
    return { document, events };
  }
}

function withoutStack(error: Error): ErrorDocument {
  const { stack: _, ...document } = toErrorDocument(error);
  return document;
}

function key(nodeId: string, run: number, attempt: number): string {
  return `${run}/${attempt}/${nodeId}`;
}
