import fc from 'fast-check';
import { compilePlan, type GraphNode, type Plan } from '../../src/graph/index.js';

/** A random acyclic graph: node i may depend only on nodes before it, but the ids are shuffled in the spec. */
export interface RandomDag {
  nodes: GraphNode[];
  plan: Plan;
}

export function dagArbitrary(maxNodes: number): fc.Arbitrary<RandomDag> {
  return fc
    .record({
      size: fc.integer({ min: 1, max: maxNodes }),
      density: fc.constantFrom(0.5, 1, 2, 4),
      seed: fc.integer(),
    })
    .map(({ size, density, seed }) => {
      const random = lcg(seed);
      const nodes: GraphNode[] = [];
      for (let i = 0; i < size; i++) {
        const wanted = i === 0 ? 0 : Math.floor(random() * (density + 1));
        const dependencies = new Set<string>();
        for (let k = 0; k < wanted; k++) dependencies.add(`n${Math.floor(random() * i)}`);
        nodes.push({ id: `n${i}`, dependencies: [...dependencies] });
      }
      for (let i = nodes.length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [nodes[i], nodes[j]] = [nodes[j], nodes[i]];
      }
      return { nodes, plan: compilePlan(nodes) };
    });
}

export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}
