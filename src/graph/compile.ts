import { invariant } from '../base/assert.js';
import { MaestroError } from '../base/errors.js';
import { Heap } from '../base/heap.js';
import { describeCycle, findCycle } from './cycle.js';
import { expandGroups, groupsOf } from './groups.js';
import { mapsOf } from './maps.js';
import type { GraphNode, Plan } from './plan.js';

const NO_ITEMS = new Int32Array(0);

interface Rows {
  readonly offsets: Uint32Array;
  readonly targets: Uint32Array;
}

/**
 * Compiles nodes to a plan, groups expanded. A dependency named twice counts once. O(V log V + E) at worst, O(V + E) when the nodes
 * are already in topological order.
 * @throws SPEC_INVALID for a duplicate id or an unknown dependency, CYCLE (`details.cycle`: the cycle) for a cycle
 */
export function compilePlan(given: readonly GraphNode[]): Plan {
  const nodes = expandGroups(given);
  const ids = nodes.map((node) => node.id);
  const indexOf = indexNodes(ids);
  const dependencies = compileDependencies(nodes, indexOf);
  const dependents = transpose(dependencies, nodes.length);
  const order = sort(dependencies, dependents, nodes);
  const rank = new Uint32Array(nodes.length);
  const generation = new Uint32Array(nodes.length);
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
    nodeCount: nodes.length,
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
    ...groupsOf(nodes, { dependencies: dependencies.targets, dependencyOffsets: dependencies.offsets }),
    ...mapsOf(nodes, rank, { dependencies: dependencies.targets, dependencyOffsets: dependencies.offsets }),
    compensated: new Set(nodes.flatMap(({ compensates = '' }) => indexOf.get(compensates) ?? [])),
    fixedCount: nodes.length,
    itemStages: NO_ITEMS,
    itemNumbers: NO_ITEMS,
  };
}

function indexNodes(ids: readonly string[]): Map<string, number> {
  const indexOf = new Map<string, number>();
  ids.forEach((id, index) => indexOf.set(id, index));
  if (indexOf.size === ids.length) return indexOf;
  const twice = ids.find((id, index) => indexOf.get(id) !== index);
  throw new MaestroError('SPEC_INVALID', `two nodes have the id ${JSON.stringify(twice)}`);
}

function compileDependencies(nodes: readonly GraphNode[], indexOf: ReadonlyMap<string, number>): Rows {
  const offsets = new Uint32Array(nodes.length + 1);
  const targets = new Uint32Array(nodes.reduce((sum, node) => sum + node.dependencies.length, 0));
  // seenBy[d] = i + 1 when node i already has dependency d.
  const seenBy = new Uint32Array(nodes.length);
  let edges = 0;
  for (let i = 0; i < nodes.length; i++) {
    for (const id of nodes[i].dependencies) {
      const target = indexOf.get(id);
      if (target === undefined) throw unknownDependency(nodes[i].id, id);
      if (seenBy[target] === i + 1) continue;
      seenBy[target] = i + 1;
      targets[edges++] = target;
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
function transpose(rows: Rows, nodeCount: number): Rows {
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

function sort(dependencies: Rows, dependents: Rows, nodes: readonly GraphNode[]): Uint32Array {
  const order = new Uint32Array(nodes.length);
  if (isSorted(dependencies, nodes.length)) {
    for (let i = 0; i < nodes.length; i++) order[i] = i;
    return order;
  }
  const waiting = new Uint32Array(nodes.length);
  const ready = new Heap<number>((a, b) => a < b);
  for (let i = 0; i < nodes.length; i++) {
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
  if (placed < nodes.length) throw cycleError(findCycle(nodes));
  return order;
}

/** Whether every dependency comes before its dependents: then the order of the spec is the answer. */
function isSorted(dependencies: Rows, nodeCount: number): boolean {
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
