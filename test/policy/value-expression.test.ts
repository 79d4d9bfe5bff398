import { describe, expect, it } from 'vitest';
import { compileValue } from '../../src/policy/value-expression.js';
import { fillTemplate, templateExpressions } from '../../src/policy/value-template.js';

const input = {
  outputs: new Map<string, unknown>([['a', { n: 2, list: [1, { x: null }], text: 'é' }]]),
  globalContext: { k: true },
  node: { id: 'n' },
};

describe('an expression for a value', () => {
  it.each<[string, unknown]>([
    ['outputs.a', { n: 2, list: [1, { x: null }], text: 'é' }],
    ['outputs.a.n + 1', 3],
    ['1 + 1', 2],
    ['outputs.a.list', [1, { x: null }]],
    ['{"b": outputs.a.text, "c": [global_context.k, null]}', { b: 'é', c: [true, null] }],
    ['node.id', 'n'],
    ['outputs.a.list.map(x, x)', [1, { x: null }]],
  ])('%s gives %j', (source, value) => {
    expect(compileValue(source).evaluate(input)).toEqual(value);
  });

  it.each<[string, RegExp]>([
    ['outputs.a.missing', /cannot be evaluated: .*outputs\.a\.missing is nothing/],
    ['1.0 / 0.0', /which JSON does not have/],
    ["b'x'", /which JSON does not have/],
  ])('%s fails and says why', (source, message) => {
    expect(() => compileValue(source).evaluate(input)).toThrow(message);
    expect(() => compileValue(source).evaluate(input)).toThrow(
      expect.objectContaining({ code: 'EXPRESSION_FAILED' }),
    );
  });

  it.each<[string, RegExp]>([
    ['a b', /is no valid CEL/],
    ['secrets.x', /unknown name secrets/],
    ['x'.repeat(5000), /longer than 4096/],
  ])('%s is refused', (source, message) => {
    expect(() => compileValue(source)).toThrow(message);
  });

  it('knows whose outputs it reads', () => {
    expect(compileValue('outputs.a.n + outputs["b"]').references).toEqual(['a', 'b']);
    expect(compileValue('outputs').references).toBe('all');
  });
});

describe('a value with expressions in it', () => {
  const template = { a: '${ x }', b: ['${y}', { c: 'plain ${z}', d: 1 }], e: null, f: '${multi\nline}' };

  it('has them where a text is nothing else', () => {
    expect(templateExpressions(template)).toEqual([
      { source: 'x', path: ['a'] },
      { source: 'y', path: ['b', 0] },
      { source: 'multi\nline', path: ['f'] },
    ]);
  });

  it('is filled with what they give', () => {
    expect(fillTemplate(template, (source) => ({ of: source }))).toEqual({
      a: { of: 'x' },
      b: [{ of: 'y' }, { c: 'plain ${z}', d: 1 }],
      e: null,
      f: { of: 'multi\nline' },
    });
  });
});
