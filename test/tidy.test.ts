import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as rules from './support/tidy-rules.js';
import { readRepository, type TidyFile } from './support/tidy-source.js';

const repository = readRepository(join(import.meta.dirname, '..'));

describe('the repository', () => {
  it.each(Object.entries(rules.TIDY_RULES))('%s', (_, rule) => {
    expect(rule(repository)).toEqual([]);
  });

  it('is read: sources, tests, dot files and documents, but nothing that git ignores', () => {
    const paths = repository.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['src/base/errors.ts', 'test/tidy.test.ts', '.gitignore', 'LICENSE']),
    );
    expect(paths.filter((path) => /^(?:node_modules|dist|\.git)\//.test(path))).toEqual([]);
  });
});

const file = (path: string, text = ''): TidyFile => ({ path, text });
const lines = (count: number): string => 'x;\n'.repeat(count);
const lock = (text: string): TidyFile => file('package-lock.json', text);
const readme = (text: string): TidyFile => file('README.md', text);
// In pieces, so that the rules do not find their own samples.
const later = 'TO' + 'DO';
const homeless = '/ho' + 'me/ada/x';
const registry = 'https://regis' + 'try.example.org/';
const resolved = '"reso' + 'lved": "x"';
const codes = (text: string): TidyFile => file('src/base/error-codes.ts', text);

