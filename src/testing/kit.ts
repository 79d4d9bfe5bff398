import { AssertionError } from 'node:assert';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { seededRandom } from '../base/random.js';
import type { ExecutionMode } from '../base/model.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { StepCall } from '../pool/port.js';
import { LocalRuntime } from '../runtime/local-runtime.js';
import { settingsOf } from '../runtime/options.js';
import type { ExecutionDocument, ExecutionResult, Runtime } from '../runtime/types.js';
import { SimulatedClock, Timeline } from '../simulation/timeline.js';
import type { Workflow } from '../spec/index.js';
import { openStore } from '../store/open.js';
import { TestPool } from './pool.js';
import type { Stub } from './stubs.js';

export interface TestOptions {
  /** What nodes do instead of their steps, by node id, or `workflow id/node id`. Others run as they are, in this thread. */
  stubs?: Readonly<Record<string, Stub>>;
  /** When the simulated time begins. Default 2030-01-01T00:00:00Z. */
  startAt?: Date;
  /** Of the random numbers for ids and jitter. Default 1. */
  seed?: number;
  /** Default dag_parallel. */
  mode?: ExecutionMode;
  /** false: every node has one attempt. Default true. */
  retries?: boolean;
  /** Starts what is due by `runtime.schedules`, ten simulated seconds late at most. Default false. */
  schedules?: boolean;
  /** Where steps put artifacts. Default: a folder below the system's for temporary files. */
  artifactRoot?: string;
  /**
   * Time stands still while a step's own function executes, in case it does real work; after so many real
   * milliseconds it goes on, in case the function waits for it. Default 200.
   */
  patienceMs?: number;
}

/** What a step was given. */
export interface GivenCall {
  readonly executionId: string;
  readonly attempt: number;
  readonly config: unknown;
  readonly dependencyOutputs: unknown;
}

/** Where `until` stops: before the step of a node begins (or its wait has begun), or once it has ended. */
export type Stop = 'reached' | 'settled';

const SETTLED = new Set(['node_completed', 'node_skipped', 'node_blocked', 'node_cancelled']);
/** No other process sends requests here. */
const INBOX_EVERY_MS = Infinity;
const SCHEDULES_EVERY_MS = 10_000;
const DAY_MS = 86_400_000;
/** So long without an event is a standstill, whatever timers there are. */
const LIMIT_MS = { alone: 3_660 * DAY_MS, scheduled: 62 * DAY_MS };

/**
 * A runtime for tests: the real one, over a store in memory, with stubs for steps, without threads and processes. Its time
 * is simulated and passes only while a method here is awaited: sleeps, retries, timeouts and schedules take no real time.
 */
export async function testRuntime(options: TestOptions = {}): Promise<TestKit> {
  const timeline = new Timeline((options.startAt ?? new Date(Date.UTC(2030, 0, 1))).getTime());
  const clock = withoutEndless(new SimulatedClock(timeline, () => true));
  const { stubs = {}, mode, retries, schedules } = options;
  const pool = new TestPool(clock, ({ workflowId, nodeId }) =>
    Object.hasOwn(stubs, `${workflowId}/${nodeId}`)
      ? stubs[`${workflowId}/${nodeId}`]
      : Object.hasOwn(stubs, nodeId)
        ? stubs[nodeId]
        : undefined,
  );
  const artifactRoot = options.artifactRoot ?? join(tmpdir(), `maestro-testing-${process.pid}`);
  const random = seededRandom(options.seed ?? 1);
  const given = settingsOf({ store: 'memory:', clock, random, mode, retries, schedules, artifactRoot });
  const settings = { ...given, inboxEveryMs: INBOX_EVERY_MS, schedulesEveryMs: SCHEDULES_EVERY_MS };
  const events: ExecutionEvent[] = [];
  const kit: { heard?: (event: ExecutionEvent) => void } = {};
  const runtime = new LocalRuntime(await openStore('memory:', clock), pool, settings, [], (event) => {
    events.push(event);
    kit.heard?.(event);
  });
  const limitMs = schedules === true ? LIMIT_MS.scheduled : LIMIT_MS.alone;
  const patience = { realMs: options.patienceMs ?? 200, simulatedMs: limitMs };
  return new TestKit(runtime, timeline, pool, events, patience, kit);
}

