import { RareMap } from '../base/rare-map.js';
import type { RerunLimit, WorkflowEvent } from '../../machines/events.js';
import { growingPlan, mapOfNode, stageOf, withMaps } from '../graph/index.js';
import { dependentsOf, descendants, withMembers } from '../graph/queries.js';
import type { Plan } from '../graph/plan.js';
import { isSettledLeaf, LEAF, type NodeColumns } from './columns.js';
import type { EngineDefinition, TriggerDefinition } from './definition.js';
import type { RerunRequest } from './effects.js';
import { failedDependency, Readiness } from './readiness.js';

/** What it means to run one node again. */
export interface RerunPlan {
  /** Nodes that start over: the node, and those whose result or start goes with it. */
  readonly again: readonly number[];
  /** The node, and what may start because of it. */
  readonly reach: readonly number[];
}

/** Why a node cannot run again now. `node` is the one in the way, which may be the node itself. */
export interface RerunRefusal {
  readonly why: 'running' | 'not started' | 'blocked';
  readonly node: number;
}

/**
 * With `cascade` everything downstream that ran starts over, too. Without it dependents that have ended keep their
 * results; those that wait to start wait for the new one, and a group ends anew with its member. A group starts over
 * as its members do. Nothing is taken away from under a running node: neither its state nor its input.
 */
export function planRerun(
  definition: TriggerDefinition,
  columns: Pick<NodeColumns, 'leaf' | 'condition' | 'edges' | 'run'>,
  node: number,
  cascade: boolean,
): RerunPlan | RerunRefusal {
  const { plan, compensations } = definition;
  if (compensations.has(node)) return { why: 'not started', node };
  const { leaf } = columns;
  const family = withMaps(plan, withMembers(plan, [node]));
  const targets = family.filter((at) => hasRun(leaf[at]) || leaf[at] === LEAF.running);
  // Of a group or a map some parts may not have run; of an item that does not go.
  const isWhole = node >= plan.fixedCount || (mapOfNode(plan, node) < 0 && !plan.groups.has(node));
  const refusal = refusalOf(definition, columns, isWhole ? [node, ...targets] : targets, new Set(family));
  if (refusal !== null) return refusal;
  if (targets.length === 0) return { why: 'not started', node };
  const among = new Set(family);
  const below = withMaps(plan, descendants(plan, family)).filter((at) => !among.has(at));
  const affected = cascade ? below : directlyAffected(plan, family);
  const open = [...family, ...affected].filter((at) => isOpenGate(plan, columns, at));
  const begun = withMaps(plan, open);
  const busy = [...affected, ...begun].find((dependent) => leaf[dependent] === LEAF.running);
  if (busy !== undefined) return { why: 'running', node: busy };
  const startsOver = (at: number): boolean =>
    cascade || plan.groups.has(at) ? hasRun(leaf[at]) : waitsToStart(leaf[at]);
  // Items that wait to start would start with what the list was before.
  const waiting = begun.filter((at) => waitsToStart(leaf[at]));
  const again = [...new Set([...targets, ...affected.filter(startsOver), ...open, ...waiting])];
  const comesBack = (at: number): boolean =>
    leaf[at] === LEAF.blocked || (definition.triggers.size > 0 && leaf[at] === LEAF.skipped);
  return {
    again,
    reach: [...family, ...(cascade ? below : below.filter(comesBack))],
  };
}

/** What is cancelled with a node, itself first: the members of a group, and all of a map with any of its stages. */
export function cancelledWith(plan: Plan, node: number): readonly number[] {
  const parts = [node, ...(plan.groups.get(node) ?? [])];
  return node < plan.fixedCount ? withMaps(plan, parts) : parts;
}

/** What depends on these nodes directly, and on their groups: a group executes nothing, it changes with its members. */
function directlyAffected(plan: Plan, nodes: readonly number[]): number[] {
  const found = new Set<number>();
  for (const node of nodes) {
    for (const dependent of dependentsOf(plan, node)) found.add(dependent);
    const group = plan.groupOf.get(node);
    if (group !== undefined) for (const dependent of dependentsOf(plan, group)) found.add(dependent);
  }
  for (const node of nodes) found.delete(node);
  return [...found];
}

/**
 * Whether a node is the gate of a map that is under way: its list belongs to this run, and it waits for its items. When
 * what the list is made of changes, it has to start over, although it is pending.
 */
