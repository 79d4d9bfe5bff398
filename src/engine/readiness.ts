import { dependenciesOf } from '../graph/queries.js';
import type { Plan } from '../graph/plan.js';
import { decideTrigger, type TriggerDecision } from '../policy/trigger.js';
import { LEAF } from './columns.js';

/** How a finished node looks to its dependents. */
export type Finish = 'succeeded' | 'failed' | 'skipped';

/** How a leaf counts for the dependents of its node; null: not finished. Blocked and cancelled count as failed. */
export function finishOfLeaf(leaf: number): Finish | null {
  switch (leaf) {
    case LEAF.completed:
      return 'succeeded';
    case LEAF.skipped:
      return 'skipped';
    case LEAF['failed.exhausted']:
    case LEAF.blocked:
    case LEAF.cancelled:
      return 'failed';
    default:
      return null;
  }
}

/** The first dependency of a node that came to this end (blocked is failed, too); -1 when there is none. */
export function dependencyThat(finish: Finish, plan: Plan, leaf: Uint8Array, node: number): number {
  return dependenciesOf(plan, node).find((dependency) => finishOfLeaf(leaf[dependency]) === finish) ?? -1;
}

/** What is said of a node that is skipped because a dependency was. */
export function skippedBecause(plan: Plan, leaf: Uint8Array, node: number): string {
  return `dependency "${plan.ids[dependencyThat('skipped', plan, leaf, node)]}" was skipped`;
}

/**
 * Counts, for every node, its finished dependencies by how they finished. An event touches only the dependents of
 * one node; nothing ever scans the graph (except `recount`, after a restore or a rerun).
 * Invariant: the counters equal a recount from the leaves.
 */
export class Readiness {
  readonly unfinished: Int32Array;
  readonly failed: Int32Array;
  readonly skipped: Int32Array;

  constructor(private readonly plan: Plan) {
    this.unfinished = new Int32Array(plan.nodeCount);
    this.failed = new Int32Array(plan.nodeCount);
    this.skipped = new Int32Array(plan.nodeCount);
    for (let node = 0; node < plan.nodeCount; node++) this.unfinished[node] = this.total(node);
  }

  /** Number of dependencies of a node. */
  total(node: number): number {
    return this.plan.dependencyOffsets[node + 1] - this.plan.dependencyOffsets[node];
  }

  /** Notes at `dependent` that one of its dependencies finished, and says what that means for it. */
  note(dependent: number, finish: Finish): TriggerDecision {
    this.unfinished[dependent]--;
    if (finish === 'failed') this.failed[dependent]++;
    else if (finish === 'skipped') this.skipped[dependent]++;
    return this.decide(dependent);
  }

  /** Takes back at `dependent` that one of its dependencies finished: it starts over. */
  retract(dependent: number, finish: Finish): void {
    this.unfinished[dependent]++;
    if (finish === 'failed') this.failed[dependent]--;
    else if (finish === 'skipped') this.skipped[dependent]--;
  }

  decide(node: number): TriggerDecision {
    const failed = this.failed[node];
    const skipped = this.skipped[node];
    const unfinished = this.unfinished[node];
    // The case of nearly every event: answered without building the counts.
    if (failed === 0 && skipped === 0) return unfinished === 0 ? 'run' : 'wait';
    const total = this.total(node);
    const counts = { total, succeeded: total - unfinished - failed - skipped, failed, skipped };
    // A group has ended well although a branch in it was not taken.
    const isGroup = this.plan.groups.has(node);
    const decision = decideTrigger(counts, isGroup ? 'none_failed_min_one_success' : 'all_success');
    // A look at [skipped, running] says skip, and at [skipped, failed] block. The engine waits for the rest before it
    // skips: otherwise the outcome of a node would depend on which dependency finished first, or on a crash between.
    return decision === 'skip' && unfinished > 0 ? 'wait' : decision;
  }

  /** Recomputes every counter from the leaves. */
  recount(leaf: Uint8Array): void {
    for (let node = 0; node < this.plan.nodeCount; node++) this.recountOf(node, leaf);
  }

  /** Recomputes the counters of one node. */
  recountOf(node: number, leaf: Uint8Array): void {
    const { dependencyOffsets, dependencies } = this.plan;
    let unfinished = 0;
    let failed = 0;
    let skipped = 0;
    for (let k = dependencyOffsets[node]; k < dependencyOffsets[node + 1]; k++) {
      const finish = finishOfLeaf(leaf[dependencies[k]]);
      if (finish === null) unfinished++;
      else if (finish === 'failed') failed++;
      else if (finish === 'skipped') skipped++;
    }
    this.unfinished[node] = unfinished;
    this.failed[node] = failed;
    this.skipped[node] = skipped;
  }
}
