import { invariant } from '../base/assert.js';
import { MaestroError } from '../base/errors.js';
import { Heap } from '../base/heap.js';
import { describeCycle, findCycle } from './cycle.js';
import { expandGroups, groupsOf } from './groups.js';
import { mapsOf } from './maps.js';
import type { GraphNode, Plan } from './plan.js';

const NO_ITEMS = new Int32Array(0);

/** In compressed rows: those of node i are `targets[offsets[i] .. offsets[i + 1])`. */
export interface DependencyRows {
  readonly offsets: Uint32Array;
  readonly targets: Uint32Array;
}

/**
 * Compiles nodes to a plan, groups expanded. A dependency named twice counts once. O(V log V + E) at worst, O(V + E) when the nodes
 * are already in topological order.
 * @param known the place of each id, if that is known and no two nodes have the same one
 * @throws SPEC_INVALID for a duplicate id or an unknown dependency, CYCLE (`details.cycle`: the cycle) for a cycle
 */
export function compilePlan(given: readonly GraphNode[], known?: ReadonlyMap<string, number>): Plan {
  const nodes = expandGroups(given);
  const ids = nodes.map((node) => node.id);
  const indexOf = known ?? indexNodes(ids);
  const dependencies = distinct(resolve(nodes, indexOf));
  const plain = compile(ids, indexOf, dependencies, () => nodes);
  return {
    ...plain,
    ...groupsOf(nodes, plain),
    ...mapsOf(nodes, plain.rank, plain),
    compensated: compensatedBy(nodes, indexOf),
  };
}

/**
 * The same for nodes that were compiled before: their ids are known to be distinct, and there are no groups, maps or compensations
 * among them. A name is looked up when it is first asked for.
 * @throws CYCLE
 */
export function compileRows(ids: readonly string[], given: DependencyRows): Plan {
  let known: ReadonlyMap<string, number> | undefined;
  const indexOf: Plan['indexOf'] = { get: (id) => (known ??= indexNodes(ids)).get(id) };
  const rows = distinct(given);
  const nodesOf = (): GraphNode[] =>
    ids.map((id, node) => {
      const dependencies = rows.targets.subarray(rows.offsets[node], rows.offsets[node + 1]);
      return { id, dependencies: Array.from(dependencies, (target) => ids[target]) };
    });
  return compile(ids, indexOf, rows, nodesOf);
}

/** @param nodesOf what a cycle is described by */
function compile(
  ids: readonly string[],
  indexOf: Plan['indexOf'],
  dependencies: DependencyRows,
  nodesOf: () => readonly GraphNode[],
): Plan {
  const nodeCount = ids.length;
  const dependents = transpose(dependencies, nodeCount);
  const order = sort(dependencies, dependents, nodeCount);
  if (order === null) throw cycleError(findCycle(nodesOf()));
  const rank = new Uint32Array(nodeCount);
  const generation = new Uint32Array(nodeCount);
  for (let k = 0; k < order.length; k++) {
    const node = order[k];
    rank[node] = k;
    let longest = 0;
    for (let e = dependencies.offsets[node]; e < dependencies.offsets[node + 1]; e++) {
      longest = Math.max(longest, generation[dependencies.targets[e]] + 1);
    }
    generation[node] = longest;
  }
  return {
    nodeCount,
    edgeCount: dependencies.targets.length,
    ids,
    indexOf,
    dependentOffsets: dependents.offsets,
    dependents: dependents.targets,
    dependencyOffsets: dependencies.offsets,
    dependencies: dependencies.targets,
    order,
    rank,
    generation,
    groups: new Map(),
    groupOf: new Map(),
    maps: [],
    mapOf: new Map(),
    compensated: new Set(),
    fixedCount: nodeCount,
    itemStages: NO_ITEMS,
    itemNumbers: NO_ITEMS,
  };
}

function compensatedBy(nodes: readonly GraphNode[], indexOf: ReadonlyMap<string, number>): Set<number> {
  const compensated = new Set<number>();
  for (const { compensates } of nodes) {
    const target = compensates === undefined ? undefined : indexOf.get(compensates);
    if (target !== undefined) compensated.add(target);
  }
  return compensated;
}

function indexNodes(ids: readonly string[]): Map<string, number> {
  const indexOf = new Map<string, number>();
  ids.forEach((id, index) => indexOf.set(id, index));
  if (indexOf.size === ids.length) return indexOf;
  const twice = ids.find((id, index) => indexOf.get(id) !== index);
  throw new MaestroError('SPEC_INVALID', `two nodes have the id ${JSON.stringify(twice)}`);
}

