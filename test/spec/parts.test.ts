import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUILTIN_MODULES } from '../../src/pool/worker/builtin-steps.js';
import {
  BUILTIN_STEPS,
  canonicalJson,
  compareStructure,
  definitionHash,
  linearWorkflow,
  resolveUses,
  structureMismatch,
  workflowSchema,
  type WorkflowSpec,
} from '../../src/spec/index.js';
import { formatPath } from '../../src/spec/findings.js';
import { findDuplicateKeys, parseJson } from '../../src/spec/json-source.js';
import { walkJson } from '../../src/spec/json-text.js';
import { Lines } from '../../src/spec/lines.js';
import { didYouMean } from '../../src/spec/suggest.js';

const nothing = { begin: () => undefined, end: () => undefined };

describe('walkJson', () => {
  it('accepts exactly what JSON.parse accepts', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"\\u00e9\\n"',
      '1',
      '-0.5e+3',
      '01',
      '1.',
      'true',
      'nul',
      ' ',
      '\n',
      '"',
      '\\',
      '-',
    );
    const texts = fc.oneof(
      fc.json(),
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const accepts = (read: () => unknown): boolean => {
          try {
            read();
            return true;
          } catch {
            return false;
          }
        };
        expect(accepts(() => walkJson(text, nothing))).toBe(accepts(() => void JSON.parse(text)));
      }),
      { numRuns: 2000 },
    );
  });

  it('is not recursive', () => {
    walkJson('['.repeat(200_000) + ']'.repeat(200_000), nothing);
  });

  it.each([
    ['[1,,2]', 3, 'expected a value, found ","'],
    ['{"a":1 "b"}', 7, 'expected "," or "}", found "\\""'],
    ['{a:1}', 1, 'expected a key in double quotes, found "a"'],
    ['["a\nb"]', 3, 'control character'],
    ['["a', 1, 'does not end'],
    ['["\\x"]', 2, 'unknown escape'],
    ['[1] 2', 4, 'expected the end'],
    ['', 0, 'found the end of the text'],
  ])('%s fails at offset %d', (text, offset, message) => {
    expect(() => walkJson(text, nothing)).toThrow(
      expect.objectContaining({ offset, message: expect.stringContaining(message) as string }) as Error,
    );
  });
});

describe('places in JSON', () => {
  it('leads every path of random values to its key or item', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const text = JSON.stringify(value, null, 2);
        const parsed = parseJson(text);
        if (Array.isArray(parsed)) return expect.fail('valid JSON was refused');
        const paths: (string | number)[][] = [];
        const collect = (at: unknown, path: (string | number)[]): void => {
          if (path.length > 0) paths.push(path);
          if (Array.isArray(at)) at.forEach((item, index) => collect(item, [...path, index]));
          else if (typeof at === 'object' && at !== null) {
            for (const [key, item] of Object.entries(at)) collect(item, [...path, key]);
          }
        };
        collect(parsed.value, []);
        const lines = text.split('\n');
        parsed.map.locate(paths).forEach(({ line, column }, index) => {
          const key = paths[index].at(-1);
          const rest = lines[line - 1].slice(column - 1);
          if (typeof key === 'string') expect(rest.startsWith(`${JSON.stringify(key)}:`)).toBe(true);
          else expect(lines[line - 1].slice(0, column - 1).trim()).toBe('');
        });
      }),
      { numRuns: 300 },
    );
  });

  it('falls back to the nearest part that exists', () => {
    const parsed = parseJson('{\n  "a": [\n    1 ] }');
    if (Array.isArray(parsed)) return expect.fail('valid JSON was refused');
    expect(parsed.map.locate([['a', 7, 'x'], ['b'], ['a', 0]])).toEqual([
      { line: 2, column: 3 },
      { line: 1, column: 1 },
      { line: 3, column: 5 },
    ]);
  });

  it('finds keys that stand twice, in every object by itself', () => {
    expect(findDuplicateKeys('{"a":{"b":1},"b":[{"b":1}]}')).toEqual([]);
    expect(findDuplicateKeys('{"a":1,\n"\\u0061":2,"__proto__":1}')).toMatchObject([{ line: 2, column: 1 }]);
  });

  it('counts lines and columns from 1', () => {
    const lines = new Lines('ab\n\nc');
    expect([0, 2, 3, 4, 5].map((offset) => lines.at(offset))).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 3 },
      { line: 2, column: 1 },
      { line: 3, column: 1 },
      { line: 3, column: 2 },
    ]);
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order of keys, and holds the same value', () => {
    const shuffle = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffle);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, item]) => [key, shuffle(item)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(shuffle(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('treats undefined as JSON.stringify does', () => {
    expect(canonicalJson({ b: undefined, a: [undefined, 'x'] })).toBe('{"a":[null,"x"]}');
  });

  it('is the JSON text of a copy with sorted keys, whatever was written before: hashes are stored', () => {
    const sorted = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return value.map(sorted);
      const keys = Object.keys(value).sort();
      return Object.fromEntries(keys.map((key) => [key, sorted((value as Record<string, unknown>)[key])]));
    };
    const key = fc.oneof(fc.string(), fc.constantFrom('10', '9', '-', 'a', 'b', '__proto__', 'toJSON'));
    const leaf = fc.oneof(
      fc.constantFrom(undefined, null, 0, -0, NaN, '', 'x', true),
      fc.string(),
      fc.double(),
    );
    const one = fc.oneof(leaf, fc.dictionary(key, leaf, { maxKeys: 3 }), fc.array(leaf, { maxLength: 3 }));
    // As nodes of a workflow: few forms, few values, one after the other.
    const alike = fc
      .array(fc.dictionary(fc.constantFrom('10', '9', 'b', 'a', '__proto__'), one), {
        minLength: 1,
        maxLength: 3,
      })
      .chain((forms) => fc.array(fc.constantFrom(...forms, {}), { maxLength: 12 }));
    fc.assert(
      fc.property(fc.oneof(alike, fc.dictionary(key, fc.oneof(one, alike)), one), (value) => {
        expect(canonicalJson(value)).toBe(JSON.stringify(sorted(value)) ?? 'null');
      }),
      { numRuns: 1000 },
    );
  });

  it('is what the hash of a definition is made of, however large that is', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constant(undefined),
      fc.array(fc.jsonValue(), { maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), fc.nat(3), fc.nat(1), (fields, thousands, more) => {
        const nodes = Array.from({ length: 1000 * thousands + more }, (_, at) => ({ id: at, a: [at] }));
        const spec = { ...fields, nodes } as unknown as WorkflowSpec;
        const wanted = createHash('sha256').update(canonicalJson(spec)).digest('hex');
        expect(definitionHash(spec)).toBe(wanted);
      }),
    );
    expect(definitionHash({} as WorkflowSpec)).toBe(createHash('sha256').update('{}').digest('hex'));
  });
});

