import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ancestors,
  compilePlan,
  components,
  criticalPath,
  dependenciesOf,
  dependentsOf,
  descendants,
  findCycle,
  findCycles,
  generations,
  readyNodes,
  type GraphNode,
} from '../../src/graph/index.js';

/** Random graphs: edges run up a random ranking of the nodes, so there is no cycle, whatever their order. */
const dags = fc
  .integer({ min: 0, max: 40 })
  .chain((size) =>
    fc.record({
      ranking: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
      pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: size * 3 }),
    }),
  )
  .map(({ ranking, pairs }): GraphNode[] => {
    const nodes = ranking.map((_, i) => ({ id: `n${i}`, dependencies: [] as string[] }));
    for (const [a, b] of pairs) {
      const [low, high] = [a % nodes.length, b % nodes.length].sort((x, y) => ranking[x] - ranking[y]);
      if (low !== high) nodes[high].dependencies.push(`n${low}`);
    }
    return nodes;
  });

/** Any graph, cycles and self-dependencies included. */
const graphs = fc
  .integer({ min: 1, max: 25 })
  .chain((size) =>
    fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }),
  )
  .map((rows): GraphNode[] => rows.map((row, i) => ({ id: `n${i}`, dependencies: row.map((d) => `n${d}`) })));

const RUNS = { numRuns: 200 };

describe('plans of random graphs', () => {
  it('order respects every edge, breaks ties by the order of the spec, and rank inverts it', () => {
    fc.assert(
      fc.property(dags, (nodes) => {
        const plan = compilePlan(nodes);
        const placed = new Set<number>();
        const isReady = (index: number): boolean => dependenciesOf(plan, index).every((d) => placed.has(d));
        plan.order.forEach((index, k) => {
          expect(plan.rank[index]).toBe(k);
          expect(isReady(index)).toBe(true);
          for (let earlier = 0; earlier < index; earlier++) {
            expect(placed.has(earlier) || !isReady(earlier)).toBe(true);
          }
          placed.add(index);
        });
        expect(placed.size).toBe(nodes.length);
      }),
      RUNS,
    );
  });

  it('rows of dependencies and dependents say the same, without repeats', () => {
    fc.assert(
      fc.property(dags, (nodes) => {
        const plan = compilePlan(nodes);
        const forward: string[] = [];
        const backward: string[] = [];
        nodes.forEach((node, index) => {
          expect([...dependenciesOf(plan, index)].map((d) => plan.ids[d])).toEqual([
            ...new Set(node.dependencies),
          ]);
          for (const d of dependenciesOf(plan, index)) backward.push(`${d}>${index}`);
          for (const d of dependentsOf(plan, index)) forward.push(`${index}>${d}`);
        });
        expect(forward.sort()).toEqual(backward.sort());
        expect(plan.edgeCount).toBe(forward.length);
      }),
      RUNS,
    );
  });

  it('generation is the longest path, which an unweighted critical path equals', () => {
    fc.assert(
      fc.property(dags, (nodes) => {
        const plan = compilePlan(nodes);
        const longest = (index: number): number =>
          Math.max(0, ...[...dependenciesOf(plan, index)].map((d) => longest(d) + 1));
        nodes.forEach((_, index) => expect(plan.generation[index]).toBe(longest(index)));
        const groups = generations(plan);
        expect(groups.flat().sort((a, b) => a - b)).toEqual(nodes.map((_, index) => index));
        const { path, lengthMs } = criticalPath(plan, () => 1);
        expect(lengthMs).toBe(groups.length);
        path.slice(1).forEach((node, k) => expect([...dependenciesOf(plan, node)]).toContain(path[k]));
      }),
      { numRuns: 100 },
    );
  });

  it('working off ready nodes runs everything, generation by generation', () => {
    fc.assert(
      fc.property(dags, (nodes) => {
        const plan = compilePlan(nodes);
        const done = new Set<string>();
        for (const group of generations(plan)) {
          const ready = readyNodes(plan, done);
          expect(ready.sort()).toEqual(group.map((index) => plan.ids[index]).sort());
          for (const id of ready) done.add(id);
        }
        expect(readyNodes(plan, done)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('ancestors and descendants mirror each other; components agree with them', () => {
    fc.assert(
      fc.property(dags, (nodes) => {
        const plan = compilePlan(nodes);
        nodes.forEach((_, a) => {
          for (const b of ancestors(plan, a)) expect(descendants(plan, b)).toContain(a);
        });
        const group = nodes.map((_, index) => index);
        const find = (index: number): number => (group[index] === index ? index : find(group[index]));
        nodes.forEach((_, a) => dependenciesOf(plan, a).forEach((b) => (group[find(a)] = find(b))));
        expect(components(plan)).toBe(new Set(group.map((_, index) => find(index))).size);
      }),
      RUNS,
    );
  });
});

describe('cycles of random graphs', () => {
  it('is found exactly when the graph cannot be sorted, and is one', () => {
    fc.assert(
      fc.property(graphs, (nodes) => {
        const cycle = findCycle(nodes);
        if (cycle === null) {
          expect(compilePlan(nodes).order).toHaveLength(nodes.length);
          return;
        }
        expect(() => compilePlan(nodes)).toThrow(expect.objectContaining({ code: 'CYCLE' }) as Error);
        for (const found of findCycles(nodes, 10)) {
          expect(found[0]).toBe(found.at(-1));
          expect(new Set(found).size).toBe(found.length - 1);
          found.slice(1).forEach((id, k) => {
            expect(nodes.find((node) => node.id === id)?.dependencies).toContain(found[k]);
          });
        }
      }),
      { numRuns: 500 },
    );
  });
});
