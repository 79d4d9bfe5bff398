import { describe, expect, it } from 'vitest';
import { compileList } from '../../src/policy/map-list.js';
import { exceedsTolerance } from '../../src/policy/map.js';

function listOf(text: string, outputs: Record<string, unknown>, globalContext = {}): readonly unknown[] {
  return compileList(text).evaluate({ outputs: new Map(Object.entries(outputs)), globalContext });
}

const items = [{ n: 1, deep: { x: [null, 'a'] } }, { n: 2 }, { n: 3.5 }];

describe('the list of a map', () => {
  it.each<[string, readonly unknown[]]>([
    ['${outputs.list.items}', items],
    ['  ${ outputs.list.items }  ', items],
    ["outputs['list']['items']", items],
    ['outputs.list.items[0].deep.x', [null, 'a']],
    ['outputs.list.items.filter(x, x.n > 1)', items.slice(1)],
    ['outputs.list.items.map(x, x.n * 2)', [2, 4, 7]],
    ['[1, 2u, "three", {"four": [4.5]}, null, true]', [1, 2, 'three', { four: [4.5] }, null, true]],
    ['outputs.list.items + [global_context.more]', [...items, { m: 1 }]],
    ['outputs.list.none ? outputs.list.items : []', []],
    ['global_context.regions', ['eu', 'us']],
  ])('is what %s gives', (text, expected) => {
    expect(listOf(text, { list: { items, none: false } }, { more: { m: 1 }, regions: ['eu', 'us'] })).toEqual(
      expected,
    );
  });

  it('names what it reads', () => {
    expect(compileList('outputs.a.x + outputs["b"]').references).toEqual(['a', 'b']);
    expect(compileList('outputs').references).toBe('all');
  });

  it.each<[string, RegExp]>([
    ['${outputs.list.size}', /map "outputs.list.size" gave no list \(outputs.list.size is 3\)/],
    [
      'outputs.list.nothing',
      /cannot be evaluated: there is no "nothing" in it \(outputs.list.nothing is nothing\)/,
    ],
    ['outputs.none.items', /there is no "none" in it/],
    ['outputs.list.size + 1', /gave 4, not a list/],
    ['outputs.list.constructor', /there is no "constructor" in it/],
    ['[1].map(x, x / 0)', /cannot be evaluated: /],
    ['[1, b"abc"]', /gave a list whose item 1 is .*, which JSON does not have/],
  ])('fails for %s, with the expression and what it read', (text, message) => {
    const evaluate = (): unknown => listOf(text, { list: { size: 3 } });
    expect(evaluate).toThrow(message);
    expect(evaluate).toThrow(expect.objectContaining({ code: 'MAP_LIST' }) as Error);
  });

  it('may go over 100,000 items, and not over everything', () => {
    const many = Array.from({ length: 100_000 }, (_, n) => ({ n, name: `item ${n}` }));
    expect(listOf('outputs.list.items', { list: { items: many } })).toHaveLength(100_000);
    expect(listOf('outputs.list.items.filter(x, x.n >= 50000.0)', { list: { items: many } })).toHaveLength(
      50_000,
    );
    expect(() => listOf('outputs.l.map(x, outputs.l.map(y, y))', { l: many })).toThrow(/takes too much work/);
  });
});

describe('the tolerance of a map', () => {
  it.each([
    [0, 100, 0, 10, false],
    [0, 100, 1, 10, true],
    [2, 100, 2, 10, false],
    [2, 100, 3, 10, true],
    [Infinity, 20, 2, 10, false],
    [Infinity, 20, 3, 10, true],
    [Infinity, 0, 0, 0, false],
    [Infinity, 100, 10, 10, false],
  ])('of %d, or %d %%, with %d of %d failed', (maxFailed, maxFailedPercent, failed, all, exceeds) => {
    expect(exceedsTolerance({ maxConcurrency: 1, maxFailed, maxFailedPercent }, failed, all)).toBe(exceeds);
  });
});