/** Dependencies by index, as they are listed. */
function resolve(nodes: readonly GraphNode[], indexOf: ReadonlyMap<string, number>): DependencyRows {
  const offsets = new Uint32Array(nodes.length + 1);
  const targets = new Uint32Array(nodes.reduce((sum, node) => sum + node.dependencies.length, 0));
  let edges = 0;
  for (let i = 0; i < nodes.length; i++) {
    for (const id of nodes[i].dependencies) {
      const target = indexOf.get(id);
      if (target === undefined) throw unknownDependency(nodes[i].id, id);
      targets[edges++] = target;
    }
    offsets[i + 1] = edges;
  }
  return { offsets, targets };
}

/** The same rows, what stands in one twice only once. */
function distinct({ offsets: given, targets: all }: DependencyRows): DependencyRows {
  const nodeCount = given.length - 1;
  const offsets = new Uint32Array(nodeCount + 1);
  const targets = new Uint32Array(all.length);
  // seenBy[d] = i + 1 when node i already has dependency d.
  const seenBy = new Uint32Array(nodeCount);
  let edges = 0;
  for (let i = 0; i < nodeCount; i++) {
    for (let k = given[i]; k < given[i + 1]; k++) {
      if (seenBy[all[k]] === i + 1) continue;
      seenBy[all[k]] = i + 1;
      targets[edges++] = all[k];
    }
    offsets[i + 1] = edges;
  }
  return { offsets, targets: edges === targets.length ? targets : targets.slice(0, edges) };
}

function unknownDependency(node: string, dependency: string): MaestroError {
  return new MaestroError(
    'SPEC_INVALID',
    `node ${JSON.stringify(node)} depends on ${JSON.stringify(dependency)}, which is not a node`,
  );
}

/** Turns rows of dependencies into rows of dependents, each in the order of the spec. */
function transpose(rows: DependencyRows, nodeCount: number): DependencyRows {
  const offsets = new Uint32Array(nodeCount + 1);
  for (const target of rows.targets) offsets[target + 1]++;
  for (let i = 0; i < nodeCount; i++) offsets[i + 1] += offsets[i];
  const next = offsets.slice(0, nodeCount);
  const targets = new Uint32Array(rows.targets.length);
  for (let node = 0; node < nodeCount; node++) {
    for (let e = rows.offsets[node]; e < rows.offsets[node + 1]; e++) targets[next[rows.targets[e]]++] = node;
  }
  return { offsets, targets };
}

/** @returns null when there is a cycle */
function sort(
  dependencies: DependencyRows,
  dependents: DependencyRows,
  nodeCount: number,
): Uint32Array | null {
  const order = new Uint32Array(nodeCount);
  if (isSorted(dependencies, nodeCount)) {
    for (let i = 0; i < nodeCount; i++) order[i] = i;
    return order;
  }
  const waiting = new Uint32Array(nodeCount);
  const ready = new Heap<number>((a, b) => a < b);
  for (let i = 0; i < nodeCount; i++) {
    waiting[i] = dependencies.offsets[i + 1] - dependencies.offsets[i];
    if (waiting[i] === 0) ready.push(i);
  }
  let placed = 0;
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order[placed++] = node;
    for (let e = dependents.offsets[node]; e < dependents.offsets[node + 1]; e++) {
      if (--waiting[dependents.targets[e]] === 0) ready.push(dependents.targets[e]);
    }
  }
  return placed < nodeCount ? null : order;
}

/** Whether every dependency comes before its dependents: then the order of the spec is the answer. */
function isSorted(dependencies: DependencyRows, nodeCount: number): boolean {
  for (let node = 0; node < nodeCount; node++) {
    for (let e = dependencies.offsets[node]; e < dependencies.offsets[node + 1]; e++) {
      if (dependencies.targets[e] >= node) return false;
    }
  }
  return true;
}

/** The error for a cycle: its text names the nodes, `details.cycle` holds them. */
export function cycleError(cycle: readonly string[] | null): MaestroError {
  invariant(cycle !== null, 'nodes were left over by the topological sort, but there is no cycle');
  return new MaestroError('CYCLE', `the dependencies form a cycle: ${describeCycle(cycle)}`, {
    details: { cycle },
  });
}
