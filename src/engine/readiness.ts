import { grown } from '../base/grown.js';
import { RareCounts } from '../base/rare-counts.js';
import { dependenciesOf } from '../graph/queries.js';
import type { Plan } from '../graph/plan.js';
import { holds, type TaskResult } from '../policy/depends.js';
import { decideTrigger, type TriggerCounts, type TriggerDecision } from '../policy/trigger.js';
import { LEAF, type NodeColumns } from './columns.js';
import type { TriggerDefinition } from './definition.js';

/** How a finished node looks to its dependents. */
export type Finish = 'succeeded' | 'failed' | 'blocked' | 'skipped';

/** How a leaf counts for the dependents of its node; null: not finished. Cancelled counts as failed. */
export function finishOfLeaf(leaf: number): Finish | null {
  switch (leaf) {
    case LEAF.completed:
      return 'succeeded';
    case LEAF.skipped:
      return 'skipped';
    case LEAF.blocked:
      return 'blocked';
    case LEAF['failed.exhausted']:
    case LEAF.cancelled:
      return 'failed';
    default:
      return null;
  }
}

/** How a node looks to one that depends on it: through an edge that was not taken like one that was skipped. */
export function finishThrough(
  { edgeConditions }: Pick<TriggerDefinition, 'edgeConditions'>,
  { leaf, edges }: Pick<NodeColumns, 'leaf' | 'edges'>,
  from: number,
  to: number,
): Finish | null {
  const finish = finishOfLeaf(leaf[from]);
  if (finish !== 'succeeded' || edgeConditions.size === 0 || !edgeConditions.get(to)?.has(from))
    return finish;
  const taken = edges.get(from, to)?.taken ?? null;
  if (taken === null) return null;
  return taken ? finish : 'skipped';
}

/** The first dependency of a node that failed, was cancelled or blocked; -1 when there is none. */
export function failedDependency(plan: Plan, leaf: Uint8Array, node: number): number {
  const isBad = (finish: Finish | null): boolean => finish === 'failed' || finish === 'blocked';
  return dependenciesOf(plan, node).find((dependency) => isBad(finishOfLeaf(leaf[dependency]))) ?? -1;
}

/**
 * Counts, for every node, its finished dependencies by how they finished, and says by its trigger what becomes of it.
 * An event touches only the dependents of one node; nothing ever scans the graph (except `recount`, after a restore).
 * Invariant: the counters equal a recount from the leaves.
 */
export class Readiness {
  unfinished: Int32Array;
  /** Failed, cancelled or blocked. */
  private readonly failed = new RareCounts();
  /** Those of `failed` that were blocked. */
  private readonly blocked = new RareCounts();
  private readonly skipped = new RareCounts();
  private readonly plan: Plan;

  constructor(
    private readonly definition: TriggerDefinition,
    private readonly columns: Pick<NodeColumns, 'leaf' | 'condition' | 'edges'>,
  ) {
    const { plan } = definition;
    this.plan = plan;
    this.unfinished = new Int32Array(plan.nodeCount);
    for (let node = 0; node < plan.nodeCount; node++) this.unfinished[node] = this.total(node);
  }

  /** The plan has grown: nothing of what is new has ended. */
  grow(): void {
    const { nodeCount } = this.plan;
    const before = this.unfinished.length;
    this.unfinished = grown(this.unfinished, nodeCount);
    for (let node = before; node < nodeCount; node++) this.unfinished[node] = this.total(node);
  }

  /** Number of dependencies of a node. */
  total(node: number): number {
    return this.plan.dependencyOffsets[node + 1] - this.plan.dependencyOffsets[node];
  }

  /** Notes at `dependent` that one of its dependencies finished, and says what that means for it. */
  note(dependent: number, finish: Finish): TriggerDecision {
    this.unfinished[dependent]--;
    this.count(dependent, finish, 1);
    return this.decide(dependent);
  }

  /** Takes back at `dependent` that one of its dependencies finished: it starts over. */
  retract(dependent: number, finish: Finish): void {
    this.unfinished[dependent]++;
    this.count(dependent, finish, -1);
  }

