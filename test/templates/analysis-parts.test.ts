/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument --
   templates are plain JavaScript, without types */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { templateModule, type Output } from '../support/template-run.js';

const part = (name: string) => templateModule('analysis', 'steps', name);
const { classify, keep, CODE, COMMENT, STRING } = (await part('lib/scan.mjs')) as Output;
const { linesOf } = await part('lines.mjs');
const { markersOf } = await part('markers.mjs');
const { referencesOf, resolveReference } = await part('imports.mjs');
const { functionsOf } = await part('complexity.mjs');
const { cycles } = await part('lib/graph.mjs');
const { normalise, rollingHashes, WINDOW } = (await part('blocks.mjs')) as Output;
const { languageOf } = await part('lib/languages.mjs');

/** The text with a letter per class: c for code, # for comments, s for strings. */
function classes(text: string, language: string): string {
  const found = classify(text, language) as Uint8Array;
  return [...found].map((kind, i) => (text[i] === '\n' ? '\n' : 'c#s'[kind])).join('');
}

describe('the scanner', () => {
  it.each([
    ['JavaScript', `a // b`, 'cc####'],
    ['JavaScript', `'//'+1`, 'sssscc'],
    ['JavaScript', `'\\''+1`, 'sssscc'],
    ['JavaScript', `/* ' */a`, '#######c'],
    ['JavaScript', '`a${b}c`', 'sssscsss'],
    ['JavaScript', '`${`x`}`;', 'ssssssssc'],
    ['JavaScript', `a / b / c`, 'ccccccccc'],
    ['JavaScript', `x=/['"]/g`, 'ccssssssc'],
    ['JavaScript', `'open\nb`, 'sssss\nc'],
    ['Python', `"""a\nb"""c`, 'ssss\nssssc'],
    ['Python', `a # 'b`, 'cc####'],
    ['Shell', `a$#b #c`, 'ccccc##'],
    ['Rust', `'a 'b'`, 'cccsss'],
    ['HTML', `<!--a-->b`, '########c'],
    ['Other text', `"a" // b`, 'cccccccc'],
  ])('%s: %j', (language, text, expected) => {
    expect(classes(text, language)).toBe(expected);
  });

  it('never loses a character, whatever the text', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab\n\'"`${}/*#\\-<>![]( ') });
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('TypeScript', 'Python', 'Rust', 'Shell', 'Lua', 'PHP'),
        (value, language) => {
          const found = classify(value, language);
          expect(keep(value, found, CODE, COMMENT, STRING)).toBe(value);
          const counts = linesOf(value, language);
          const lines = value === '' ? 0 : value.replace(/\n$/, '').split('\n').length;
          expect(counts.blank + counts.comment + counts.code).toBe(lines);
          expect(keep(value, found, COMMENT)).toHaveLength(value.length);
          expect(functionsOf(value, language).every((item: Output) => item.lines >= 1)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('line statistics', () => {
  it('counts a line with code and comment as code, and the last line end as none', () => {
    expect(linesOf(`/*\n\n*/ a\n// b\n`, 'C')).toEqual({ blank: 1, comment: 2, code: 1 });
    expect(linesOf('', 'C')).toEqual({ blank: 0, comment: 0, code: 0 });
    expect(linesOf('a', 'C')).toEqual({ blank: 0, comment: 0, code: 1 });
  });
});

describe('languages', () => {
  it.each([
    ['src/a.tsx', 'TypeScript'],
    ['Makefile', 'Makefile'],
    ['A.PY', 'Python'],
    ['.js', 'Other text'],
    ['constructor', 'Other text'],
    ['a.__proto__', 'Other text'],
  ])('%s is %s', (path, language) => {
    expect(languageOf(path)).toBe(language);
  });
});

describe('markers', () => {
  it('count in comments, not in texts', () => {
    const found = markersOf(`// HACK(ada): later\nlet a = 'XXX';\n/* x\n XXX y */`, 'JavaScript');
    expect(found).toEqual([
      { line: 1, marker: 'HACK', text: 'ada): later' },
      { line: 4, marker: 'XXX', text: 'y */' },
    ]);
  });
});

describe('imports', () => {
  const targets = (text: string, language: string) =>
    referencesOf(text, language).map((reference: Output) => reference.target);

  it('finds the statements of JavaScript and TypeScript', () => {
    const text = [
      `import a, { b as c } from './a';`,
      `import './b';`,
      `export * from "./c";`,
      `const d = await import('./d'), e = require('./e');`,
      `// import './no';`,
      `const text = "import './no'";`,
      `import type { F } from './f';`,
    ].join('\n');
    expect(targets(text, 'TypeScript').sort()).toEqual(['./a', './b', './c', './d', './e', './f']);
    const typeOnly = referencesOf(text, 'TypeScript').filter((reference: Output) => reference.typeOnly);
    expect(typeOnly).toEqual([{ target: './f', typeOnly: true }]);
  });

  it('finds the statements of Python and C', () => {
    const text =
      'import os, a.b as c\nfrom . import d\nfrom .e import (f,\n  g)\nfrom h import i # j\nx = 1\n';
    expect(targets(text, 'Python')).toEqual(['os', 'a.b', '.d', '.e', '.e.f', '.e.g', 'h', 'h.i']);
    expect(targets('#include <stdio.h>\n  # include "a/b.h"\n', 'C')).toEqual(['stdio.h', 'a/b.h']);
    expect(referencesOf('x', 'Markdown')).toBeUndefined();
  });

  it.each([
    ['src/a.ts', 'TypeScript', './b.js', { path: 'src/b.ts' }],
    ['src/a.ts', 'TypeScript', '../lib', { path: 'lib/index.js' }],
    ['src/a.ts', 'TypeScript', './c', { path: 'src/c.tsx' }],
    ['src/a.ts', 'TypeScript', './nope', {}],
    ['src/a.ts', 'TypeScript', '@x/y/z', { package: '@x/y' }],
    ['src/a.ts', 'TypeScript', 'lodash/fp', { package: 'lodash' }],
    ['pkg/m.py', 'Python', '.n', { path: 'pkg/n.py' }],
    ['pkg/sub/m.py', 'Python', '..n', { path: 'pkg/n.py' }],
    ['m.py', 'Python', 'pkg', { path: 'pkg/__init__.py' }],
    ['m.py', 'Python', 'os.path', { package: 'os' }],
  ])('%s (%s) %s leads to %j', (from, language, target, expected) => {
    const known = new Set(['src/b.ts', 'lib/index.js', 'src/c.tsx', 'pkg/n.py', 'pkg/__init__.py']);
    expect(resolveReference(from, language, { target }, known)).toEqual(expected);
  });
});

describe('cycles', () => {
  it('are the strongly connected components (against reachability)', () => {
    const edge = fc.tuple(fc.nat(7), fc.nat(7));
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 20 }), (pairs) => {
        const edges = new Map(Array.from({ length: 8 }, (_, i) => [`${i}`, new Set<string>()]));
        for (const [from, to] of pairs) edges.get(`${from}`)!.add(`${to}`);
        const reach = (start: string): Set<string> => {
          const seen = new Set<string>();
          const queue = [...edges.get(start)!];
          for (const node of queue) {
            if (seen.has(node)) continue;
            seen.add(node);
            queue.push(...edges.get(node)!);
          }
          return seen;
        };
        const nodes = [...edges.keys()].filter((node) => reach(node).has(node));
        const expected = new Set(
          nodes.map((node) =>
            nodes.filter((other) => reach(node).has(other) && reach(other).has(node)).join(),
          ),
        );
        const found = cycles(edges).map((cycle: string[]) => cycle.join());
        expect(found).toHaveLength(expected.size);
        expect(new Set(found)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('do not overflow the stack on long chains', () => {
    const edges = new Map(Array.from({ length: 50_000 }, (_, i) => [i, [(i + 1) % 50_000]]));
    expect(cycles(edges)[0]).toHaveLength(50_000);
  });
});

describe('functions', () => {
  const found = (text: string, language: string) =>
    functionsOf(text, language).map((item: Output) => [item.name, item.line, item.lines, item.complexity]);

  it('are found in TypeScript', () => {
    const text = [
      'export async function a<T>(x: T, { y } = { y: 1 }): Promise<T> {',
      '  if (x && y) return x;',
      '  return x;',
      '}',
      'const b = ({ c }) => { for (;;) {} };',
      'class D extends E {',
      '  constructor(private x = 1) { super(); }',
      '  static async f(x?: number): Promise<void> {',
      '    while (x ? 1 : 2) { g(); }',
      '  }',
      '}',
      'interface H { (x: number): void }',
      'const i = { j: 1 }; if (i) { k(); } else { l(); }',
      'run(() => { m(); });',
    ].join('\n');
    expect(found(text, 'TypeScript')).toEqual([
      ['a', 1, 4, 3],
      ['b', 5, 1, 2],
      ['constructor', 7, 1, 1],
      ['f', 8, 3, 3],
      ['(anonymous)', 14, 1, 1],
    ]);
  });

  it('are found in Go, Rust, Java and C', () => {
    expect(found('func (s *T) Run(x int) error {\n if x > 0 {}\n}', 'Go')).toEqual([['Run', 1, 3, 2]]);
    expect(found('pub fn run<T>(x: T) -> u8 {\n 1 }', 'Rust')).toEqual([['run', 1, 2, 1]]);
    expect(found('class A { public int get() throws E { return b ? 1 : 2; } }', 'Java')).toEqual([
      ['get', 1, 1, 2],
    ]);
    expect(found('static int\nmain(void)\n{ if (1) { } }', 'C')).toEqual([['main', 1, 3, 2]]);
  });

  it('are found in Python, by indentation', () => {
    const text =
      'def a(\n  x,\n):\n  if x and 1:\n    pass\n\n  return 1\n\nclass B:\n  async def c(self):\n    pass\nd = 1\n';
    expect(found(text, 'Python')).toEqual([
      ['a', 1, 7, 3],
      ['c', 10, 2, 1],
    ]);
  });
});

describe('fingerprints', () => {
  it('ignore comments, layout, texts and numbers, but not names', () => {
    const { hashes, lines } = normalise(`a = f("x", 1); // c\n{\n\n  b();\n}`, 'JavaScript');
    expect(lines).toEqual([1, 4]);
    expect(normalise(`a  =  f('yy',\t22);\nb( );`, 'JavaScript').hashes).toEqual(hashes);
    expect(normalise(`a = g("x", 1);\nb();`, 'JavaScript').hashes).not.toEqual(hashes);
  });

  it('roll: equal windows have equal hashes wherever they stand', () => {
    const numbers = fc.array(fc.nat(2 ** 32 - 1), { maxLength: 30 });
    fc.assert(
      fc.property(
        numbers,
        numbers,
        fc.array(fc.nat(2 ** 32 - 1), { minLength: WINDOW, maxLength: WINDOW }),
        (a, b, w) => {
          const inFirst = rollingHashes([...a, ...w]).at(-1);
          const inSecond = rollingHashes([...b, ...w, ...a])[b.length];
          expect(inFirst).toBe(inSecond);
          expect(rollingHashes([...a, ...w])).toHaveLength(a.length + 1);
        },
      ),
      { numRuns: 300 },
    );
    expect(rollingHashes([1, 2, 3])).toEqual([]);
  });
});
