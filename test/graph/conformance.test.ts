import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ancestors,
  compilePlan,
  criticalPath,
  descendants,
  findCycle,
  generations,
  indexOfNode,
  readyNodes,
  type GraphNode,
  type Plan,
} from '../../src/graph/index.js';

/** The rows come from CPython's graphlib and networkx; ../shared/conformance/README.md explains the keys. */
const FILE = `${import.meta.dirname}/../../../shared/conformance/graph-cases.json`;

type Deps = Record<string, string[]>;

interface Row {
  id: string;
  source: string;
  deps?: Deps;
  nodes?: string[];
  weighted_edges?: [string, string, number][];
  expect: {
    generations?: string[][];
    cycle?: boolean;
    cycle_through?: string[];
    ready_protocol?: { active: boolean; ready?: string[]; done?: string[] }[];
    longest_path?: string[];
    longest_path_length?: number;
  };
  [key: string]: unknown;
}

function toNodes(row: Row): GraphNode[] {
  return (row.nodes ?? []).map((id) => ({ id, dependencies: row.deps?.[id] ?? [] }));
}

function idsOf(plan: Plan, indices: Iterable<number>): string[] {
  return [...indices].map((index) => plan.ids[index]);
}

/** A node without weight for each of the graph's, and one with the edge's weight in the middle of each edge. */
function subdivide(edges: readonly [string, string, number][]): {
  nodes: GraphNode[];
  weights: Map<string, number>;
} {
  const weights = new Map<string, number>();
  const dependencies = new Map<string, string[]>();
  for (const [from, to, weight] of edges) {
    const middle = `${from}>${to}`;
    weights.set(middle, weight);
    dependencies.set(middle, [from]);
    dependencies.set(from, dependencies.get(from) ?? []);
    dependencies.set(to, [...(dependencies.get(to) ?? []), middle]);
  }
  return { nodes: [...dependencies].map(([id, list]) => ({ id, dependencies: list })), weights };
}

/** One check for each key a row can have. */
const CHECKS: Record<string, (row: Row) => void> = {
  generations(row) {
    const plan = compilePlan(toNodes(row));
    const groups = generations(plan).map((group) => idsOf(plan, group).sort());
    expect(groups).toEqual(row.expect.generations?.map((group) => [...group].sort()));
    expect(findCycle(toNodes(row))).toBeNull();
  },
  cycle(row) {
    const nodes = toNodes(row);
    const cycle = findCycle(nodes) ?? [];
    expect(cycle.length).toBeGreaterThan(1);
    expect(cycle[0]).toBe(cycle.at(-1));
    cycle.slice(1).forEach((id, index) => expect(row.deps?.[id]).toContain(cycle[index]));
    // Asked again, it is refused again.
    for (let i = 0; i < 2; i++) expect(() => compilePlan(nodes)).toThrow(/cycle/);
  },
  cycle_through(row) {
    const given = row.expect.cycle_through ?? [];
    const expected = given[0] === given.at(-1) ? given.slice(1) : given;
    const found = (findCycle(toNodes(row)) ?? []).slice(1);
    const rotations = found.map((_, index) => [...found.slice(index), ...found.slice(0, index)]);
    expect(rotations).toContainEqual(expected);
  },
  ready_protocol(row) {
    const plan = compilePlan(toNodes(row));
    const completed = new Set<string>();
    const handed = new Set<string>();
    for (const step of row.expect.ready_protocol ?? []) {
      expect(completed.size < plan.nodeCount).toBe(step.active);
      for (const id of step.done ?? []) completed.add(id);
      const ready = readyNodes(plan, completed).filter((id) => !handed.has(id));
      if (step.ready !== undefined) expect(ready).toEqual(step.ready);
      for (const id of step.ready ?? []) handed.add(id);
    }
  },
  valid_orders(row) {
    const plan = compilePlan(toNodes(row));
    expect(row.valid_orders).toContainEqual(idsOf(plan, plan.order));
  },
  lexicographic_order(row) {
    const nodes = toNodes(row).sort((a, b) => Number(a.id) - Number(b.id));
    const plan = compilePlan(nodes);
    expect(idsOf(plan, plan.order)).toEqual(row.lexicographic_order);
  },
  lexicographic_by_negated_key(row) {
    const nodes = toNodes(row).sort((a, b) => Number(b.id) - Number(a.id));
    const plan = compilePlan(nodes);
    expect(idsOf(plan, plan.order)).toEqual(row.lexicographic_by_negated_key);
  },
  ancestors(row) {
    const plan = compilePlan(toNodes(row));
    for (const [id, expected] of Object.entries(row.ancestors as Deps)) {
      expect(idsOf(plan, ancestors(plan, indexOfNode(plan, id))).sort()).toEqual(expected);
    }
  },
  descendants(row) {
    const plan = compilePlan(toNodes(row));
    for (const [id, expected] of Object.entries(row.descendants as Deps)) {
      expect(idsOf(plan, descendants(plan, indexOfNode(plan, id))).sort()).toEqual(expected);
    }
  },
  unknown_node_error(row) {
    const plan = compilePlan(toNodes(row));
    expect(() => indexOfNode(plan, String(row.unknown_node_error))).toThrow(
      expect.objectContaining({ code: 'NODE_NOT_FOUND' }) as Error,
    );
  },
  longest_path(row) {
    const expected = row.longest_path ?? row.expect.longest_path;
    const length = row.longest_path_length ?? row.expect.longest_path_length;
    if (row.weighted_edges !== undefined) {
      const { nodes, weights } = subdivide(row.weighted_edges);
      const plan = compilePlan(nodes);
      const found = criticalPath(plan, (index) => weights.get(plan.ids[index]) ?? 0);
      expect(idsOf(plan, found.path).filter((id) => !weights.has(id))).toEqual(expected);
      expect(found.lengthMs).toBe(length);
      return;
    }
    const plan = compilePlan(toNodes(row));
    const found = criticalPath(plan, () => 1);
    expect(idsOf(plan, found.path)).toEqual(expected);
    if (length !== undefined) expect(found.lengthMs - 1).toBe(length);
  },
};

/** Keys that are no assertion, or are asserted together with another. */
const SILENT = [
  'id',
  'source',
  'asserted_by_test',
  'note',
  'deps',
  'nodes',
  'expect',
  'weighted_edges',
  'longest_path_length',
];

/** Assertions about operations this package does not offer. */
const SKIPPED: Record<string, string> = {
  transitive_reduction: 'dependencies stay as written: each of them passes an output on',
  antichain_width: 'the scheduler never needs the largest antichain',
};

describe.skipIf(!existsSync(FILE))('graph cases of graphlib and networkx (skipped without ../shared)', () => {
  const rows = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Row[]) : [];
  for (const row of rows) {
    const keys = [...Object.keys(row.expect), ...Object.keys(row)].filter((key) => !SILENT.includes(key));
    for (const key of keys) {
      const name = `${row.id} ${key} (${row.source})`;
      // Its title says why: what the row asks for is nothing that plans offer.
      if (key in SKIPPED) it.skip(`${name}: ${SKIPPED[key]}`);
      else it(name, () => (CHECKS[key] ?? expect.fail(`no check for ${key}`))(row));
    }
  }
});
