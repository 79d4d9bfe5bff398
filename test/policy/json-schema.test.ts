import { expect, it } from 'vitest';
import { compileJsonSchema, compileViolations } from '../../src/policy/json-schema.js';

it('compiles a schema once, whoever asks, as long as it is the same', () => {
  const schema = { type: 'object', properties: { a: { enum: [1, 2] } } };
  const check = compileViolations(schema);
  expect(compileViolations(structuredClone(schema))).toBe(check);
  expect(check({ a: 3 })).toMatchObject([{ path: '/a' }]);

  // What is done to the object afterwards changes neither what was compiled nor what is compiled next.
  schema.properties.a.enum.push(3);
  expect(check({ a: 3 })).toHaveLength(1);
  expect(compileViolations(schema)({ a: 3 })).toEqual([]);
});

it('keeps schemas with the same $id apart', () => {
  const a = compileJsonSchema({ $id: 'same', type: 'string' });
  const b = compileJsonSchema({ $id: 'same', type: 'number' });
  expect([a('x'), b(1)]).toEqual([[], []]);
  expect(a(1)).toHaveLength(1);
  expect(b('x')).toHaveLength(1);
});

it('forgets those that were used longest ago, and says of a bad one what is wrong each time', () => {
  const first = compileViolations({ const: 'first' });
  for (let n = 0; n < 150; n++) compileViolations({ const: n });
  expect(compileViolations({ const: 'first' })).not.toBe(first);
  const bad = { type: 'no such type' };
  for (let time = 0; time < 2; time++)
    expect(() => compileViolations(bad)).toThrow(expect.objectContaining({ code: 'SPEC_INVALID' }));
});
