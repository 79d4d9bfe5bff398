import { invariant } from '../base/assert.js';
import { grown } from '../base/grown.js';
import { stageOf } from './maps.js';
import { dependenciesOf, dependentsOf } from './queries.js';
import type { MapUnit, Plan } from './plan.js';

/** Item nodes that were made at once: `count` for each stage, stage by stage, from node `base` on. */
export interface Segment {
  readonly base: number;
  /** Number of the first item. */
  readonly from: number;
  readonly count: number;
  /** The run of the gate that made them. */
  readonly run: number;
}

/** What a map goes over, as of its last expansion. */
export interface Expansion {
  /** The gate of the map. */
  readonly node: number;
  /** The run of the gate that it belongs to. */
  readonly run: number;
  readonly items: number;
  /** Of the items, as text: lists with equal digests are the same. */
  readonly digest: string;
  /** All item nodes there are, in the order of the items: more than `items` after a list has become shorter. */
  readonly segments: readonly Segment[];
}

/**
 * The plan of one execution whose maps grow it: item nodes follow those of the definition, in the order of the
 * expansions, so that a replay gives them the same indices. Rows of nodes of the definition never change: a stage
 * does not depend on its items, the engine counts those. Each item costs the same, however many there are.
 */
export class GrowingPlan implements Plan {
  nodeCount: number;
  edgeCount: number;
  readonly ids: string[];
  dependentOffsets: Uint32Array;
  dependents: Uint32Array;
  dependencyOffsets: Uint32Array;
  dependencies: Uint32Array;
  rank: Uint32Array;
  generation: Uint32Array;
  itemStages = new Int32Array(0);
  itemNumbers = new Int32Array(0);
  readonly groups: Plan['groups'];
  readonly groupOf: Plan['groupOf'];
  readonly compensated: Plan['compensated'];
  readonly maps: Plan['maps'];
  readonly mapOf: Plan['mapOf'];
  readonly fixedCount: number;
  readonly indexOf = { get: (id: string): number | undefined => this.find(id) };
  private readonly expansions = new Map<number, Expansion>();
  private sorted: Uint32Array;

  constructor(private readonly fixed: Plan) {
    this.nodeCount = fixed.nodeCount;
    this.edgeCount = fixed.edgeCount;
    this.ids = [...fixed.ids];
    this.dependentOffsets = fixed.dependentOffsets;
    this.dependents = fixed.dependents;
    this.dependencyOffsets = fixed.dependencyOffsets;
    this.dependencies = fixed.dependencies;
    this.rank = fixed.rank;
    this.generation = fixed.generation;
    this.groups = fixed.groups;
    this.groupOf = fixed.groupOf;
    this.compensated = fixed.compensated;
    this.maps = fixed.maps;
    this.mapOf = fixed.mapOf;
    this.fixedCount = fixed.fixedCount;
    this.sorted = fixed.order;
  }

  /** Topological; items come right before the first stage of their map, which ends after them. O(nodes) after a growth. */
  get order(): Uint32Array {
    if (this.sorted.length === this.nodeCount) return this.sorted;
    const order = new Uint32Array(this.nodeCount);
    let k = 0;
    for (const node of this.fixed.order) {
      const map = this.mapOf.get(node) ?? -1;
      if (map >= 0 && this.maps[map].gate === node) for (const item of this.itemNodes(map)) order[k++] = item;
      order[k++] = node;
    }
    return (this.sorted = order);
  }

  /** The last expansion of a map; undefined: it had none. */
  expansionOf(map: number): Expansion | undefined {
    return this.expansions.get(map);
  }

  /** All expansions, for a checkpoint. */
  get rows(): readonly Expansion[] {
    return [...this.expansions.values()];
  }

  /** Makes what a checkpoint says. */
  restore(rows: readonly Expansion[]): void {
    for (const row of rows) this.expansions.set(this.mapAt(row.node), row);
    const segments = rows.flatMap(({ node, segments: own }) => own.map((segment) => ({ node, segment })));
    segments.sort((a, b) => a.segment.base - b.segment.base);
    for (const { node, segment } of segments) {
      invariant(segment.base === this.nodeCount, 'the item nodes of a checkpoint have a gap');
      this.append(this.maps[this.mapAt(node)], segment);
    }
  }

  /** The list of a map has been evaluated, in a run of its gate; known runs change nothing. @returns nodes made by it */
  expand(node: number, run: number, items: number, digest: string): number {
    const map = this.mapAt(node);
    const { stages } = this.maps[map];
    const before = this.expansions.get(map);
    if (before === undefined || before.run < run) {
      const made = before?.segments ?? [];
      const have = made.reduce((sum, { count }) => sum + count, 0);
      const segment = { base: this.nodeCount, from: have, count: items - have, run };
      const segments = segment.count > 0 ? [...made, segment] : made;
      this.expansions.set(map, { node, run, items, digest, segments });
      if (segment.count > 0) this.append(this.maps[map], segment);
    }
    const now = this.expansions.get(map)!;
    return stages.length * now.segments.reduce((sum, each) => sum + (each.run === run ? each.count : 0), 0);
  }

