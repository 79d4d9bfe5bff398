import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsed } from '../../src/pool/parsed.js';

describe('a JSON text that is read again and again', () => {
  it('says each time what JSON.parse makes of it, also in the order of keys', () => {
    fc.assert(
      fc.property(fc.array(fc.json(), { maxLength: 100 }), (texts) => {
        for (const text of [...texts, ...texts]) {
          expect(parsed(text)).toStrictEqual(JSON.parse(text));
          expect(JSON.stringify(parsed(text))).toBe(JSON.stringify(JSON.parse(text)));
        }
      }),
    );
  });

  it('gives each reader values of its own', () => {
    const text = '{"list":[{"a":1}],"deep":{"er":{}},"n":null}';
    const first = parsed(text) as { list: { a: number }[]; deep: { er: Record<string, unknown> } };
    first.list[0].a = 2;
    first.list.push({ a: 3 });
    first.deep.er.more = true;
    expect(parsed(text)).toStrictEqual(JSON.parse(text));
  });

  it('may have a key __proto__, which stays one', () => {
    const text = '{"__proto__":{"admin":true},"a":{"__proto__":[1]}}';
    for (let i = 0; i < 2; i++) {
      const value = parsed(text) as Record<string, unknown>;
      expect(value.admin).toBeUndefined();
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(JSON.stringify(value)).toBe(text);
    }
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  it('may be long, and is refused as by JSON.parse when it is none', () => {
    const text = JSON.stringify({ long: 'x'.repeat(5000), list: [1] });
    (parsed(text) as { list: number[] }).list.push(2);
    expect(parsed(text)).toStrictEqual(JSON.parse(text));
    for (let i = 0; i < 2; i++) expect(() => parsed('{"a":')).toThrow(SyntaxError);
  });
});
