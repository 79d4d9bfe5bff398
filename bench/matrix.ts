import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { DURABILITIES, MaestroError, type Durability } from '../src/runtime/index.js';
import { POOLS, SHAPES, type BenchCase, type Body, type PoolKind, type Shape } from './types.js';

/** Lists of what to measure: every combination is a case. */
export interface Matrix {
  readonly shapes?: readonly string[];
  readonly nodes?: readonly number[];
  readonly bodies?: readonly string[];
  readonly durabilities?: readonly string[];
  readonly pools?: readonly string[];
  readonly stores?: readonly string[];
  readonly files?: readonly string[];
  readonly width?: number;
  readonly degree?: number;
  readonly seed?: number;
  readonly payloadBytes?: number;
  readonly workers?: number;
}

/** Sizes that say something in a few seconds each. */
const USUAL_NODES: Readonly<Record<Shape, number>> = {
  chain: 200,
  fan: 1002,
  map: 1002,
  many: 6000,
  layered: 10_000,
  tree: 10_000,
  butterfly: 10_000,
  stencil: 10_000,
  random: 10_000,
  file: 0,
};
const USUAL_SHAPES: readonly Shape[] = ['chain', 'fan', 'layered', 'many'];
const STORES = ['lmdb', 'memory'] as const;

/** All combinations. @throws USAGE for what there is not, naming what there is */
export function casesOf(matrix: Matrix): BenchCase[] {
  const files = matrix.files ?? [];
  const shapes = known('shape', matrix.shapes ?? (files.length > 0 ? ['file'] : USUAL_SHAPES), SHAPES);
  if (shapes.includes('file') !== files.length > 0)
    throw new MaestroError('USAGE', 'the shape `file` and a workflow file go together: give both');
  const durabilities = known<Durability>('durability', matrix.durabilities ?? ['sync'], DURABILITIES);
  const pools = known<PoolKind>('pool', matrix.pools ?? ['threads'], POOLS);
  const stores = known('store', matrix.stores ?? ['lmdb'], STORES);
  const bodies = (matrix.bodies ?? ['noop']).map(bodyOf);
  const { width, degree, seed = 1, payloadBytes = 0, workers = availableParallelism() } = matrix;
  const common = { width, degree, seed, payloadBytes, workers };
  return shapes
    .flatMap((shape): Pick<BenchCase, 'shape' | 'nodes' | 'file'>[] =>
      shape === 'file'
        ? files.map((file) => ({ shape, nodes: 0, file: resolve(file) }))
        : (matrix.nodes ?? [USUAL_NODES[shape]]).map((nodes) => ({ shape, nodes })),
    )
    .flatMap((each) => bodies.map((body) => ({ ...each, body })))
    .flatMap((each) => pools.map((pool) => ({ ...each, pool })))
    .flatMap((each) => stores.map((store) => ({ ...each, store })))
    .flatMap((each) => durabilities.map((durability) => ({ ...each, ...common, durability })));
}

function known<T extends string>(what: string, given: readonly string[], all: readonly T[]): T[] {
  return given.map((each) => {
    const found = all.find((one) => one === each);
    if (found === undefined)
      throw new MaestroError('USAGE', `there is no ${what} ${JSON.stringify(each)}`, {
        next: `Give one of ${all.join(', ')}.`,
      });
    return found;
  });
}

/** `noop`, `mixed`, `spin:MICROSECONDS` or `sleep:MILLISECONDS`. */
function bodyOf(text: string): Body {
  const [kind, amount] = text.split(':');
  if (text === 'noop' || text === 'mixed') return { kind: text };
  const number = Number(amount);
  if (amount !== undefined && amount !== '' && number >= 0 && Number.isFinite(number)) {
    if (kind === 'spin') return { kind, microseconds: number };
    if (kind === 'sleep') return { kind, milliseconds: number };
  }
  throw new MaestroError('USAGE', `a step's body is no ${JSON.stringify(text)}`, {
    next: 'Give noop, mixed, spin:MICROSECONDS or sleep:MILLISECONDS.',
  });
}
