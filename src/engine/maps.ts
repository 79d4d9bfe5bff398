import type { ErrorDocument } from '../base/errors.js';
import { INLINE_OUTPUT_LIMIT_BYTES, type NodeOutput } from '../base/model.js';
import { growingPlan, mapOfNode, type GrowingPlan, type MapUnit } from '../graph/index.js';
import { exceedsTolerance, MAX_MAP_OUTPUT_BYTES, type MapPolicy } from '../policy/map.js';
import { isSettledLeaf, LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { Effect } from './effects.js';
import type { ExecutionState } from './execution-state.js';
import type { Propagation } from './propagation.js';
import { finishOfLeaf, type Finish } from './readiness.js';

interface MapsHost {
  act(effect: Effect): void;
  /** The plan has grown: so does what may start. */
  grow(): void;
  cancel(node: number, atMs: number): void;
}

/** How far a map is whose list is known: kept while its gate waits for the items. */
interface Progress {
  /** Item nodes that have not ended. */
  left: number;
  /** Items of which a node failed, was cancelled or blocked. */
  readonly bad: Set<number>;
}

const FAILURES_NAMED = 3;

/**
 * What is done once for each item of a list. When the turn of a map's gate comes, the list is evaluated (outside), and
 * the plan grows by a node for each item and stage: these are nodes like others, but the failure of one is the map's
 * affair alone. Stages stay pending until all items have ended, and execute nothing. An item goes from stage to stage
 * by itself.
 * Invariant: items start only while their map is current: its list belongs to the present run of its gate.
 */
export class Maps {
  private readonly progress = new Map<number, Progress>();
  /** Maps by the group whose members are their stages. */
  private readonly ofGroup: ReadonlyMap<number, number>;
  private readonly plan: GrowingPlan;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly propagation: Propagation,
    private readonly host: MapsHost,
  ) {
    this.plan = growingPlan(state.plan)!;
    this.ofGroup = new Map(this.plan.maps.flatMap(({ group }, map) => (group < 0 ? [] : [[group, map]])));
  }

  /** What becomes of a node that its dependencies have let through; ask: for the list of its map. */
  turnOf(node: number): 'go' | 'wait' | 'ask' {
    const map = mapOfNode(this.plan, node);
    if (map < 0) return 'go';
    const isCurrent = this.isCurrent(map);
    if (node >= this.plan.fixedCount) return isCurrent && this.isListed(map, node) ? 'go' : 'wait';
    if (!isCurrent) return node === this.plan.maps[map].gate ? 'ask' : 'wait';
    return (this.progress.get(map)?.left ?? 0) === 0 ? 'go' : 'wait';
  }

  /** The list of a map is known. The same one as before: what was done stays done. */
  expanded(gate: number, items: number, digest: string, atMs: number): void {
    const { state, plan } = this;
    const map = plan.mapOf.get(gate)!;
    const isSame = plan.expansionOf(map)?.digest === digest;
    const run = state.columns.run[gate];
    state.sendWorkflow({ type: 'mapExpanded', node: gate, run, items, digest }, atMs);
    this.propagation.readiness.grow();
    this.host.grow();
    for (const node of plan.itemNodes(map)) {
      if (!isSame) this.startOver(node, atMs);
      if (this.isListed(map, node) || state.columns.leaf[node] !== LEAF.pending) continue;
      const condition = `the list has no item ${plan.itemNumbers[node - plan.fixedCount]} any more`;
      state.sendNode(node, { type: 'conditionNotMet', condition }, atMs);
    }
    // Dependencies first: what still blocks an item is known when it is looked at.
    const { readiness } = this.propagation;
    for (const node of plan.itemNodes(map)) {
      readiness.recountOf(node);
      if (state.columns.leaf[node] === LEAF.blocked && readiness.decide(node) !== 'block')
        state.sendNode(node, { type: 'dependencyRestored' }, atMs);
    }
    this.count(map);
    for (const node of plan.itemNodes(map)) if (this.isListed(map, node)) this.propagation.admit(node, atMs);
    this.settle(map, atMs);
  }

  /** An item node has ended, and its dependents know. */
  ended(node: number, finish: Finish, atMs: number): void {
    const map = mapOfNode(this.plan, node);
    const progress = this.progress.get(map);
    if (progress === undefined) return;
    progress.left--;
    if (isBad(finish)) progress.bad.add(this.plan.itemNumbers[node - this.plan.fixedCount]);
    if (progress.left === 0 || isBad(finish)) this.settle(map, atMs);
  }

  /** The map that a node begins, belongs to or is the group of ends: nothing of it starts any more. */
  fail(gate: number, error: ErrorDocument, atMs: number): void {
    const map = this.plan.mapOf.get(gate)!;
    this.progress.delete(map);
    for (const node of this.plan.itemNodes(map)) this.host.cancel(node, atMs);
    this.propagation.failUnstarted(gate, error, atMs);
    for (const stage of this.plan.maps[map].stages)
      if (this.leaf[stage] === LEAF.pending) this.host.cancel(stage, atMs);
    this.host.act({ kind: 'closed', map });
  }

  /** After a restore, and whenever nodes started over: looks at all items anew. */
  recount(): void {
    for (let map = 0; map < this.plan.maps.length; map++) this.count(map);
  }

  /** Of nodes that failed those that a retry runs again: what a completed map has put up with stays. */
  retried(failures: readonly number[]): number[] {
    const { plan } = this;
    return failures.filter(
      (node) => node < plan.fixedCount || this.leaf[plan.maps[mapOfNode(plan, node)].gate] !== LEAF.completed,
    );
  }

  /** What a stage, or the group of a map, gives; undefined for any other node. */
  outputOf(node: number): NodeOutput | undefined {
    const own = this.plan.mapOf.get(node);
    const map = own ?? this.ofGroup.get(node);
    if (map === undefined) return undefined;
    if (own !== undefined && this.plan.maps[map].group >= 0) return this.countsOf(map, node);
    const text = `[${this.resultsOf(map).join()}]`;
    const sizeBytes = Buffer.byteLength(text);
    if (sizeBytes <= INLINE_OUTPUT_LIMIT_BYTES) return text;
    this.host.act({ kind: 'keep', node, run: this.state.columns.run[node], text });
    return { sizeBytes };
  }

  private isCurrent(map: number): boolean {
    return this.plan.expansionOf(map)?.run === this.state.columns.run[this.plan.maps[map].gate];
  }

  /** Whether the list still has the item of this node. */
  private isListed(map: number, node: number): boolean {
    return this.plan.itemNumbers[node - this.plan.fixedCount] < this.plan.expansionOf(map)!.items;
  }

  private count(map: number): void {
    this.progress.delete(map);
    if (!this.isCurrent(map) || this.leaf[this.plan.maps[map].gate] !== LEAF.pending) return;
    const progress: Progress = { left: 0, bad: new Set() };
    for (const node of this.plan.itemNodes(map)) {
      if (!this.isListed(map, node)) continue;
      const finish = finishOfLeaf(this.leaf[node]);
      if (finish === null) progress.left++;
      else if (isBad(finish)) progress.bad.add(this.plan.itemNumbers[node - this.plan.fixedCount]);
    }
    this.progress.set(map, progress);
  }

  private settle(map: number, atMs: number): void {
    const progress = this.progress.get(map);
    const { gate, stages } = this.plan.maps[map];
    if (progress === undefined || this.leaf[gate] !== LEAF.pending) return;
    const { items } = this.plan.expansionOf(map)!;
    const policy = this.definition.maps.get(gate)!;
    if (exceedsTolerance(policy, progress.bad.size, items))
      return this.fail(gate, this.failure(map, policy, progress.bad, items), atMs);
    if (progress.left > 0) return;
    for (const stage of stages) this.propagation.admit(stage, atMs);
    if (this.leaf[gate] === LEAF.pending) return;
    this.progress.delete(map);
    this.host.act({ kind: 'closed', map });
  }

  /** The list is another one: what was done for an item of the same number counts for nothing. */
  private startOver(node: number, atMs: number): void {
    const leaf = this.leaf[node];
    if (leaf === LEAF.blocked) this.state.sendNode(node, { type: 'dependencyRestored' }, atMs);
    else if (isSettledLeaf(leaf) || leaf === LEAF.ready || leaf === LEAF['failed.retrying'])
      this.state.sendNode(node, { type: 'rerunRequested' }, atMs);
  }

  /** In the order of the items: what came of each; null for one that failed or was skipped. */
  private resultsOf(map: number): string[] {
    const unit = this.plan.maps[map];
    const { items, segments } = this.plan.expansionOf(map)!;
    const results: string[] = [];
    let room = MAX_MAP_OUTPUT_BYTES;
    const textOf = (node: number): string => {
      const own = this.state.columns.output[node];
      if (this.leaf[node] !== LEAF.completed || own === null) return 'null';
      if (typeof own === 'string' && (room -= Buffer.byteLength(own)) >= 0) return own;
      return `{"output_of":${JSON.stringify(this.plan.ids[node])}}`;
    };
    for (const { base, from, count } of segments)
      for (let i = 0; i < count && from + i < items; i++)
        results.push(resultOf(unit, (at) => textOf(base + at * count + i), this.plan.ids));
    return results;
  }

  /** How the items of one stage ended. */
  private countsOf(map: number, stage: number): string {
    const counts = { items: this.plan.expansionOf(map)!.items, completed: 0, skipped: 0, failed: 0 };
    for (const node of this.plan.itemNodes(map)) {
      if (this.plan.itemStages[node - this.plan.fixedCount] !== stage || !this.isListed(map, node)) continue;
      const finish = finishOfLeaf(this.leaf[node]);
      counts[finish === 'succeeded' ? 'completed' : finish === 'skipped' ? 'skipped' : 'failed']++;
    }
    return JSON.stringify(counts);
  }

  private failure(map: number, policy: MapPolicy, bad: ReadonlySet<number>, items: number): ErrorDocument {
    const { stages } = this.plan.maps[map];
    const limit =
      bad.size > policy.maxFailed
        ? `max_failed ${policy.maxFailed}`
        : `max_failed_percent ${policy.maxFailedPercent}`;
    const named = [...bad]
      .sort((a, b) => a - b)
      .slice(0, FAILURES_NAMED)
      .map((item) => {
        const nodes = stages.map((stage) => this.plan.itemNode(stage, item));
        const node = nodes.find((at) => finishOfLeaf(this.leaf[at]) === 'failed') ?? nodes[0];
        const why = this.state.columns.error.get(node)?.message ?? 'it was cancelled';
        return `${this.plan.ids[node]}: ${why}`;
      });
    const more = bad.size > named.length ? `; and ${bad.size - named.length} more` : '';
    const message = `${bad.size} of ${items} items failed, more than ${limit} allows: ${named.join('; ')}${more}`;
    return { name: 'MaestroError', code: 'MAP_FAILED', message };
  }

  private get leaf(): Uint8Array {
    return this.state.columns.leaf;
  }
}

function isBad(finish: Finish): boolean {
  return finish === 'failed' || finish === 'blocked';
}

/** What the last stages gave for one item; when there are several, by their ids. @param textOf by place of the stage */
function resultOf(unit: MapUnit, textOf: (at: number) => string, ids: readonly string[]): string {
  const { sinks, stages } = unit;
  if (sinks.length === 1) return textOf(stages.indexOf(sinks[0]));
  const parts = sinks.map((sink) => `${JSON.stringify(ids[sink])}:${textOf(stages.indexOf(sink))}`);
  return `{${parts.join()}}`;
}
