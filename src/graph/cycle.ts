import type { GraphNode } from './plan.js';

/**
 * A cycle, each node a direct predecessor of the next, the first one repeated at the end; null when there is none.
 * Dependencies on unknown nodes are ignored. O(V + E), without recursion.
 */
export function findCycle(nodes: readonly GraphNode[]): string[] | null {
  return findCycles(nodes, 1)[0] ?? null;
}

/** Up to `limit` cycles that share no node, each as `findCycle` gives it. */
export function findCycles(nodes: readonly GraphNode[], limit: number): string[][] {
  const indexOf = new Map(nodes.map((node, index) => [node.id, index]));
  const search: Search = {
    nodes,
    indexOf,
    state: new Uint8Array(nodes.length),
    cursor: new Uint32Array(nodes.length),
    reported: new Uint8Array(nodes.length),
    cycles: [],
    limit,
  };
  for (let root = 0; root < nodes.length && search.cycles.length < limit; root++) {
    if (search.state[root] === UNSEEN) walk(search, root);
  }
  return search.cycles;
}

const UNSEEN = 0;
const ON_PATH = 1;
const DONE = 2;

interface Search {
  readonly nodes: readonly GraphNode[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly state: Uint8Array;
  /** How many dependencies of each node were followed. */
  readonly cursor: Uint32Array;
  readonly reported: Uint8Array;
  readonly cycles: string[][];
  readonly limit: number;
}

/** Depth first along dependencies: a dependency that is on the path closes a cycle. */
function walk(search: Search, root: number): void {
  const { nodes, indexOf, state, cursor } = search;
  const path = [root];
  state[root] = ON_PATH;
  while (path.length > 0) {
    const at = path[path.length - 1];
    const dependencies = nodes[at].dependencies;
    if (cursor[at] === dependencies.length) {
      state[at] = DONE;
      path.pop();
      continue;
    }
    const next = indexOf.get(dependencies[cursor[at]++]);
    if (next === undefined || state[next] === DONE) continue;
    if (state[next] === UNSEEN) {
      state[next] = ON_PATH;
      path.push(next);
      continue;
    }
    report(search, path.slice(path.lastIndexOf(next)));
    if (search.cycles.length >= search.limit) return;
  }
}

/** The path runs against the edges, so it is turned round. */
function report(search: Search, members: number[]): void {
  if (members.some((index) => search.reported[index] === 1)) return;
  for (const index of members) search.reported[index] = 1;
  const ids = members.map((index) => search.nodes[index].id);
  search.cycles.push([ids[0], ...ids.reverse()]);
}

const SHOWN = 20;

/** `a → b → a`, the middle of a very long one left out. */
export function describeCycle(cycle: readonly string[]): string {
  if (cycle.length <= SHOWN) return cycle.join(' → ');
  const left = cycle.length - SHOWN;
  return [...cycle.slice(0, SHOWN - 2), `… ${left} more …`, ...cycle.slice(-2)].join(' → ');
}
