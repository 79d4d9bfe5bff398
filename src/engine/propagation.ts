import type { Plan } from '../graph/plan.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { ConditionVerdict, Effect } from './effects.js';
import type { ExecutionState } from './execution-state.js';
import { dependencyThat, Readiness, skippedBecause, type Finish } from './readiness.js';
import type { Starts } from './starts.js';

interface PropagationHost {
  act(effect: Effect): void;
  /** Nothing is missing but room. */
  ready(node: number): void;
  /** A node has failed for good: its dependents are not told yet. */
  failed(node: number, atMs: number): void;
}

/**
 * What the end of a node means for those that depend on it. A node whose dependencies have let it through is asked
 * about (its condition), starts (when there is room), or ends at once (a group, which executes nothing).
 * Invariant: an answer about outputs that were made again since changes nothing.
 */
export class Propagation {
  readonly readiness: Readiness;
  /** Conditions asked about and not answered: the number of the last question about each node. */
  private readonly questions = new Map<number, number>();
  private asked = 0;
  private readonly plan: Plan;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly starts: Starts,
    private readonly host: PropagationHost,
  ) {
    this.plan = definition.plan;
    this.readiness = new Readiness(this.plan);
  }

  /** Condition evaluations under way. */
  get evaluating(): number {
    return this.questions.size;
  }

  /** Tells the dependents of a finished node, and theirs as far as the news travels. Iterative: graphs are deep. */
  tell(first: number, finish: Finish, atMs: number): void {
    const { dependentOffsets, dependents } = this.plan;
    const work: { node: number; finish: Finish }[] = [{ node: first, finish }];
    for (let item = work.pop(); item !== undefined; item = work.pop()) {
      for (let k = dependentOffsets[item.node]; k < dependentOffsets[item.node + 1]; k++) {
        const dependent = dependents[k];
        const decision = this.readiness.note(dependent, item.finish);
        if (this.leaf[dependent] !== LEAF.pending) continue;
        if (decision === 'run') this.letThrough(dependent, atMs);
        else if (decision === 'block') {
          this.state.sendNode(dependent, { type: 'dependencyFailed', by: item.node }, atMs);
          work.push({ node: dependent, finish: 'failed' });
        } else if (decision === 'skip') {
          const condition = skippedBecause(this.plan, this.leaf, dependent);
          this.state.sendNode(dependent, { type: 'conditionNotMet', condition }, atMs);
          work.push({ node: dependent, finish: 'skipped' });
        }
      }
    }
  }

  /** Looks at every pending node once, dependencies first: at the start, after a restore, after a retry. */
  admitAll(atMs: number): void {
    for (const node of this.plan.order) this.admit(node, atMs);
  }

  /** Looks at a node, if it is pending, as its counters are now. */
  admit(node: number, atMs: number): void {
    if (this.leaf[node] !== LEAF.pending) return;
    const decision = this.readiness.decide(node);
    if (decision === 'run') this.letThrough(node, atMs);
    else if (decision === 'block') {
      const by = dependencyThat('failed', this.plan, this.leaf, node);
      this.state.sendNode(node, { type: 'dependencyFailed', by }, atMs);
      this.tell(node, 'failed', atMs);
    } else if (decision === 'skip') {
      const condition = skippedBecause(this.plan, this.leaf, node);
      this.state.sendNode(node, { type: 'conditionNotMet', condition }, atMs);
      this.tell(node, 'skipped', atMs);
    }
  }

  /** A condition has been evaluated. */
  answer(node: number, question: number, verdict: ConditionVerdict, atMs: number): void {
    if (this.questions.get(node) !== question) return;
    this.questions.delete(node);
    if (!this.awaitsAnswer(node)) return;
    if (verdict.met === true) this.makeReady(node, atMs);
    else if (verdict.met === false) {
      this.state.sendNode(node, { type: 'conditionNotMet', condition: verdict.condition }, atMs);
      this.tell(node, 'skipped', atMs);
    } else {
      this.state.sendNode(node, { type: 'dependenciesMet' }, atMs);
      // A condition that cannot be evaluated fails its node for good: it never runs by accident.
      this.state.sendNode(node, { type: 'attemptStarted' }, atMs);
      this.state.sendNode(node, { type: 'attemptFailed', error: verdict.error, durationMs: 0 }, atMs);
      this.host.failed(node, atMs);
    }
  }

  /** An answer changes nothing after the workflow ended, nor while what the condition reads is being made again. */
  private awaitsAnswer(node: number): boolean {
    const { workflowLeaf } = this.state;
    if (workflowLeaf !== 'running' && workflowLeaf !== 'paused') return false;
    if (this.leaf[node] !== LEAF.pending || !this.starts.allows(node)) return false;
    return this.readiness.decide(node) === 'run';
  }

  private letThrough(node: number, atMs: number): void {
    if (!this.starts.allows(node)) return;
    if (!this.definition.hasCondition(node)) return this.makeReady(node, atMs);
    this.questions.set(node, ++this.asked);
    this.host.act({ kind: 'evaluate', node, question: this.asked });
  }

  private makeReady(node: number, atMs: number): void {
    this.state.sendNode(node, { type: 'dependenciesMet' }, atMs);
    if (!this.plan.groups.has(node)) return this.host.ready(node);
    this.state.sendNode(node, { type: 'attemptStarted' }, atMs);
    const output = this.starts.groups.outputOf(node);
    this.state.sendNode(node, { type: 'attemptSucceeded', output, artifacts: [], durationMs: 0 }, atMs);
    this.tell(node, 'succeeded', atMs);
  }

  private get leaf(): Uint8Array {
    return this.state.columns.leaf;
  }
}
