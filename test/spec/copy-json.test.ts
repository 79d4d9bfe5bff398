import fc from 'fast-check';
import { expect, it } from 'vitest';
import { copyJson } from '../../src/spec/copy-json.js';
import { workflowFromSpec, workflowToDocument } from '../../src/spec/index.js';

/** What the copy is held against. */
function throughText(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : JSON.parse(text);
}

/** Says of a copy all that can be seen: values, the order of keys, what is an own key, -0. */
function seen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 'minus zero' : value;
  if (Array.isArray(value)) return ['list', ...value.map(seen)];
  const keys = Reflect.ownKeys(value);
  return [
    Object.getPrototypeOf(value),
    ...keys.map((key) => [key, seen((value as Record<PropertyKey, unknown>)[key])]),
  ];
}

class Point {
  constructor(
    readonly x: number,
    readonly y: unknown,
  ) {}
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    Symbol('s'),
    () => 1,
    NaN,
    -0,
    Infinity,
    new Date(0),
    new Date(NaN),
    new Map([[1, 2]]),
    new Number(-0),
    new String('boxed'),
    new Boolean(false),
    new Point(1, undefined),
    new Point(NaN, [new Point(2, 3)]),
    { toJSON: (key: string) => `under ${key}` },
    { toJSON: 'no function', rest: undefined },
    { [Symbol('key')]: 1, a: 2 },
    { a: undefined },
    Object.create(null, { a: { value: 1, enumerable: true }, hidden: { value: 2 } }),
    [1, , 3],
    Object.assign([1], { extra: true }),
    JSON.parse('{"__proto__": {"a": 1}, "b": {"__proto__": "text"}}'),
  ),
  fc.anything({ withDate: true, withNullPrototype: true, withSparseArray: true, withBoxedValues: true }),
);

const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    odd,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', '10', '9', 'a')), tie('value'), {
      maxKeys: 4,
    }),
  ),
})).value;

it('copies as writing and reading the text would, or refuses what has none', () => {
  fc.assert(
    fc.property(values, fc.boolean(), (value, isFixed) => {
      let expected: unknown;
      try {
        expected = throughText(value);
      } catch {
        expect(() => copyJson(value, isFixed)).toThrow('not plain JSON data');
        return;
      }
      expect(seen(copyJson(value, isFixed))).toEqual(seen(expected));
    }),
    { numRuns: 2000 },
  );
});

it('refuses what holds itself, however deep, and takes what is deeper than a workflow may be', () => {
  const loop: Record<string, unknown> = {};
  loop.list = [{ loop }];
  expect(() => copyJson(loop)).toThrow('not plain JSON data');
  let deep: unknown = 'end';
  for (let level = 0; level < 1000; level++) deep = { deep };
  expect(copyJson(deep)).toEqual(deep);
});

it('shares nothing that can be changed, unless the copy is fixed: then what followed itself under one key', () => {
  const config = { list: [1] };
  const given = { nodes: [{ config }, { config }, { config: { list: [1] } }] };
  const free = copyJson(given) as typeof given;
  free.nodes[0].config.list.push(2);
  expect(given.nodes[0].config.list).toEqual([1]);
  expect(free.nodes[1].config.list).toEqual([1]);
  const fixed = copyJson(given, true) as typeof given;
  expect(fixed.nodes[0].config).toBe(fixed.nodes[1].config);
  expect(fixed.nodes[0].config).not.toBe(config);
  expect(fixed).toEqual(given);
});

it('gives documents of workflows that can be changed node by node', () => {
  const config = { list: [1] };
  const nodes = ['a', 'b'].map((id) => ({
    id,
    name: id,
    type: 'custom' as const,
    run: 'true',
    config,
  }));
  const workflow = workflowFromSpec({ workflow: { id: 'w', name: 'w' }, nodes });
  const document = workflowToDocument(workflow);
  (document.nodes[0].config as typeof config).list.push(2);
  expect(document.nodes[1].config).toEqual({ list: [1] });
  expect(workflow.spec.nodes[0].config).toEqual({ list: [1] });
});
