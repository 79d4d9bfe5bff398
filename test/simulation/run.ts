import { isMaestroError, toErrorDocument } from '../../src/base/errors.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { Kv, KvOp } from '../../src/store/kv.js';
import type { LogPlace } from '../../src/store/log-files.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { Job } from '../../src/pool/index.js';
import type { LocalRuntime } from '../../src/runtime/local-runtime.js';
import { SimulatedDisk, type CommitFault, type DiskUser } from '../../src/simulation/disk.js';
import { SimulatedPool, type SimulatedAttempt } from '../../src/simulation/pool.js';
import { Timeline } from '../../src/simulation/timeline.js';
import { World, type BootOptions } from '../../src/simulation/world.js';
import type { Workflow } from '../../src/spec/index.js';
import { checkEnd } from './end.js';
import { QUEUES } from './features.js';
import { fateOf, outputOf, type Fault, type Scenario, type StepFault } from './scenario.js';
import { lasting, Users, type Process } from './users.js';
import type { Shadow } from './shadow.js';
import type { Violation } from './violation.js';
import { Witness } from './witness.js';

/** Parts to be broken on purpose: the simulator must notice. */
export interface Broken {
  /** Wraps the disk as a process sees it. */
  readonly disk?: (kv: Kv, user: DiskUser, simulated: SimulatedDisk) => Kv;
  /** Wraps the logs of commits beside it. Default: with a broken disk there are none. */
  readonly logs?: (place: LogPlace) => LogPlace;
  readonly pool?: (pool: SimulatedPool) => SimulatedPool;
  readonly boot?: Partial<BootOptions<SimulatedPool>>;
  readonly event?: (event: ExecutionEvent, tell: (event: ExecutionEvent) => void) => void;
  /** The workflow that is started instead. */
  readonly workflow?: (workflow: Workflow) => Workflow;
}

export interface RunReport {
  readonly trace: readonly string[];
  readonly violation: Violation | null;
  readonly commits: number;
  readonly steps: number;
  /** Processes that ran. */
  readonly lives: number;
  readonly simulatedMs: number;
}

const GRACE_MS = 300;
/** What an execution may take once nothing goes wrong any more. */
const CALM_STEPS = 20_000;
/** A clock that was set holds up what waits for a time of day. */
const CALM_MS = 24 * 60 * 60 * 1000;

/** Errors that a request may come to: the world is not as its sender thought. */
const EXPECTED = new Set([
  ...['EXECUTION_STATE', 'EXECUTION_OWNED', 'EXECUTION_NOT_FOUND', 'EXECUTION_EXISTS', 'STORE_CONFLICT'],
  ...['STORE_COMMIT', 'RUNTIME_CLOSED', 'RUNTIME_DIED', 'LEASE_LOST', 'RECORD_CORRUPT'],
]);