  decide(node: number): TriggerDecision {
    const { compensations } = this.definition;
    if (compensations.size > 0 && compensations.has(node)) return 'wait';
    const unfinished = this.unfinished[node];
    const { triggers } = this.definition;
    const trigger = triggers.size === 0 ? undefined : triggers.get(node);
    if (trigger?.kind === 'depends') return unfinished > 0 ? 'wait' : this.decideFinally(node);
    // The case of nearly every event: answered without building the counts.
    if (trigger === undefined && this.failed.at(node) === 0 && this.skipped.at(node) === 0)
      return unfinished === 0 ? 'run' : 'wait';
    // A group has ended well although a branch in it was not taken.
    const isGroup = this.plan.groups.has(node);
    const rule = trigger?.rule ?? (isGroup ? 'none_failed_min_one_success' : 'all_success');
    const decision = decideTrigger(this.countsOf(node), rule);
    // A look at [skipped, running] says skip, and at [skipped, failed] block. The engine waits for the rest before it
    // skips: otherwise the outcome of a node would depend on which dependency finished first, or on a crash between.
    return decision === 'skip' && unfinished > 0 ? 'wait' : decision;
  }

  /** What becomes of a node with a trigger when its unfinished dependencies will not run: they count as skipped. */
  decideFinally(node: number): TriggerDecision {
    const trigger = this.definition.triggers.get(node)!;
    if (trigger.kind === 'rule') {
      const counts = this.countsOf(node);
      return decideTrigger({ ...counts, skipped: counts.skipped + this.unfinished[node] }, trigger.rule);
    }
    const resultOf = (id: string): TaskResult => this.resultOf(this.plan.indexOf.get(id)!, node);
    return holds(trigger.expression, resultOf) ? 'run' : 'skip';
  }

  /** Whether a skipped node's own condition was false; otherwise its dependencies decided that. */
  skippedItself(node: number): boolean {
    const text = this.definition.conditionText(node);
    return text !== undefined && this.columns.condition.get(node) === text;
  }

  /** Recomputes every counter from the leaves. */
  recount(): void {
    for (let node = 0; node < this.plan.nodeCount; node++) this.recountOf(node);
  }

  /** Recomputes the counters of one node. */
  recountOf(node: number): void {
    const { dependencyOffsets, dependencies } = this.plan;
    this.unfinished[node] = 0;
    this.failed.set(node, 0);
    this.blocked.set(node, 0);
    this.skipped.set(node, 0);
    for (let k = dependencyOffsets[node]; k < dependencyOffsets[node + 1]; k++) {
      const finish = finishThrough(this.definition, this.columns, dependencies[k], node);
      if (finish === null) this.unfinished[node]++;
      else this.count(node, finish, 1);
    }
  }

  private count(node: number, finish: Finish, by: 1 | -1): void {
    if (finish === 'succeeded') return;
    if (finish === 'skipped') this.skipped.add(node, by);
    else this.failed.add(node, by);
    if (finish === 'blocked') this.blocked.add(node, by);
  }

  /** How its dependencies have ended so far. */
  countsOf(node: number): TriggerCounts {
    const total = this.total(node);
    const blocked = this.blocked.at(node);
    const failed = this.failed.at(node) - blocked;
    const skipped = this.skipped.at(node);
    const succeeded = total - this.unfinished[node] - failed - blocked - skipped;
    return { total, succeeded, failed, blocked, skipped };
  }

  /** How Argo calls the end of a node: cancelled is Errored; what did not run, by whatever rule, is Omitted. */
  private resultOf(node: number, dependent: number): TaskResult {
    // Of an edge that was not taken, or is not known to be.
    if (
      finishThrough(this.definition, this.columns, node, dependent) !== finishOfLeaf(this.columns.leaf[node])
    )
      return 'Omitted';
    switch (this.columns.leaf[node]) {
      case LEAF.completed:
        return 'Succeeded';
      case LEAF.cancelled:
        return 'Errored';
      case LEAF['failed.exhausted']:
        return 'Failed';
      case LEAF.skipped:
        return this.skippedItself(node) ? 'Skipped' : 'Omitted';
      default:
        return 'Omitted';
    }
  }
}

/** What is said of a node that is skipped because of its dependencies. */
export function skippedBecause(
  definition: TriggerDefinition,
  columns: Pick<NodeColumns, 'leaf' | 'edges'>,
  node: number,
): string {
  const { plan, triggers, edgeConditions } = definition;
  const trigger = triggers.get(node);
  if (trigger !== undefined)
    return trigger.kind === 'rule'
      ? `trigger_rule ${trigger.rule} did not hold`
      : `depends did not hold: ${trigger.text}`;
  const isSkipped = (from: number): boolean => finishThrough(definition, columns, from, node) === 'skipped';
  const by = dependenciesOf(plan, node).find(isSkipped) ?? -1;
  if (columns.leaf[by] === LEAF.skipped) return `dependency "${plan.ids[by]}" was skipped`;
  return `the edge from "${plan.ids[by]}" was not taken: ${edgeConditions.get(node)?.get(by)}`;
}