describe('resolveUses', () => {
  it('resolves modules against the folder and knows the built-in steps', () => {
    expect(resolveUses('./a b.js#run', '/base')).toEqual({
      kind: 'file',
      url: 'file:///base/a%20b.js',
      file: '/base/a b.js',
      exportName: 'run',
    });
    expect(resolveUses('/abs/x.js#default', '/base').file).toBe('/abs/x.js');
    expect(resolveUses('file:///abs/x.js#$ü', '/base')).toMatchObject({
      file: '/abs/x.js',
      exportName: '$ü',
    });
    for (const uses of BUILTIN_STEPS) expect(resolveUses(uses, '/base').kind).toBe('builtin');
  });

  it('knows the same built-in steps as the pool', () => {
    expect([...BUILTIN_STEPS].sort()).toEqual([...BUILTIN_MODULES.keys()].map((url) => `${url}#task`).sort());
  });

  it.each([
    './a.js',
    './a.js#',
    './a.js#not-a-name',
    'a.js#x',
    'lodash#map',
    'maestro:slep#task',
    'http://x/y.js#z',
    './a\0.js#x',
    'file://host/%zz#x',
    '#x',
  ])('refuses %j', (uses) => {
    expect(() => resolveUses(uses, '/base')).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }) as Error,
    );
  });
});

describe('compareStructure', () => {
  const spec = (graph: Record<string, string[]>): WorkflowSpec => ({
    workflow: { id: 'w', name: 'w' },
    nodes: Object.entries(graph).map(([id, dependencies]) => ({
      id,
      name: id,
      type: 'custom',
      dependencies,
    })),
  });

  it('looks at ids and dependencies only, in any order', () => {
    const given = spec({ c: ['b', 'a'], a: [], b: [] });
    given.nodes[0].run = 'other';
    expect(compareStructure(spec({ a: [], b: [], c: ['a', 'b'] }), given)).toBeNull();
  });

  it('lists what is missing on either side and what differs', () => {
    const difference = compareStructure(
      spec({ a: [], b: ['a'], old: [] }),
      spec({ a: [], b: [], new: ['a'] }),
    );
    expect(difference).toEqual({
      missing_in_given: ['old'],
      missing_in_stored: ['new'],
      dependencies_differ: [{ node_id: 'b', stored: ['a'], given: [] }],
    });
    if (difference === null) return;
    const error = structureMismatch('w', difference);
    expect(error.code).toBe('STRUCTURE_MISMATCH');
    expect(error.details).toEqual(difference);
    expect(error.message).toMatch(/given workflow: old; .*stored one: new; .*b \(stored: a; given: none\)/);
  });

  it('keeps the text short', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}`, []]));
    const difference = compareStructure(spec(many), spec({ a: [] }));
    expect(structureMismatch('w', difference ?? expect.fail()).message).toContain('n19 and 30 more');
  });
});

describe('small parts', () => {
  it('writes paths as people do', () => {
    expect(formatPath(['nodes', 3, 'config', 'odd key', 'x'])).toBe('nodes[3].config["odd key"].x');
    expect(formatPath([])).toBe('the document');
  });

  it('guesses only when it is close', () => {
    expect(didYouMean('timout_seconds', ['timeout_seconds', 'type'])).toBe(
      ' (did you mean "timeout_seconds"?)',
    );
    expect(didYouMean('Deploy', ['deploy'])).toBe(' (did you mean "deploy"?)');
    expect(didYouMean('banana', ['deploy', 'test'])).toBe('');
  });

  it('describes every property of the schema', () => {
    const definitions = workflowSchema.definitions as Record<
      string,
      { properties: Record<string, { description?: string; $ref?: string }> }
    >;
    const bare = Object.entries(definitions).flatMap(([name, { properties }]) =>
      Object.keys(properties).filter(
        (key) => !properties[key].description && !properties[key].$ref && name !== 'edge',
      ),
    );
    expect(bare).toEqual([]);
  });

  it('gives SDLC phases their executors', () => {
    const workflow = linearWorkflow((phase) => ({ run: `do ${phase}` }), {
      phases: ['x', 'y'],
      id: 'mine',
    }).build();
    expect(workflow.spec.workflow.id).toBe('mine');
    expect(workflow.spec.nodes).toMatchObject([
      { id: 'phase_x', name: 'x', type: 'phase', run: 'do x', config: { phase: 'x' }, dependencies: [] },
      { id: 'phase_y', run: 'do y', dependencies: ['phase_x'] },
    ]);
  });
});
