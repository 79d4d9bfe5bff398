import { INLINE_OUTPUT_LIMIT_BYTES, type NodeOutput } from '../base/model.js';
import { RareMap } from '../base/rare-map.js';
import { stageOf, withMaps } from '../graph/index.js';
import { dependentsOf } from '../graph/queries.js';
import { membersToRestart } from '../policy/group.js';
import { addRestart } from '../policy/restart-intensity.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { ExecutionState } from './execution-state.js';
import type { Lanes } from './lanes.js';
import { finishOfLeaf } from './readiness.js';
import { hasRun, isOpenGate, waitsToStart } from './rerun.js';

/**
 * Parallel groups: how many members of each may execute, what starts over when one has failed, and what a group gives.
 * Invariant: while members of a group stand aside in a lane, the group is full or one of them is in line there.
 */
export class Groups {
  /** Members that execute, by group. Members that wait are not counted: they take room nowhere. */
  private readonly executing = new RareMap<number, number>();

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly lanes: Lanes,
  ) {
    if (isLimited(definition.groups) || isLimited(definition.maps))
      state.moved = (node, from, to) => this.moved(node, from, to);
  }

  /** After a restore. */
  recount(): void {
    this.executing.clear();
    if (this.state.moved === null) return;
    for (const node of this.state.columns.nodesIn(LEAF.running)) this.moved(node, LEAF.ready, LEAF.running);
  }

  /** The group for whose room this node must stand aside; -1 when there is none. */
  holding(node: number): number {
    const group = this.containerOf(node);
    if (group < 0 || this.executingIn(group) < this.limitOf(group)) return -1;
    return this.lanes.isWait(node) ? -1 : group;
  }

  /** A member left its line without starting, or ended: others may come into line. */
  gaveWay(node: number): void {
    const group = this.containerOf(node);
    if (group >= 0) this.lanes.callUp(group);
  }

  /**
   * What starts over because this node failed for good, dependencies first: members that its group's strategy names,
   * and whatever waits to start or runs on what one of those gave. Empty when there is no restart left, the group
   * has failed already, or the limit of a rerun lets only some of it start.
   */
  startingOver(node: number, atMs: number, allows: (node: number) => boolean): number[] {
    const { plan, groups } = this.definition;
    const group = plan.groupOf.get(node);
    if (group === undefined) return [];
    const { leaf } = this.state.columns;
    const { strategy, intensity } = groups.get(group)!;
    const isSpent = addRestart(this.state.restartsOf(group), atMs, intensity).exceeded;
    if (isSpent || finishOfLeaf(leaf[group]) === 'blocked') return [];
    const dependents = (at: number): Uint32Array => dependentsOf(plan, at);
    const members = membersToRestart(strategy, plan.groups.get(group)!, node, dependents);
    const again = new Set([...members].filter((at) => hasRun(leaf[at]) || leaf[at] === LEAF.running));
    // What a rule has let start before this one ended has nothing from it.
    const { triggers } = this.definition;
    const hadResult = (at: number): boolean => at !== node && finishOfLeaf(leaf[at]) !== null;
    for (const at of again)
      for (const dependent of dependents(at))
        if (
          (waitsToStart(leaf[dependent]) || leaf[dependent] === LEAF.running) &&
          (!triggers.has(dependent) || hadResult(at))
        )
          again.add(dependent);
        else if (isOpenGate(plan, this.state.columns, dependent))
          for (const part of withMaps(plan, [dependent]))
            if (part === dependent || hasRun(leaf[part]) || leaf[part] === LEAF.running) again.add(part);
    if (![...again].every(allows)) return [];
    return [...again].sort((a, b) => plan.rank[a] - plan.rank[b]);
  }

  /** What is to be cancelled because this node failed for good. */
  endingWith(node: number): Iterable<number> {
    const { plan, groups } = this.definition;
    const group = plan.groupOf.get(node) ?? -1;
    return groups.get(group)?.onMemberFailure === 'cancel' ? plan.groups.get(group)! : [];
  }

  /**
   * What a group gives: the outputs of its members by id, as JSON text. What would make it larger than outputs in the
   * journal are is named instead: `{"output_of": id}`.
   */
  outputOf(group: number): NodeOutput {
    const { plan } = this.definition;
    const { leaf, output } = this.state.columns;
    const parts: string[] = [];
    let room = INLINE_OUTPUT_LIMIT_BYTES;
    for (const member of plan.groups.get(group)!) {
      if (leaf[member] !== LEAF.completed) continue;
      const id = JSON.stringify(plan.ids[member]);
      const own = output[member];
      const bytes = typeof own === 'string' ? Buffer.byteLength(own) : Infinity;
      const isIn = bytes <= room;
      if (isIn) room -= bytes;
      parts.push(`${id}:${isIn && typeof own === 'string' ? own : `{"output_of":${id}}`}`);
    }
    return `{${parts.join()}}`;
  }

  private moved(node: number, from: number, to: number): void {
    if (from === to || (from !== LEAF.running && to !== LEAF.running)) return;
    const group = this.containerOf(node);
    if (group < 0 || this.lanes.isWait(node)) return;
    this.executing.set(group, this.executingIn(group) + (to === LEAF.running ? 1 : -1));
    if (from === LEAF.running) this.lanes.callUp(group);
  }

  /** The group of a node, or of the stage that it is an item of; for an item of a single node that; else -1. */
  private containerOf(node: number): number {
    const { plan } = this.definition;
    const stage = stageOf(plan, node);
    return plan.groupOf.get(stage) ?? (stage === node ? -1 : stage);
  }

  private limitOf(container: number): number {
    const { groups, maps } = this.definition;
    return (groups.get(container) ?? maps.get(container)!).maxConcurrency;
  }

  private executingIn(group: number): number {
    return this.executing.get(group) ?? 0;
  }
}

function isLimited(policies: ReadonlyMap<number, { readonly maxConcurrency: number }>): boolean {
  return policies.size > 0 && [...policies.values()].some(({ maxConcurrency }) => maxConcurrency < Infinity);
}
