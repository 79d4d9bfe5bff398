import { ForgetfulMap } from '../base/forgetful-map.js';
import { STEP_KINDS, type Pool, type StepKind, type StepRef } from '../pool/index.js';
import type { ActiveExecution } from './active-execution.js';
import type { ChildGate } from './child-gate.js';
import type { Jobs } from './jobs.js';
import type { Queues, Try } from './queues.js';

type Touch = (execution: ActiveExecution) => void;

/** When the pool has no room for so many executions in a row, the rest of their line is not asked: it may be long. */
const MISSES = 16;

/**
 * Decides which ready nodes start: executions take turns, within the limits of the runtime, of each execution and of
 * the pool. They wait in one line per kind of step, so one turn costs what it starts, not what waits.
 */
export class Admission {
  /** true: nothing new starts. */
  closed = false;
  /** Those among them that are not offered any more were withdrawn. */
  private offered: ActiveExecution[] = [];
  private readonly lines: Readonly<Record<StepKind, ForgetfulMap<string, ActiveExecution>>> = {
    inline: new ForgetfulMap(),
    module: new ForgetfulMap(),
    process: new ForgetfulMap(),
    command: new ForgetfulMap(),
  };
  /** The kind whose line is asked first: each in turn, so that none takes all of a small limit. */
  private first = 0;

  constructor(
    private readonly pool: Pool,
    private readonly concurrency: number,
    private readonly queues: Queues,
    private readonly gate: Pick<ChildGate, 'holds'>,
  ) {}

  /** Something in this execution may have become startable. */
  offer(execution: ActiveExecution): void {
    if (execution.isOffered || execution.isVisitor) return;
    execution.isOffered = true;
    this.offered.push(execution);
  }

  withdraw(execution: ActiveExecution): void {
    execution.isOffered = false;
    // It may be in memory again, as another object, before it has quite left.
    for (const kind of STEP_KINDS) {
      const line = this.lines[kind];
      if (line.get(execution.id) === execution) line.delete(execution.id);
    }
    if (execution.definition.queues !== null) this.queues.withdraw(execution);
  }

  /** Starts as much as the limits allow. `touch` is called before an execution is changed. */
  admit(nowMs: number, jobs: Jobs, touch: Touch): void {
    if (this.closed) return;
    this.lineUpAll();
    const budget = new Budget(this.pool, jobs, this.concurrency - jobs.size);
    this.queues.admit(nowMs, {
      start: (execution, lane) =>
        this.gate.holds(execution) ? 'not now' : startOne(execution, lane, budget, nowMs, touch),
      offer: (execution) => this.offer(execution),
    });
    this.lineUpAll();
    this.first = (this.first + 1) % STEP_KINDS.length;
    for (let k = 0; k < STEP_KINDS.length && !budget.spent; k++)
      this.admitLine(STEP_KINDS[(this.first + k) % STEP_KINDS.length], budget, nowMs, touch);
  }

  private lineUpAll(): void {
    const { offered } = this;
    if (offered.length === 0) return;
    this.offered = [];
    for (const execution of offered) {
      if (!execution.isOffered) continue;
      execution.isOffered = false;
      this.lineUp(execution);
    }
  }

  private lineUp(execution: ActiveExecution): void {
    const { engine, definition } = execution;
    for (let lane = 0; lane < engine.definition.laneCount; lane++) {
      const node = engine.peek(lane);
      if (node < 0) continue;
      const wish = definition.queues?.wishOf(node);
      if (wish === undefined) this.lines[definition.stepOf(node).kind].set(execution.id, execution);
      else this.queues.wait(execution, lane, wish);
    }
  }

  private admitLine(kind: StepKind, budget: Budget, nowMs: number, touch: Touch): void {
    const line = this.lines[kind];
    if (line.size === 0) return;
    let misses = 0;
    for (const execution of line.values()) {
      const before = budget.taken;
      const wantsMore = !this.gate.holds(execution) && startFrom(execution, kind, budget, nowMs, touch);
      const started = budget.taken > before;
      if (wantsMore && !started) {
        if (budget.spent || ++misses === MISSES) return;
        continue;
      }
      misses = 0;
      // What nothing more can be started of is offered again by its next event. Whoever had its turn and wants more
      // goes to the end of the line.
      line.delete(execution.id);
      if (wantsMore) line.set(execution.id, execution);
    }
  }
}

/** What may still start in one admission: globally, and per kind of step as far as the pool has room. */
class Budget {
  /** Attempts started in this admission. */
  taken = 0;
  private readonly used: Record<StepKind, number>;

  constructor(
    private readonly pool: Pool,
    jobs: Jobs,
    /** How many may start at most; Infinity when there is no limit. */
    private readonly limit: number,
  ) {
    this.used = {
      inline: jobs.waiting('inline'),
      module: jobs.waiting('module'),
      process: jobs.waiting('process'),
      command: jobs.waiting('command'),
    };
  }

  get spent(): boolean {
    return this.taken >= this.limit;
  }

  take(step: StepRef): boolean {
    if (this.spent || this.pool.room(step) <= this.used[step.kind]) return false;
    this.used[step.kind]++;
    this.taken++;
    return true;
  }
}

/** @returns whether it has more nodes of this kind that only room is missing for */
function startFrom(
  execution: ActiveExecution,
  kind: StepKind,
  budget: Budget,
  nowMs: number,
  touch: Touch,
): boolean {
  const { engine, definition, concurrency } = execution;
  for (let lane = 0; lane < engine.definition.laneCount; lane++) {
    while (execution.running < concurrency) {
      const node = engine.peek(lane);
      if (node < 0) break;
      const step = definition.stepOf(node);
      // What is in a queue stands in that one's line.
      if (step.kind !== kind || definition.queues?.wishOf(node) !== undefined) break;
      if (!budget.take(step)) return true;
      touch(execution);
      engine.start(lane, nowMs, node);
    }
  }
  return false;
}

/** Starts the next node of a lane, which its queue has room for. */
function startOne(
  execution: ActiveExecution,
  lane: number,
  budget: Budget,
  nowMs: number,
  touch: Touch,
): Try {
  const { engine, definition, concurrency } = execution;
  if (execution.running >= concurrency) return 'not now';
  const node = engine.peek(lane);
  if (!budget.take(definition.stepOf(node))) return 'no room';
  touch(execution);
  engine.start(lane, nowMs, node);
  return 'started';
}