/** Each rule with files it must refuse, and how often, and files it must accept. */
const SAMPLES: [rule: keyof typeof rules, violations: number, files: TidyFile[]][] = [
  [
    'topLevelNames',
    0,
    [file('src/base/a.ts'), file('.ci/run'), file('tsconfig.build.json'), file('LICENSE')],
  ],
  ['topLevelNames', 2, [file('lib/a.ts'), file('lib/b.ts'), file('notes.md')]],

  ['floors', 0, [file('src/spec/a.ts', `import '../graph/b.js'; import '../base/c.js'; import './d.js';`)]],
  ['floors', 0, [file('src/cli/a.ts', `import '../runtime/index.js'; import '../base/c.js'; import 'x';`)]],
  ['floors', 0, [file('src/engine/a.ts', `import '../../machines/index.js';`)]],
  ['floors', 1, [file('src/base/a.ts', `import type { B } from '../graph/b.js';`)]],
  ['floors', 1, [file('src/graph/a.ts', `export * from '../spec/b.js';`)]],
  ['floors', 1, [file('src/store/a.ts', `import '../pool/b.js';`)]],
  ['floors', 1, [file('machines/a.ts', `const b = import('../src/engine/b.js');`)]],
  ['floors', 1, [file('src/policy/a.ts', `type B = import('../engine/b.js').B;`)]],
  ['floors', 2, [file('src/cli/a.ts', `import '../runtime/types.js'; import '../store/kv.js';`)]],
  ['floors', 0, [file('src/cli/a.ts', `import '../simulation/index.js'; import '../server/index.js';`)]],
  ['floors', 1, [file('src/cli/a.ts', `import '../simulation/world.js';`)]],
  ['floors', 1, [file('src/server/a.ts', `import '../cli/b.js';`)]],
  ['floors', 1, [file('src/cli/a.ts', `import '../../package.json';`)]],
  ['floors', 2, [file('src/attic/a.ts'), file('src/index.ts')]],
  ['floors', 1, [file('src/runtime/a.ts', `import '../attic/a.js';`)]],

  [
    'libraries',
    0,
    [file('src/store/lmdb-kv.ts', `import 'lmdb';`), file('machines/a.ts', `import 'xstate';`)],
  ],
  [
    'libraries',
    0,
    [file('src/pool/threads/a.ts', `import 'piscina';`), file('src/cli/a.ts', `import 'pino';`)],
  ],
  [
    'libraries',
    0,
    [file('src/runtime/remote/a.ts', `import 'comlink';`), file('src/base/a.ts', `import 'uuid';`)],
  ],
  ['libraries', 1, [file('src/supervisor/a.ts', `import type { X } from 'xstate/guards';`)]],
  ['libraries', 2, [file('src/store/memory.ts', `import 'lmdb'; import 'pino-pretty';`)]],
  ['libraries', 2, [file('src/pool/inline.ts', `import 'piscina'; await import('comlink');`)]],

  ['fileSizes', 0, [file('src/base/a.ts', lines(400)), file('package-lock.json', lines(9999))]],
  ['fileSizes', 1, [file('test/a.test.ts', lines(401))]],
  [
    'medianSize',
    0,
    [file('src/base/a.ts', lines(9)), file('src/base/b.ts', lines(9)), file('src/base/c.ts', lines(300))],
  ],
  ['medianSize', 1, [file('src/base/a.ts', lines(151))]],
  ['fileNames', 0, [file('src/base/error-codes.ts'), file('machines/node.machine.ts'), file('README.md')]],
  ['fileNames', 3, [file('src/base/errorCodes.ts'), file('src/Base/a.ts'), file('test/error_codes.test.ts')]],

  ['injectedClock', 0, [file('src/engine/a.ts', '// Date.now()\nnew Date(1); clock.nowMs(); "setTimeout"')]],
  [
    'injectedClock',
    0,
    [file('src/cli/a.ts', 'Date.now(); new Date()'), file('src/base/clock.ts', 'Date.now()')],
  ],
  ['injectedClock', 3, [file('src/engine/a.ts', 'Date.now(); new Date(); const r = Math.random;')]],
  ['injectedClock', 2, [file('src/supervisor/a.ts', 'setTimeout(f, 1); setInterval(f, 1)')]],
  ['injectedClock', 3, ['graph', 'policy', 'spec'].map((room) => file(`src/${room}/a.ts`, 'new Date'))],
  ['injectedClock', 1, [file('machines/a.ts', 'Date.now()')]],

  ['processExit', 0, [file('src/cli/a.ts', 'process.exit(1)'), file('src/base/a.ts', '// process.exit(1)')]],
  [
    'processExit',
    2,
    [file('src/base/a.ts', 'process.exit(1)'), file('src/pool/worker.ts', 'process.abort()')],
  ],
  ['processHandlers', 0, [file('src/cli/a.ts', `process.on('x', f)`)]],
  ['processHandlers', 0, [file('src/pool/threads/worker-entry.ts', `process.on('x', f)`)]],
  ['processHandlers', 2, [file('src/base/a.ts', `process.on('x', f); process.once('x', f)`)]],
  ['processHandlers', 1, [file('src/supervisor/worker.ts', `process.on('x', f)`)]],
  ['consoleUse', 0, [file('test/a.ts', 'console.log(1)'), file('src/base/a.ts', '// console.log')]],
  ['consoleUse', 1, [file('src/cli/a.ts', 'console.error(1)')]],

  ['unfinishedWork', 0, [file('README.md', `counts \`${later}\` notes`)]],
  [
    'unfinishedWork',
    3,
    [file('a.ts', `// ${later} x\nf(); // x, ${later}: y`), file('a.yaml', `# ${later}`)],
  ],

  [
    'focusedTests',
    0,
    [file('test/a.test.ts', `it.skipIf(x)('needs git', f);\n// broken upstream\nit.skip('x', f);`)],
  ],
  ['focusedTests', 0, [file('test/a.test.ts', `it('x', (ctx) => ctx.skip('no data')); list.skip(); a.only`)]],
  ['focusedTests', 2, [file('test/a.test.ts', `it.only('x', f); describe.only.each([])('y', f)`)]],
  [
    'focusedTests',
    3,
    [file('test/a.test.ts', `it.skip('x', f); test.todo('y'); it('z', (ctx) => ctx.skip())`)],
  ],

  [
    'machinePaths',
    0,
    [file('README.md', 'src/work/x a/home/x https://x.org/home/x ~/work/x ./root/x match(/root/)')],
  ],
  ['machinePaths', 2, [file('README.md', `"${homeless}" and ${homeless}`)]],
  ['registryUrls', 0, [file('README.md', 'https://example.org/registry https://www.npmjs.com/package/x')]],
  ['registryUrls', 2, [file('README.md', registry), file('.npmrc', `registry=${registry}`)]],
  ['lockFile', 0, [lock('{}')]],
  ['lockFile', 1, [lock(resolved)]],
  ['lockFile', 1, []],
  ['lockFile', 1, [lock('{}'), file('bench/peers/package-lock.json', resolved)]],

  ['readmeCommands', 0, [readme('npm ci && npm start\nnpm ci && npm test')]],
  ['readmeCommands', 1, [readme('npm ci && npm start\nnpm i && npm test')]],
  ['readmeCommands', 2, []],
  [
    'dependencyDecisions',
    0,
    [file('package.json', '{"dependencies":{"a":"1"}}'), file('docs/decisions.md', '- `a`: because')],
  ],
  [
    'dependencyDecisions',
    2,
    [
      file('package.json', '{"dependencies":{"a":"1"},"devDependencies":{"b":"1"}}'),
      file('docs/decisions.md', 'a'),
    ],
  ],
  ['usedErrorCodes', 0, [codes('  A_B: {\n  C: { x }'), file('src/cli/a.ts', `f('A_B'); g('C')`)]],
  [
    'usedErrorCodes',
    1,
    [codes('  A_B: {\n  C: { x }'), file('src/cli/a.ts', `f('A_B')`), file('test/a.ts', `'C'`)],
  ],
  ['usedErrorCodes', 1, [codes('')]],
];

describe('the rules', () => {
  it.each(SAMPLES)('%s finds %i in its sample', (name, violations, files) => {
    const found = (rules[name] as rules.TidyRule)(files);
    expect(found).toHaveLength(violations);
    // A message names a file and says what to do.
    for (const message of found) expect(message).toMatch(/^[\w./-]+(?::\d+)?: .{20,}/);
  });

  it.each(Object.entries(rules.TIDY_RULES))('"%s" is shown to fail and to pass', (_, rule) => {
    const samples = SAMPLES.filter(([name]) => rules[name] === rule);
    expect(samples.some(([, violations]) => violations > 0)).toBe(true);
    expect(samples.some(([, violations]) => violations === 0)).toBe(true);
  });
});
