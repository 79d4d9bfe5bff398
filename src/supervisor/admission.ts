import type { Pool, StepRef } from '../pool/index.js';
import type { ActiveExecution } from './active-execution.js';
import type { Jobs } from './jobs.js';

/**
 * Decides which ready nodes start: executions take turns, within the limits of the runtime, of each execution and of
 * the pool. An execution is looked at only while it has something that may start.
 */
export class Admission {
  /** true: nothing new starts. */
  closed = false;
  private readonly candidates = new Set<ActiveExecution>();

  constructor(
    private readonly pool: Pool,
    private readonly concurrency: number,
  ) {}

  /** Something in this execution may have become startable. */
  offer(execution: ActiveExecution): void {
    this.candidates.add(execution);
  }

  withdraw(execution: ActiveExecution): void {
    this.candidates.delete(execution);
  }

  /** Starts as much as the limits allow. `touch` is called before an execution is changed. */
  admit(nowMs: number, jobs: Jobs, touch: (execution: ActiveExecution) => void): void {
    if (this.closed || this.candidates.size === 0) return;
    const budget = new Budget(this.pool, jobs, this.concurrency - jobs.size);
    for (const execution of [...this.candidates]) {
      if (budget.free <= 0) return;
      const before = budget.free;
      startFrom(execution, budget, nowMs, touch);
      const started = budget.free < before;
      if (!started && mayStart(execution)) continue;
      this.candidates.delete(execution);
      // Whoever had its turn goes to the end of the line.
      if (started && mayStart(execution)) this.candidates.add(execution);
    }
  }
}

/** What may still start in one admission: globally, and per kind of step as far as the pool has room. */
class Budget {
  private readonly used: Record<StepRef['kind'], number>;

  constructor(
    private readonly pool: Pool,
    jobs: Jobs,
    public free: number,
  ) {
    this.used = {
      inline: jobs.waiting('inline'),
      module: jobs.waiting('module'),
      command: jobs.waiting('command'),
    };
  }

  take(step: StepRef): boolean {
    if (this.free <= 0 || this.pool.room(step) <= this.used[step.kind]) return false;
    this.used[step.kind]++;
    this.free--;
    return true;
  }
}

function startFrom(
  execution: ActiveExecution,
  budget: Budget,
  nowMs: number,
  touch: (execution: ActiveExecution) => void,
): void {
  const { engine, definition, concurrency } = execution;
  for (let lane = 0; lane < engine.definition.laneCount; lane++) {
    while (execution.running < concurrency) {
      const node = engine.peek(lane);
      if (node < 0 || !budget.take(definition.stepOf(node))) break;
      touch(execution);
      engine.start(lane, nowMs);
    }
  }
}

function mayStart({ engine }: ActiveExecution): boolean {
  for (let lane = 0; lane < engine.definition.laneCount; lane++) if (engine.canStart(lane)) return true;
  return false;
}
