import { DEPENDENCIES_MET } from '../../machines/events.js';
import { dependenciesOf, dependentsOf } from '../graph/queries.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { ExecutionState } from './execution-state.js';
import { finishOfLeaf, type Readiness } from './readiness.js';
import { waitsToStart } from './rerun.js';

/** Nodes that start over, and what waits again because of that. */
export class FreshStarts {
  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly readiness: Readiness,
  ) {}

  /** The nodes given start over, what only they blocked waits again, all other results stay. O(nodes + edges) */
  begin(nodes: Iterable<number>, atMs: number): void {
    const { leaf } = this.columns;
    for (const node of nodes) this.beginRun(node, atMs);
    const skippedBefore = new Set<number>();
    // Dependencies first: what still blocks a node is known when it is looked at.
    for (const node of this.definition.plan.order) {
      this.readiness.recountOf(node);
      if (leaf[node] === LEAF.blocked && this.readiness.decide(node) !== 'block')
        this.state.sendNode(node, { type: 'dependencyRestored' }, atMs);
      else if (this.isOpenAgain(node, skippedBefore)) {
        if (leaf[node] === LEAF.skipped) skippedBefore.add(node);
        this.state.sendNode(node, { type: 'rerunRequested' }, atMs);
        // What was known of the edges to it is asked again.
        this.readiness.recountOf(node);
      }
    }
  }

  /** It waits to start, has ended, or is a map under way, which goes through `ready`: nothing else leads to a new run. */
  beginRun(node: number, atMs: number): void {
    if (this.columns.leaf[node] === LEAF.pending) this.state.sendNode(node, DEPENDENCIES_MET, atMs);
    this.state.sendNode(node, { type: 'rerunRequested' }, atMs);
  }

  /**
   * Members of a group start over because one of them has failed; what runs is stopped.
   * @param untold nodes whose dependents were not told that they have failed: what is counted leaves them out
   */
  restart(
    again: readonly number[],
    untold: readonly number[],
    stop: (node: number) => void,
    atMs: number,
  ): void {
    const { plan, edgeConditions } = this.definition;
    const { leaf } = this.columns;
    for (const at of again) {
      const finish = untold.includes(at) ? null : finishOfLeaf(leaf[at]);
      // Nobody is told of the end of this one: it only makes way for its next run.
      if (leaf[at] === LEAF.running) stop(at);
      this.beginRun(at, atMs);
      if (finish !== null)
        for (const dependent of dependentsOf(plan, at)) this.readiness.retract(dependent, finish);
    }
    if (edgeConditions.size === 0) return;
    const counted = new Set(again.flatMap((at) => [at, ...dependentsOf(plan, at)]));
    for (const at of counted) this.readiness.recountOf(at);
    for (const at of untold) {
      const finish = finishOfLeaf(leaf[at]);
      if (finish === null) continue;
      for (const dependent of dependentsOf(plan, at))
        if (counted.has(dependent)) this.readiness.retract(dependent, finish);
    }
  }

  /** What only these had blocked waits again: a rule can have blocked a node for want of what now starts over. */
  unblock(nodes: readonly number[], atMs: number): readonly number[] {
    const { plan, triggers } = this.definition;
    const freed: number[] = [];
    if (triggers.size === 0) return freed;
    const work = [...nodes];
    for (const at of work)
      for (const dependent of dependentsOf(plan, at)) {
        if (this.columns.leaf[dependent] !== LEAF.blocked || this.readiness.decide(dependent) === 'block')
          continue;
        this.state.sendNode(dependent, { type: 'dependencyRestored' }, atMs);
        for (const next of dependentsOf(plan, dependent)) this.readiness.retract(next, 'blocked');
        freed.push(dependent);
        work.push(dependent);
      }
    return freed;
  }

  /**
   * Whether what starts over was why a rule skipped this node, or why it waits to start; or it was skipped because such
   * a node was.
   */
  private isOpenAgain(node: number, skippedBefore: ReadonlySet<number>): boolean {
    const { plan, triggers } = this.definition;
    if (triggers.size === 0) return false;
    const leaf = this.columns.leaf[node];
    if (waitsToStart(leaf)) return this.readiness.decide(node) !== 'run';
    if (leaf !== LEAF.skipped || this.readiness.skippedItself(node)) return false;
    if (this.readiness.decide(node) === 'skip') return false;
    return triggers.has(node) || dependenciesOf(plan, node).some((at) => skippedBefore.has(at));
  }

  private get columns(): ExecutionState['columns'] {
    return this.state.columns;
  }
}
