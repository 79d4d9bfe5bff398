import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MaestroError } from '../../src/base/errors.js';
import { isMaestroError } from '../../src/base/errors.js';
import { compileCondition, type ConditionInput } from '../../src/policy/condition.js';
import { MAX_EXPRESSION_LENGTH } from '../../src/policy/expression.js';

const evaluate = (source: string, input: Partial<ConditionInput> = {}): boolean =>
  compileCondition(source).evaluate({ outputs: {}, globalContext: {}, node: {}, ...input });

const outputs = (value: unknown): Partial<ConditionInput> => ({ outputs: new Map([['a', value]]) });

function errorOf(run: () => unknown): MaestroError {
  try {
    run();
  } catch (error) {
    expect(isMaestroError(error)).toBe(true);
    return error as MaestroError;
  }
  throw new Error('it did not throw');
}

describe('conditions over outputs', () => {
  it('chooses a branch (scenario MS19)', () => {
    const check = { outputs: { check: { requires_database: false, requires_cache: true } } };
    expect(evaluate("outputs['check']['requires_database']", check)).toBe(false);
    expect(evaluate("outputs['check']['requires_cache']", check)).toBe(true);
    expect(evaluate('outputs.check.requires_cache && !outputs.check.requires_database', check)).toBe(true);
  });

  it('sees global_context and node', () => {
    const input = {
      globalContext: { env: 'prod', regions: ['eu'] },
      node: { id: 'deploy', config: { dry: false } },
    };
    expect(evaluate("global_context.env == 'prod' && 'eu' in global_context.regions", input)).toBe(true);
    expect(evaluate("node.id == 'deploy' && node.config.dry", input)).toBe(false);
  });

  it.each([
    // Numbers are those of JSON, whole or not, against integers and fractions.
    ['outputs.a.count > 3', true],
    ['outputs.a.count > 3.5', true],
    ['outputs.a.count == 5', true],
    ['outputs.a.count == 5.0', true],
    ['outputs.a.count < outputs.a.ratio', false],
    ['outputs.a.ratio >= 1', true],
    ['outputs.a.ratio != 1', true],
    ['outputs.a.negative < 0', true],
    ['outputs.a.count + 1 == 6', true],
    ['1 + outputs.a.ratio == 2.5', true],
    ['outputs.a.count * 2 - 1 == 9', true],
    ['outputs.a.count / 2 == 2.5', true],
    ['10 / outputs.a.count == 2', true],
    ['outputs.a.count % 2 == 1', true],
    ['outputs.a.count % outputs.a.count == 0', true],
    ['7 / 2 == 3', true],
    ['outputs.a.count in [1, 5]', true],
    ['int(outputs.a.count) == 5', true],
    ["string(outputs.a.count) == '5'", true],
    ['outputs.a.list[0] == 1 && outputs.a.list[outputs.a.index] == 2', true],
    // Text, lists, maps, null.
    ["outputs.a.name == 'main'", true],
    ["outputs.a.name.startsWith('ma') && outputs.a.name.contains('ai') && size(outputs.a.name) == 4", true],
    ["outputs.a.name.matches('^m.*n$')", true],
    ['size(outputs.a.list) == 3 && size(outputs.a.map) == 2 && size(outputs.a) > 5', true],
    ["2 in outputs.a.list && 'x' in outputs.a.map && !('z' in outputs.a.map)", true],
    ['outputs.a.list == [1, 2, 3] && outputs.a.map == {"x": 1, "y": [true]}', true],
    ['outputs.a.list.all(n, n > 0) && outputs.a.list.exists_one(n, n == 2)', true],
    ['outputs.a.list.map(n, n * 2).filter(n, n > 2) == [4, 6]', true],
    ["outputs.a.map.exists(k, k == 'y')", true],
    ['size(outputs.a.list + outputs.a.list) == 6', true],
    ['outputs.a.nothing == null', true],
    ['outputs.a.list.exists(n, n == 4) ? false : outputs.a.map.y[0]', true],
    // What is missing.
    ['has(outputs.a.name)', true],
    ['has(outputs.a.missing)', false],
    ['has(outputs.b)', false],
    ["'b' in outputs", false],
    ['has(outputs.b) && outputs.b.x > 1', false],
    ['outputs.b.x || true', true],
  ])('%s → %s', (source, expected) => {
    const value = {
      count: 5,
      ratio: 1.5,
      negative: -2,
      index: 1,
      name: 'main',
      list: [1, 2, 3],
      map: { x: 1, y: [true] },
      nothing: null,
    };
    expect(evaluate(source, outputs(value))).toBe(expected);
    expect(evaluate(source, { outputs: { a: value } })).toBe(expected);
  });

  it('compares numbers as JavaScript does', () => {
    const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    fc.assert(
      fc.property(number, number, (left, right) => {
        const input = outputs({ left, right });
        expect(evaluate('outputs.a.left < outputs.a.right', input)).toBe(left < right);
        expect(evaluate('outputs.a.left == outputs.a.right', input)).toBe(left === right);
        expect(evaluate('outputs.a.left + outputs.a.right <= outputs.a.left', input)).toBe(
          left + right <= left,
        );
      }),
      { numRuns: 200 },
    );
  });

  it('equates a JSON value with itself, and with a copy', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const copy = JSON.parse(JSON.stringify(value)) as unknown;
        const both = { outputs: { a: { v: value }, b: { v: copy } } };
        expect(evaluate('outputs.a.v == outputs.b.v', both)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('references', () => {
  it.each<[string, readonly string[] | 'all']>([
    ["outputs['check']['requires_database']", ['check']],
    ["outputs.a.x && has(outputs.b) && 'c' in outputs && outputs['a'].y", ['a', 'b', 'c']],
    ["outputs['a'].list.exists(x, outputs['b'][x] == x)", ['a', 'b']],
    ["outputs['a'].list.exists(x, outputs[x] == 1)", 'all'],
    ["outputs[global_context.which] == 1 || outputs['a'] == 2", 'all'],
    ['size(outputs) > 2', 'all'],
    ["outputs.exists(id, id == 'a')", 'all'],
    ['global_context.fast', []],
    ["node.outputs.a && global_context['outputs'].b", []],
    ["[{'x': 1}].exists(outputs, outputs.x == 1)", []],
    ['{"k": outputs.a}.k == [outputs.b] ? outputs.c : outputs.d', ['a', 'b', 'c', 'd']],
    ["outputs['with \\'quotes\\' and ü'].x", ["with 'quotes' and ü"]],
    ['true', []],
  ])('%s → %j', (source, expected) => {
    expect(compileCondition(source).references).toEqual(expected);
  });
});

describe('what is refused before it runs', () => {
  it.each([
    ['', /no valid CEL/, 1],
    ['outputs.a ==', /no valid CEL/, 11],
    ["outputs['a'", /no valid CEL/, 8],
    ['true &&\n  foo.bar', /unknown name foo.*line 2, column 3/, 3],
    ['size(outputs.a) > 0 && launch()', /unknown function launch/, 24],
    ["outputs.a.name.toUpperCase() == 'X'", /unknown function toUpperCase/, undefined],
    ['process.exit() == 1', /unknown/, undefined],
    ['constructor == 1', /unknown name constructor/, 1],
    ['__proto__.x', /unknown name __proto__/, 1],
    ['Evil{} == 1', /unknown type Evil/, undefined],
    ['outputs.a = 1', /no valid CEL/, undefined],
    ['[1].exists(x, y == 1)', /unknown name y/, 15],
    [`true || ${' '.repeat(MAX_EXPRESSION_LENGTH)} false`, /longer than 4096/, 1],
    ['('.repeat(2000) + '1' + ')'.repeat(2000), /nested too deeply|no valid CEL/, 1],
  ])('%s', (source, message, column) => {
    const error = errorOf(() => compileCondition(source));
    expect(error.code).toBe('SPEC_INVALID');
    expect(error.message).toMatch(message);
    expect(error.details.expression).toBe(source);
    if (column !== undefined) expect(error.details.column).toBe(column);
  });

  it('compiles or refuses any text, and never fails otherwise', () => {
    const tokens = [
      'outputs',
      '.a',
      "['x']",
      ' && ',
      '(',
      ')',
      '1',
      "'s'",
      '[',
      ']',
      '.exists(x, x)',
      '!',
      ' ? ',
      ' : ',
      '{',
    ];
    const texts = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...tokens)).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (source) => {
        try {
          evaluate(source, outputs({ x: [true], a: 1 }));
        } catch (error) {
          expect(['SPEC_INVALID', 'CONDITION_FAILED']).toContain((error as MaestroError).code);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what fails the node: it never runs by accident', () => {
  it.each([
    ['outputs.a', /gave a map, not true or false/],
    ['outputs.a.count', /gave 5, not true or false/],
    ['size(outputs.a)', /gave \d+, not true or false/],
    ['outputs.a.name', /gave the text "main"/],
    ['outputs.a.list', /gave a list of 3/],
    ['null', /gave null/],
    ['type(1)', /gave an object/],
    ['outputs.a.missing', /field not found: missing/],
    ['outputs.b.x == 1', /field not found: b/],
    ["outputs['b']", /field not found: b/],
    ['!outputs.a.count', /no matching overload/],
    ['outputs.a.name > 1', /no matching overload/],
    ['outputs.a.count && true', /expected bool|no matching overload/],
    ['1 / 0 == 1', /divide by zero/],
    ['outputs.a.list[7] == 1', /out of bounds/],
    ["outputs.a.name.matches('(')", /regexp/],
  ])('%s', (source, message) => {
    const input = outputs({ count: 5, name: 'main', list: [1, 2, 3] });
    const error = errorOf(() => evaluate(source, input));
    expect(error.code).toBe('CONDITION_FAILED');
    expect(error.message).toMatch(message);
    expect(error.message).toContain(JSON.stringify(source));
    expect(error.details).toMatchObject({ expression: source });
  });

  it('shows the values at the places that it names', () => {
    const input = outputs({ count: 5, name: 'main' });
    const error = errorOf(() =>
      evaluate("outputs.a.name > outputs['b'].x && size(outputs.a.count) > 1", input),
    );
    expect(error.details.values).toEqual({
      'outputs.a.name': '"main"',
      'outputs.b.x': 'nothing',
      'outputs.a.count': '5',
    });
    expect(error.message).toContain('outputs.a.name is "main"');
  });

  it('shortens what it quotes', () => {
    const error = errorOf(() => evaluate('outputs.a', outputs('x'.repeat(10_000))));
    expect(error.message.length).toBeLessThan(400);
  });

  it('refuses values that are not JSON', () => {
    const error = errorOf(() => evaluate('outputs.a.f == 1', outputs({ f: () => 1 })));
    expect(error.code).toBe('CONDITION_FAILED');
  });
});

describe('hostile conditions and data', () => {
  it('reaches no prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
      expect(
        evaluate(`has(outputs.${name}) || has(outputs.a.${name}) || '${name}' in outputs.a`, outputs({})),
      ).toBe(false);
      expect(errorOf(() => evaluate(`outputs['a']['${name}'] == 1`, outputs({}))).code).toBe(
        'CONDITION_FAILED',
      );
      expect(errorOf(() => evaluate(`global_context['${name}'] == 1`)).code).toBe('CONDITION_FAILED');
    }
  });

  it('takes such names for plain keys where they are', () => {
    const poisoned: unknown = JSON.parse(
      '{"__proto__": {"admin": true}, "constructor": {"name": "Map"}, "size": 7}',
    );
    expect(evaluate('outputs.a.__proto__.admin', outputs(poisoned))).toBe(true);
    expect(evaluate('outputs.a.admin || true', outputs(poisoned))).toBe(true);
    expect(evaluate('has(outputs.a.admin)', outputs(poisoned))).toBe(false);
    expect(evaluate("outputs.a.constructor.name == 'Map' && outputs.a.size == 7", outputs(poisoned))).toBe(
      true,
    );
    expect(evaluate('outputs.a.x == 1', outputs(Object.assign(Object.create(null), { x: 1 })))).toBe(true);
    expect(evaluate(`outputs.a['$typeName'] != ''`, outputs({ $typeName: 'google.protobuf.Struct' }))).toBe(
      true,
    );
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('matches in linear time what hangs backtracking engines', () => {
    const text = 'a'.repeat(5000) + '!';
    expect(
      evaluate("outputs.a.t.matches('^(a+)+$') || outputs.a.t.matches('^(a|aa)+$')", outputs({ t: text })),
    ).toBe(false);
    expect(errorOf(() => evaluate("'a'.matches('((a{1000}){1000}){1000}')")).code).toBe('CONDITION_FAILED');
  });

  it.each([
    [
      'nested loops',
      'outputs.a.l.exists(x, outputs.a.l.exists(y, outputs.a.l.exists(z, x + y + z < 0)))',
      300,
    ],
    [
      'loops whose errors are absorbed',
      'outputs.a.l.all(x, outputs.a.l.all(y, outputs.a.l.all(z, true))) || true',
      300,
    ],
    ['searches in a loop', 'outputs.a.l.exists(x, (x - 100000) in outputs.a.l)', 5_000],
    ['concatenation in a loop', 'outputs.a.l.exists(x, size(outputs.a.l + outputs.a.l) < 0)', 5_000],
    ['long lists', 'outputs.a.l.exists(x, x < 0)', 2_000_000],
  ])('gives up on %s', (_, source, length) => {
    const l = Array.from({ length }, (_, index) => index);
    const error = errorOf(() => evaluate(source, outputs({ l })));
    expect(error.code).toBe('CONDITION_FAILED');
    expect(error.message).toContain('too much work');
    // The next evaluation starts afresh.
    expect(evaluate('outputs.a.l[0] == 0', outputs({ l: [0] }))).toBe(true);
  });

  it('gives up on many wide literals in loops', () => {
    const wide = `[${Array.from({ length: 600 }, () => '1').join(',')}]`;
    const error = errorOf(() => evaluate(`${wide}.all(x, ${wide}.all(y, ${wide}.all(z, true)))`));
    expect(error.message).toContain('too much work');
  });

  it('keeps lists apart that are built from one another', () => {
    const source =
      '[[1, 2].map(x, x + 1)].map(l, [l + [9], l.map(x, x).map(x, x * 2), l]) == [[[2, 3, 9], [4, 6], [2, 3]]]';
    expect(evaluate(source)).toBe(true);
    expect(evaluate('[1, 2].map(x, [3, 4].map(y, x * y)) == [[3, 4], [6, 8]]')).toBe(true);
    expect(evaluate('[1, 2, 3].filter(x, x != 2) + [1].map(x, x) == [1, 3, 1]')).toBe(true);
    expect(evaluate('[1, 2, 3].map(x, x > 1, x * 10) == [20, 30]')).toBe(true);
    expect(evaluate('[].map(x, x) == [] && [1].map(x, [] + [x]) == [[1]]')).toBe(true);
  });

  it('does not pay for what it does not read', () => {
    const huge = { ok: true, rows: Array.from({ length: 3_000_000 }, () => 0), text: 'x'.repeat(50_000_000) };
    expect(evaluate('outputs.a.ok', outputs(huge))).toBe(true);
  });

  it('handles lists of some size', () => {
    const l = Array.from({ length: 20_000 }, (_, index) => index);
    expect(evaluate('size(outputs.a.l.filter(x, x >= 0).map(x, x + 1)) == 20000', outputs({ l }))).toBe(true);
    expect(
      evaluate('outputs.a.l.exists(x, outputs.a.l[1] == x) && !outputs.a.l.exists(x, x < 0)', outputs({ l })),
    ).toBe(true);
  });
});
