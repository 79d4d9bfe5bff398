import { MaestroError, seededRandom } from '../src/runtime/index.js';
import type { BenchCase, BenchGraph } from './types.js';

type Dependencies = readonly (readonly number[])[];
type Sized = Pick<BenchCase, 'nodes' | 'width' | 'degree' | 'seed'>;

/** requirement_analysis → design → {backend, frontend} → testing → review. */
const SDLC: Dependencies = [[], [0], [1], [1], [2, 3], [4]];

/** The graph of every shape but `file`. @throws USAGE for a shape that cannot be that small */
export function graphOf(shape: Exclude<BenchCase['shape'], 'file'>, size: Sized): BenchGraph {
  const { nodes } = size;
  switch (shape) {
    case 'chain':
      return once(numbers(nodes).map((node) => (node === 0 ? [] : [node - 1])));
    case 'fan':
    // The same graph, its middle made at run time.
    case 'map':
      return once(fan(nodes));
    case 'many':
      return { executions: Math.max(1, Math.round(nodes / SDLC.length)), dependencies: SDLC };
    case 'layered':
      return once(layered(nodes, widthOf(size), size.degree ?? 3));
    case 'tree':
      return once(tree(nodes, size.degree ?? 2));
    case 'butterfly':
      return once(butterfly(nodes, size.width));
    case 'stencil':
      return once(stencil(nodes, widthOf(size)));
    case 'random':
      return once(random(nodes, size.degree ?? 3, size.seed));
  }
}

function once(dependencies: Dependencies): BenchGraph {
  return { executions: 1, dependencies };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k);
}

function widthOf({ nodes, width = Math.round(Math.sqrt(nodes)) }: Sized): number {
  return Math.min(width, nodes);
}

/** One node, all others but the last after it, and the last after those. */
function fan(nodes: number): Dependencies {
  if (nodes < 3) throw new MaestroError('USAGE', 'a fan has 3 nodes at least');
  const middle = numbers(nodes - 2).map((k) => k + 1);
  return [[], ...middle.map(() => [0]), middle];
}

/** Each node depends on `degree` neighbours in the layer before. */
function layered(nodes: number, width: number, degree: number): Dependencies {
  return numbers(nodes).map((node) => {
    const layer = Math.floor(node / width);
    if (layer === 0) return [];
    return numbers(Math.min(degree, width)).map((k) => (layer - 1) * width + ((node + k) % width));
  });
}

/** Each node but the root depends on its parent, which has `degree` children. */
function tree(nodes: number, degree: number): Dependencies {
  return numbers(nodes).map((node) => (node === 0 ? [] : [Math.floor((node - 1) / degree)]));
}

/** The stages of a fast Fourier transform over a power of two, from the first again after the last. */
function butterfly(nodes: number, wanted?: number): Dependencies {
  const bits = Math.max(1, Math.floor(Math.log2(wanted ?? Math.max(2, Math.sqrt(nodes)))));
  const width = 2 ** bits;
  return numbers(Math.max(2, Math.round(nodes / width)) * width).map((node) => {
    const [stage, place] = [Math.floor(node / width), node % width];
    if (stage === 0) return [];
    const before = (stage - 1) * width;
    return [before + place, before + (place ^ (2 ** ((stage - 1) % bits)))];
  });
}

/** Each node depends on its own place and both neighbours in the step before. */
function stencil(nodes: number, width: number): Dependencies {
  return numbers(nodes).map((node) => {
    const [step, place] = [Math.floor(node / width), node % width];
    const near = [place - 1, place, place + 1].filter((at) => at >= 0 && at < width);
    return step === 0 ? [] : near.map((at) => (step - 1) * width + at);
  });
}

/** Each node depends on up to `degree` of those before it. */
function random(nodes: number, degree: number, seed: number): Dependencies {
  const draw = seededRandom(seed);
  return numbers(nodes).map((node) => {
    const some = new Set<number>();
    if (node > 0) for (let k = 0; k < degree; k++) some.add(Math.floor(draw() * node));
    return [...some];
  });
}