interface StopPoint {
  readonly executionId: string;
  readonly nodeId: string;
  readonly at: Stop;
  hit: boolean;
}

function isHit(stop: StopPoint, { execution_id, node_id, event_type, data }: ExecutionEvent): boolean {
  if (stop.executionId !== execution_id || stop.nodeId !== node_id) return false;
  const waits = event_type === 'node_started' && data.waiting_for !== undefined;
  const isOver = SETTLED.has(event_type) || (event_type === 'node_failed' && data.will_retry === false);
  return isOver || (waits && stop.at === 'reached');
}

/** What would come after an endless time never comes. */
function withoutEndless(clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    setTimer: (delayMs, fn) => (delayMs === Infinity ? () => {} : clock.setTimer(delayMs, fn)),
  };
}

export class TestKit {
  /** null: every step may begin. */
  private stop: StopPoint | null = null;

  /** @internal */
  constructor(
    /** For everything that tests do as others would: reviews, signals, pauses, cancellations, schedules. */
    readonly runtime: Runtime,
    private readonly timeline: Timeline,
    private readonly pool: TestPool,
    /** Of all executions, as they came. */
    readonly events: readonly ExecutionEvent[],
    private readonly patience: { readonly realMs: number; readonly simulatedMs: number },
    ears: { heard?: (event: ExecutionEvent) => void },
  ) {
    ears.heard = (event) => this.heard(event);
    pool.holds = (call) => this.holds(call);
  }

  /** The simulated time. */
  get now(): Date {
    return new Date(this.timeline.nowMs);
  }

  /** Begins an execution; no step of it begins yet, and time stands still. */
  async start(workflow: Workflow, context: Record<string, unknown> = {}): Promise<TestRun> {
    this.stop = { executionId: '', nodeId: '', at: 'settled', hit: true };
    const { id, result } = await this.wait(this.runtime.start(workflow, context));
    result.catch(() => {});
    return new TestRun(id, this, result);
  }

  /** Runs an execution to its end. @throws AssertionError when it stands still before */
  async run(workflow: Workflow, context?: Record<string, unknown>): Promise<TestRun> {
    const run = await this.start(workflow, context);
    await run.end();
    return run;
  }

  /** Lets so many seconds pass. */
  async skip(seconds: number): Promise<void> {
    this.letGo();
    let isOver = false;
    this.timeline.after(seconds * 1000, () => (isOver = true));
    await this.pass(() => isOver, Infinity);
  }

  /** Awaits what takes simulated time. @throws AssertionError when nothing can happen any more before */
  passing<T>(promise: Promise<T>): Promise<T> {
    this.letGo();
    return this.wait(promise);
  }

