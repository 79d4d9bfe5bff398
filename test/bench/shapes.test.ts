import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { casesOf } from '../../bench/matrix.js';
import { graphOf } from '../../bench/shapes.js';
import { SHAPES, type Shape } from '../../bench/types.js';

const SIZED = SHAPES.filter((shape): shape is Exclude<Shape, 'file'> => shape !== 'file');
const graph = (
  shape: Exclude<Shape, 'file'>,
  nodes: number,
  form: { width?: number; degree?: number } = {},
) => graphOf(shape, { nodes, seed: 1, ...form }).dependencies;

describe('the graphs of shapes', () => {
  it.each(SIZED)('%s: every node depends on earlier ones only, on each once', (shape) => {
    const sizes = fc.record({
      nodes: fc.integer({ min: 3, max: 400 }),
      width: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      degree: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(sizes, (size) => {
        const { dependencies } = graphOf(shape, size);
        for (const [node, before] of dependencies.entries()) {
          expect(before.every((each) => each >= 0 && each < node)).toBe(true);
          expect(new Set(before).size).toBe(before.length);
        }
        expect(graphOf(shape, size)).toEqual(graphOf(shape, size));
      }),
    );
  });

  it('have the forms they are named for', () => {
    expect(graph('chain', 3)).toEqual([[], [0], [1]]);
    expect(graph('fan', 5)).toEqual([[], [0], [0], [0], [1, 2, 3]]);
    expect(graph('tree', 7)).toEqual([[], [0], [0], [1], [1], [2], [2]]);
    expect(graph('layered', 6, { width: 2, degree: 2 })).toEqual([[], [], [0, 1], [1, 0], [2, 3], [3, 2]]);
    expect(graph('stencil', 6, { width: 3 })).toEqual([[], [], [], [0, 1], [0, 1, 2], [1, 2]]);
    // A stage for each bit: with its neighbour, then with the one two places on.
    expect(graph('butterfly', 12, { width: 4 })).toEqual([
      ...[[], [], [], []],
      ...[
        [0, 1],
        [1, 0],
        [2, 3],
        [3, 2],
      ],
      ...[
        [4, 6],
        [5, 7],
        [6, 4],
        [7, 5],
      ],
    ]);
    expect(graphOf('many', { nodes: 600, seed: 1 })).toMatchObject({ executions: 100 });
  });

  it('have the number of nodes asked for', () => {
    for (const shape of SIZED.filter((each) => each !== 'many' && each !== 'butterfly'))
      expect(graph(shape, 1000).length).toBe(1000);
    expect(graph('butterfly', 1024).length).toBe(1024);
  });
});

describe('cases', () => {
  it('are every combination of what is listed', () => {
    const cases = casesOf({
      shapes: ['chain', 'fan'],
      nodes: [10, 20, 30],
      bodies: ['noop', 'spin:50', 'sleep:0.5'],
      durabilities: ['sync', 'exit'],
      pools: ['inline'],
      stores: ['memory'],
      workers: 3,
    });
    expect(cases.length).toBe(2 * 3 * 3 * 2);
    expect(new Set(cases.map((each) => JSON.stringify(each))).size).toBe(cases.length);
    expect(cases.at(-1)).toMatchObject({
      shape: 'fan',
      nodes: 30,
      body: { kind: 'sleep', milliseconds: 0.5 },
      durability: 'exit',
      workers: 3,
    });
  });

  it.each([
    [{ shapes: ['ring'] }, /no shape "ring"/],
    [{ bodies: ['spin'] }, /no "spin"/],
    [{ bodies: ['spin:'] }, /no "spin:"/],
    [{ bodies: ['sleep:-1'] }, /no "sleep:-1"/],
    [{ durabilities: ['fast'] }, /no durability "fast"/],
    [{ pools: ['gpu'] }, /no pool "gpu"/],
    [{ shapes: ['file'] }, /go together/],
    [{ shapes: ['chain'], files: ['a.yaml'] }, /go together/],
  ])('%j is refused', (matrix, message) => {
    expect(() => casesOf(matrix)).toThrow(message);
  });
});