export function isOpenGate(plan: Plan, columns: Pick<NodeColumns, 'leaf' | 'run'>, node: number): boolean {
  const map = plan.mapOf.get(node) ?? -1;
  if (map < 0 || plan.maps[map].gate !== node || columns.leaf[node] !== LEAF.pending) return false;
  return growingPlan(plan)?.expansionOf(map)?.run === columns.run[node];
}

/** The request as the journal keeps it, and what starts over; null when it no longer fits. */
export function rerunEvent(
  definition: EngineDefinition,
  columns: NodeColumns,
  { node, cascade }: RerunRequest,
): { event: WorkflowEvent; again: readonly number[] } | null {
  const planned = planRerun(definition, columns, node, cascade);
  if ('why' in planned) return null;
  const { again, reach } = planned;
  const startsOver = new Set(again);
  const { plan, failureMode } = definition;
  const stopping = failureMode === 'fail_fast' ? failuresOf(definition, columns) : [];
  const standing = stopping.filter((at) => at < plan.fixedCount && !startsOver.has(at)).length;
  // All items may start whose stages are reached; of others those that run, which may be tried again.
  const reached = [...reach.map((at) => stageOf(plan, at)), ...columns.nodesIn(LEAF.running)];
  const nodes = standing === 0 ? [] : [...new Set(reached)];
  return { event: { type: 'rerunRequested', node, cascade, standing, nodes }, again };
}

/** What failed or was cancelled, compensations aside: they start over with every rerun. */
function failuresOf({ compensations }: EngineDefinition, columns: NodeColumns): number[] {
  return columns.failures.filter((node) => !compensations.has(node));
}

/** @param family what starts over: it is in nobody's way */
function refusalOf(
  definition: TriggerDefinition,
  columns: Pick<NodeColumns, 'leaf' | 'condition' | 'edges'>,
  targets: readonly number[],
  family: ReadonlySet<number>,
): RerunRefusal | null {
  const { plan } = definition;
  const { leaf } = columns;
  const readiness = new Readiness(definition, columns);
  for (const node of targets) {
    if (leaf[node] === LEAF.running) return { why: 'running', node };
    if (leaf[node] === LEAF.pending) return { why: 'not started', node };
    readiness.recountOf(node);
    if (leaf[node] !== LEAF.blocked && readiness.decide(node) !== 'block') continue;
    const by = failedDependency(plan, leaf, node);
    if (!family.has(by)) return { why: 'blocked', node: by };
  }
  return null;
}

/** Blocked nodes come back by themselves; pending ones have nothing to repeat. */
export function hasRun(leaf: number): boolean {
  return (isSettledLeaf(leaf) && leaf !== LEAF.blocked) || waitsToStart(leaf);
}

/** Nothing is missing but room, or time until its retry. */
export function waitsToStart(leaf: number): boolean {
  return leaf === LEAF.ready || leaf === LEAF['failed.retrying'];
}

interface StartLimitHost {
  /** Whether failures that stand keep a node from starting. */
  holdsBack(node: number): boolean;
}

/** The nodes that may start while failures stand that a rerun has left (fail_fast); without a limit all may. */
export class StartLimit {
  private allowed: Uint8Array | null = null;
  /** Nodes that could start but for the limit, by leaf. They stay so for as long as the limit holds. */
  private readonly held = new RareMap<number, number>();

  constructor(
    private readonly plan: Plan,
    private readonly host: StartLimitHost,
  ) {}

  /** Takes the limit of a workflow as it is now. */
  set(limit: RerunLimit | null, leaf: Uint8Array): void {
    this.allowed = limit === null ? null : new Uint8Array(leaf.length);
    this.held.clear();
    if (limit === null) return;
    for (const node of limit.nodes) this.allowed![node] = 1;
    leaf.forEach((at, node) => {
      if (waitsToStart(at) && !this.allows(node)) this.held.set(at, this.heldIn(at) + 1);
    });
  }

  get isSet(): boolean {
    return this.allowed !== null;
  }

  allows(node: number): boolean {
    const { allowed } = this;
    if (allowed === null || allowed[node] === 1) return true;
    // Items may start as their stages may.
    return allowed[stageOf(this.plan, node)] === 1 || !this.host.holdsBack(node);
  }

  heldIn(leaf: number): number {
    return this.held.get(leaf) ?? 0;
  }
}