  private async wait<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    if (!(await this.pass(() => isSettled))) throw standstill('what is awaited does not come');
    return promise;
  }

  /** What the steps of a node were given, in the order in which they began. */
  calls(nodeId: string): GivenCall[] {
    return this.pool.given
      .filter((call) => call.nodeId === nodeId)
      .map(({ executionId, attempt, nodeConfig, dependencyOutputs }) => ({
        executionId,
        attempt,
        config: JSON.parse(nodeConfig) as unknown,
        dependencyOutputs: JSON.parse(dependencyOutputs) as unknown,
      }));
  }

  /** @internal */
  async stopAt(executionId: string, nodeId: string, at: Stop): Promise<boolean> {
    const stop: StopPoint = { executionId, nodeId, at, hit: false };
    const hasBegun = (call: StepCall): boolean => call.executionId === executionId && call.nodeId === nodeId;
    if (this.events.some((event) => isHit(stop, event))) return true;
    if (at === 'reached' && this.pool.given.some(hasBegun)) return true;
    this.stop = stop;
    this.pool.release();
    return this.pass(() => stop.hit);
  }

  /** Everything goes on. @internal */
  letGo(): void {
    this.stop = null;
    this.pool.release();
  }

  async close(): Promise<void> {
    this.letGo();
    await this.passing(this.runtime.close({ drainMs: 0, graceMs: 0 }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @returns false when it came to a standstill before */
  private async pass(done: () => boolean, limitMs = this.patience.simulatedMs): Promise<boolean> {
    let quietSinceMs = performance.now();
    let seen = -1;
    let last = { events: -1, atMs: 0 };
    const isLost = (): boolean => {
      if (last.events !== this.events.length)
        last = { events: this.events.length, atMs: this.timeline.nowMs };
      return this.timeline.nowMs - last.atMs > limitMs;
    };
    for (;;) {
      const isWaiting = (): boolean =>
        this.pool.executing > 0 && performance.now() - quietSinceMs < this.patience.realMs;
      const moved = await this.timeline.run(() => done() || isWaiting() || isLost());
      if (done()) return true;
      if (!moved || isLost()) return false;
      if (this.events.length !== seen) quietSinceMs = performance.now();
      seen = this.events.length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  private holds({ executionId, nodeId }: StepCall): boolean {
    const { stop } = this;
    if (stop === null) return false;
    if (stop.hit) return true;
    if (stop.at !== 'reached' || stop.executionId !== executionId || stop.nodeId !== nodeId) return false;
    return (stop.hit = true);
  }

  private heard(event: ExecutionEvent): void {
    if (this.stop !== null && isHit(this.stop, event)) this.stop.hit = true;
  }
}

/** One execution of a test. */
export class TestRun {
  /** @internal */
  constructor(
    readonly id: string,
    private readonly kit: TestKit,
    private readonly result: Promise<ExecutionResult>,
  ) {}

  /** Its events, as they came. */
  get events(): readonly ExecutionEvent[] {
    return this.kit.events.filter(({ execution_id }) => execution_id === this.id);
  }

  /** As it is now. */
  async document(): Promise<ExecutionDocument> {
    return (await this.kit.runtime.get(this.id))!;
  }

  /** What nodes have given so far, by id. */
  async outputs(): Promise<Record<string, unknown>> {
    return (await this.document()).node_outputs;
  }

  /**
   * Lets time pass until a node is reached or settled. No step begins from then on until the next `until` or `end`.
   * @throws AssertionError when it stands still, or ends, before
   */
  async until(nodeId: string, stop: Stop = 'settled'): Promise<ExecutionDocument> {
    if (await this.kit.stopAt(this.id, nodeId, stop)) return this.document();
    throw standstill(`node "${nodeId}" is never ${stop}`, await this.document());
  }

  /** Lets time pass until it has ended, or is paused. @throws AssertionError when it stands still before */
  async end(): Promise<ExecutionResult> {
    this.kit.letGo();
    try {
      return await this.kit.passing(this.result);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      throw standstill('it does not end', await this.document());
    }
  }
}

function standstill(what: string, document?: ExecutionDocument): AssertionError {
  const open = Object.values(document?.node_states ?? {})
    .filter(({ status }) => status === 'running' || status === 'ready')
    .map(({ node_id, metadata }) => {
      const wait = metadata.waiting_for as { kind: string; signal?: string } | undefined;
      if (wait === undefined) return `${node_id} runs`;
      return `${node_id} waits (${wait.kind}${wait.signal === undefined ? '' : ` ${wait.signal}`})`;
    });
  const state = document === undefined ? '' : `; the execution is ${document.status}`;
  const nodes = open.length === 0 ? '' : `: ${open.join(', ')}`;
  return new AssertionError({ message: `${what}: nothing can happen any more${state}${nodes}` });
}
