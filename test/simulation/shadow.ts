import type { Entry } from '../../src/engine/entries.js';
import { LEAF } from '../../src/engine/columns.js';
import { ExecutionState } from '../../src/engine/execution-state.js';
import { planOf } from '../../src/spec/index.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import { outputOf, type Planned } from './scenario.js';
import { demand } from './violation.js';

/** What a witness knows of one execution from what is on disk alone: its journal, replayed as it is written. */
export class Shadow {
  readonly state: ExecutionState;
  record: ExecutionRecord | null = null;
  /** Journal records on disk. */
  sequence = 0;
  /** A row of it was damaged: from then on only that it is noticed counts. */
  damaged = false;
  /** Something charged an attempt that the fates do not say: the outcome cannot be foretold. */
  disturbed = false;
  retriesAsked = 0;
  private suspect: { node: number; status: string } | null = null;
  private readonly ended = new Set<string>();

  constructor(readonly planned: Planned) {
    this.state = new ExecutionState(planOf(planned.workflow.spec));
  }

  get plan(): ExecutionState['plan'] {
    return this.state.plan;
  }

  isCompleted(node: number): boolean {
    return this.state.columns.leaf[node] === LEAF.completed;
  }

  dependenciesOf(node: number): readonly number[] {
    const { dependencies, dependencyOffsets } = this.plan;
    return [...dependencies.slice(dependencyOffsets[node], dependencyOffsets[node + 1])];
  }

  /** Takes one entry that is on disk now. */
  take(entry: Entry): void {
    const { columns } = this.state;
    const { id } = this.planned;
    const before = this.state.workflowLeaf;
    const { type } = entry.event;
    this.checkSuspect(entry);
    if (before === 'cancelled' && type === 'retryRequested') {
      demand(this.retriesAsked > 0, 'CANCELLED_IS_FINAL', `${id} was retried, but nobody asked for that`);
    } else if (before === 'cancelled') {
      demand(type === 'cancelRequested', 'CANCELLED_IS_FINAL', `${id} took ${type} after it was cancelled`);
    }
    if (type === 'attemptStarted') this.checkStart(entry.node, before);
    if (type === 'attemptSucceeded' || type === 'attemptFailed') {
      const { node } = entry;
      const name = `${this.plan.ids[node]} run ${columns.run[node]} attempt ${columns.attempt[node]}`;
      demand(!this.ended.has(name), 'ATTEMPT_ENDS_ONCE', `${id}: ${name} ended twice`);
      this.ended.add(name);
      if (type === 'attemptSucceeded') this.checkOutput(node, entry.event.output, name);
    }
    try {
      this.state.replay(entry);
    } catch (error) {
      demand(false, 'LEGAL_TRANSITIONS', `${id}: ${(error as Error).message}`);
    }
  }

  private checkStart(node: number, status: string): void {
    const name = `${this.planned.id}: ${this.plan.ids[node]}`;
    if (status !== 'running') this.suspect = { node, status };
    for (const dependency of this.dependenciesOf(node)) {
      const what = `${name} started before ${this.plan.ids[dependency]} had completed`;
      demand(this.isCompleted(dependency), 'DEPENDENCIES_FIRST', what);
    }
  }

  /** Only a condition that could not be evaluated charges an attempt, which never ran, while nothing may start. */
  private checkSuspect({ node, event }: Entry): void {
    if (this.suspect === null) return;
    const { node: started, status } = this.suspect;
    this.suspect = null;
    const failed =
      event.type === 'attemptFailed' && event.error.code === 'CONDITION_FAILED' && node === started;
    const what = `${this.planned.id}: ${this.plan.ids[started]} started while ${status}`;
    demand(failed, 'STARTS_ONLY_WHILE_RUNNING', what);
  }

  private checkOutput(node: number, output: unknown, name: string): void {
    const expected = outputOf(this.plan.ids[node], this.state.columns.attempt[node]);
    const same = typeof output === 'string' ? output === expected : expected.length > 64 * 1024;
    demand(same, 'RESULT_OF_ITS_ATTEMPT', `${this.planned.id}: ${name} has the result of another attempt`);
  }
}