/** One run of a scenario: the world, those who live in it, and what goes wrong. */
export class Run {
  readonly trace: string[] = [];
  readonly witness: Witness;
  private readonly timeline = new Timeline();
  private readonly began = this.timeline.nowMs;
  private readonly world = new World(this.timeline);
  private readonly disk: SimulatedDisk;
  private readonly processes: Process[] = [];
  private readonly pending: Fault[];
  private readonly commitFaults = new Map<number, CommitFault>();
  private readonly users: Users;
  private calm = false;
  private latencyCount = 0;
  private lossCount = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly broken: Broken = {},
  ) {
    this.witness = new Witness(scenario, (shadow, node) => void this.users.answerSoon(shadow, node));
    this.pending = scenario.faults.filter(({ at }) => at === 'step');
    for (const fault of scenario.faults)
      if (fault.at === 'commit') this.commitFaults.set(fault.n, fault.commit);
    this.disk = new SimulatedDisk(this.timeline, {
      latencyMs: () => (scenario.latencyMs * this.hash(this.latencyCount++)) / 50,
      faultOf: (n) => (this.calm ? undefined : this.commitFaults.get(n)),
      applied: (user, ops: readonly KvOp[]) => this.witness.committed(user, ops),
      torn: (key) => this.witness.torn(key),
      note: (user, text) => this.note(`${user.name} ${text}`),
    });
    this.users = new Users({
      scenario,
      witness: this.witness,
      timeline: this.timeline,
      living: () => this.living,
      started: broken.workflow ?? ((workflow) => workflow),
      hash: (n) => this.hash(n),
      note: (text) => this.note(text),
      judge: (what, error) => this.judge(what, error),
    });
  }

  async play(): Promise<RunReport> {
    // What nobody catches would end the process that the runtime is a guest of.
    const uncaught = (error: unknown): void =>
      this.witness.fail('NOTHING_UNCAUGHT', String((error as Error).stack));
    process.on('unhandledRejection', uncaught);
    try {
      return await this.playOut();
    } finally {
      process.off('unhandledRejection', uncaught);
    }
  }

  private async playOut(): Promise<RunReport> {
    this.keepRunning('a');
    for (const planned of this.scenario.executions) void this.users.startWhenDue(planned);
    const allDone = (): boolean =>
      this.witness.violation !== null ||
      (this.users.areAnswered && [...this.witness.shadows.values()].every((shadow) => this.isDone(shadow)));
    const allOver = (): boolean =>
      this.witness.violation !== null || (this.pending.length === 0 && allDone());
    await this.timeline.run(allOver, { maxSteps: 1_000, beforeStep: () => this.strike() });
    this.calm = true;
    this.disk.full = false;
    this.note('calm');
    await this.finish(allDone);
    return {
      trace: this.trace,
      violation: this.witness.violation,
      commits: this.disk.commits,
      steps: this.timeline.steps,
      lives: this.processes.length,
      simulatedMs: this.timeline.nowMs - this.began,
    };
  }

  private async finish(allDone: () => boolean): Promise<void> {
    const limits = { maxSteps: CALM_STEPS, untilMs: this.timeline.nowMs + CALM_MS };
    void this.users.seeToTheEnd((shadow) => this.isDone(shadow));
    if (!(await this.timeline.run(allDone, limits)) && this.witness.violation === null) {
      const open = [...this.witness.shadows.values()].filter((shadow) => !this.isDone(shadow));
      const said = open.map(({ planned, record }) => `${planned.id} is ${record?.status ?? 'not stored'}`);
      this.witness.fail('ENDS', `did not end although nothing went wrong any more: ${said.join(', ')}`);
    }
    if (this.witness.violation !== null) return;
    // Once more, to see that nothing happens after the end; then what is stored must be as it was told.
    await this.timeline.run(() => false, { maxSteps: 200, untilMs: this.timeline.nowMs + 5_000 });
    let checked = false;
    void checkEnd(this.disk.rows, this.scenario, this.witness).then(() => (checked = true));
    await this.timeline.run(() => checked, { maxSteps: CALM_STEPS });
    if (!checked) this.witness.fail('ENDS', 'the store could not be read to its end');
  }

  /** An execution needs nothing more: it has ended and left, is deleted, or is damaged, which is all that can be said. */
  private isDone({ record, damaged, deleted, lineage, parent }: Shadow): boolean {
    if (damaged || deleted) return true;
    if (record === null) return lineage !== null || parent !== null;
    if (!isWorkflowStatusEnded(record.status)) return false;
    return !this.processes.some(
      ({ alive, name }) => alive && this.witness.ownerIdOf(name) === record.ownerId,
    );
  }

  // Processes

  /** A process that is started again whenever it dies, like a service. */
  private keepRunning(name: string): void {
    const live = async (): Promise<void> => {
      for (let life = 0; ; life++) {
        const process = this.begin(name);
        void this.boot(process);
        const why = await process.dead;
        this.note(`${process.name} is dead: ${why}`);
        await this.timeline.sleep(10 + 200 * this.hash(life));
      }
    };
    void live();
  }

  private begin(name: string): Process {
    const process = this.world.create(name, this.bootOptions());
    this.processes.push(process);
    return process;
  }

  private bootOptions(): BootOptions<SimulatedPool> {
    const { seed, mode, durability, slots, maxActive, executions, retention } = this.scenario;
    const tell = (event: ExecutionEvent): void => this.witness.announced(event);
    const { logs, disk: brokenDisk } = this.broken;
    // What is broken on the disk is to be found on the disk.
    const withoutLogs = brokenDisk !== undefined && logs === undefined;
    return {
      seed,
      mode,
      durability,
      maxActiveExecutions: maxActive,
      recoverEveryMs: 1_000,
      retention,
      workflows: executions.map(({ workflow }) => workflow),
      graceMs: GRACE_MS,
      queues: QUEUES,
      openDisk: (user) => {
        const kv = this.disk.open(user);
        return this.broken.disk?.(kv, user, this.disk) ?? kv;
      },
      ...(!withoutLogs && {
        openLogs: (user) => logs?.(this.disk.openLogs(user)) ?? this.disk.openLogs(user),
      }),
      poolOf: (process) => {
        const pool: SimulatedPool = new SimulatedPool({
          clock: process.clock,
          slots,
          attemptOf: (job) => this.attemptOf(process, job),
          settled: (job, outcome) => {
            this.witness.settled(process, job);
            this.note(`${process.name} ${nameOf(job)} ${outcome.ok ? 'ok' : outcome.kind}`);
          },
        });
        return this.broken.pool?.(pool) ?? pool;
      },
      onEvent: (event) => {
        this.note(
          `told ${event.execution_id} ${event.event_type} ${event.node_id ?? ''} ${event.event_id ?? ''}`,
        );
        if (this.broken.event !== undefined) this.broken.event(event, tell);
        else tell(event);
      },
      ...this.broken.boot,
    };
  }

  private async boot(process: Process): Promise<void> {
    try {
      this.note(`${process.name} starts`);
      await this.world.start(process, this.bootOptions());
      this.note(`${process.name} runs`);
      while (process.alive) {
        await this.timeline.sleep(this.calm ? 500 : 50);
        const { failure } = process.runtime!;
        if (failure === undefined) continue;
        if (!EXPECTED.has(failure.code))
          this.witness.fail('RUNTIME_LIVES', `${failure.code}: ${failure.message}`);
        process.die(failure.code);
      }
    } catch (error) {
      this.judge(`${process.name} cannot start`, error);
      process.die('cannot start');
    }
  }

  private attemptOf(process: { name: string }, job: Job): SimulatedAttempt {
    const { executionId, nodeId, attempt, run } = job.call;
    const owner = this.processes.find(({ name }) => name === process.name)!;
    this.witness.dispatched(owner, job);
    this.note(`${process.name} ${nameOf(job)} is sent`);
    const { planned } = this.witness.shadowOf(executionId)!;
    const { outcome, durationMs } = fateOf(planned, nodeId, attempt, run);
    const error = toErrorDocument(Object.assign(new Error(`${nodeId} failed`), { code: 'STEP_FAILED' }));
    if (!this.calm && this.hash(this.lossCount++) < this.scenario.lossRate)
      return { durationMs, outcome: { ok: false, kind: 'lost', error } };
    if (outcome === 'fail') return { durationMs, outcome: { ok: false, kind: 'error', error, durationMs } };
    const ok = { ok: true, output: outputOf(nodeId, run, attempt), artifacts: [], durationMs } as const;
    if (outcome === 'hang') return { durationMs: Infinity, outcome: ok };
    return { durationMs: outcome === 'late' ? Infinity : durationMs, outcome: ok, late: outcome === 'late' };
  }

  private get living(): Process[] {
    return this.processes.filter(
      ({ alive, runtime }) => alive && runtime !== null && runtime.failure === undefined,
    );
  }

  // What goes wrong

  private strike(): void {
    while (this.pending.length > 0 && this.pending[0].n <= this.timeline.steps) {
      const fault = this.pending.shift()!;
      if (fault.at === 'step') this.strikeWith(fault.step);
    }
  }

  private strikeWith(fault: StepFault): void {
    const { living } = this;
    this.note(`fault ${JSON.stringify(fault)}`);
    if (fault.kind === 'full') {
      this.disk.full = true;
      this.timeline.after(fault.ms, () => (this.disk.full = false));
    }
    if (fault.kind === 'second') this.keepRunning('b');
    const process = living[0];
    if (process === undefined) return;
    switch (fault.kind) {
      case 'kill':
        return process.die('killed');
      case 'close':
        return void this.closeDown(process, process.runtime!);
      case 'misjudge':
        return this.world.misjudge(process.pid);
      case 'worker':
        this.noteCrash(process.pool.killWorker(fault.pick));
        return;
      case 'repeat':
        process.pool.repeat();
        return;
      case 'full':
      case 'second':
        return;
      case 'jump':
        return process.clock.jump(fault.ms);
      default:
        return void this.users.ask(fault, fault.other ? living[living.length - 1] : process);
    }
  }

  private noteCrash(jobs: readonly Job[]): void {
    for (const { call } of jobs) this.witness.shadowOf(call.executionId)!.disturbed = true;
  }

  private async closeDown(process: Process, runtime: LocalRuntime): Promise<void> {
    try {
      await lasting(process, runtime.close({ drainMs: 300 }));
    } catch (error) {
      this.judge(`${process.name} close`, error);
    }
    process.die('closed');
  }

  /** Whether a commit of this scenario gets no answer. */
  private get hangs(): boolean {
    return [...this.commitFaults.values()].some(({ kind }) => kind === 'hangs');
  }

  private judge(what: string, error: unknown): void {
    const code = isMaestroError(error) ? error.code : 'INTERNAL';
    this.note(`${what}: ${code}`);
    // What reads waits for what is in the log to get into the store, and that may hang.
    const isSilence = code === 'STORE_UNAVAILABLE' && this.hangs && String(error).includes('no answer');
    if (!EXPECTED.has(code) && !isSilence)
      this.witness.fail('ERRORS_ARE_KNOWN', `${what}: ${String((error as Error).stack)}`);
  }

  private note(text: string): void {
    this.trace.push(`${this.timeline.nowMs - this.began} ${text}`);
  }

  /** A number in [0, 1) that depends on the seed and n only. */
  private hash(n: number): number {
    let h = Math.imul(this.scenario.seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(n + 1, 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
  }
}

function nameOf({ call }: Job): string {
  return `${call.executionId}/${call.nodeId}#${call.attempt}`;
}