  /** Every item node of a map, stage by stage within what was made at once: dependencies first. */
  *itemNodes(map: number): Generator<number> {
    const { stages } = this.maps[map];
    for (const { base, count } of this.expansions.get(map)?.segments ?? [])
      for (let node = base; node < base + stages.length * count; node++) yield node;
  }

  /** The node of an item in a stage; -1 when there is none. */
  itemNode(stage: number, item: number): number {
    const map = this.mapOf.get(stage) ?? -1;
    for (const { base, from, count } of this.expansions.get(map)?.segments ?? [])
      if (item >= from && item < from + count)
        return base + this.maps[map].stages.indexOf(stage) * count + item - from;
    return -1;
  }

  private mapAt(gate: number): number {
    const map = this.mapOf.get(gate) ?? -1;
    invariant(map >= 0 && this.maps[map].gate === gate, 'an expansion of what is no map');
    return map;
  }

  private find(id: string): number | undefined {
    const index = this.fixed.indexOf.get(id);
    if (index !== undefined || !id.endsWith(']')) return index;
    const open = id.lastIndexOf('[');
    const stage = this.fixed.indexOf.get(id.slice(0, open));
    const item = id.slice(open + 1, -1);
    if (stage === undefined || !/^(0|[1-9][0-9]*)$/.test(item)) return undefined;
    const node = this.itemNode(stage, Number(item));
    return node < 0 ? undefined : node;
  }

  private append({ stages }: MapUnit, { base, from, count }: Segment): void {
    const total = base + stages.length * count;
    const above = edgesWithin(stages, (stage) => dependenciesOf(this.fixed, stage));
    const below = edgesWithin(stages, (stage) => dependentsOf(this.fixed, stage));
    const edges = count * above.reduce((sum, row) => sum + row.length, 0);
    this.rank = grown(this.rank, total);
    this.generation = grown(this.generation, total);
    this.itemStages = grown(this.itemStages, total - this.fixedCount);
    this.itemNumbers = grown(this.itemNumbers, total - this.fixedCount);
    this.dependencies = grown(this.dependencies, this.dependencies.length + edges);
    this.dependents = grown(this.dependents, this.dependents.length + edges);
    this.dependencyOffsets = grown(this.dependencyOffsets, total + 1);
    this.dependentOffsets = grown(this.dependentOffsets, total + 1);
    for (let s = 0; s < stages.length; s++) {
      const stage = stages[s];
      for (let i = 0; i < count; i++) {
        const node = base + s * count + i;
        this.ids.push(`${this.fixed.ids[stage]}[${from + i}]`);
        this.rank[node] = this.rank[stage];
        this.generation[node] = this.generation[stage];
        this.itemStages[node - this.fixedCount] = stage;
        this.itemNumbers[node - this.fixedCount] = from + i;
        let at = this.dependencyOffsets[node];
        for (const t of above[s]) this.dependencies[at++] = base + t * count + i;
        this.dependencyOffsets[node + 1] = at;
        at = this.dependentOffsets[node];
        for (const t of below[s]) this.dependents[at++] = base + t * count + i;
        this.dependentOffsets[node + 1] = at;
      }
    }
    this.nodeCount = total;
    this.edgeCount += edges;
  }
}

/** For each stage the positions of those of its neighbours that are stages. */
function edgesWithin(stages: readonly number[], neighbours: (stage: number) => Uint32Array): number[][] {
  return stages.map((stage) =>
    [...neighbours(stage)].map((at) => stages.indexOf(at)).filter((position) => position >= 0),
  );
}

/** The plan for one execution: one of its own when maps may grow it. */
export function planForExecution(plan: Plan): Plan {
  return plan.maps.length === 0 || plan instanceof GrowingPlan ? plan : new GrowingPlan(plan);
}

/** The expanded maps of a plan; undefined for one that cannot grow. */
export function growingPlan(plan: Plan): GrowingPlan | undefined {
  return plan instanceof GrowingPlan ? plan : undefined;
}

/** These nodes, and with stages or items of a map everything that starts over with them: see `planRerun`. */
export function withMaps(plan: Plan, nodes: readonly number[]): number[] {
  const growing = growingPlan(plan);
  if (growing === undefined) return [...nodes];
  const all = new Set(nodes);
  for (const node of nodes) {
    const map = growing.mapOf.get(stageOf(growing, node)) ?? -1;
    if (map < 0) continue;
    for (const stage of growing.maps[map].stages) all.add(stage);
    if (growing.maps[map].group >= 0) all.add(growing.maps[map].group);
    // An item starts over alone: its stages end anew around the others.
    if (node < growing.fixedCount) for (const item of growing.itemNodes(map)) all.add(item);
  }
  return [...all];
}
