/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument --
   templates are plain JavaScript, without types */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTemplate, templateModule, TEMPLATES, type Output } from '../support/template-run.js';

const FILE = 'analysis/workflow.yaml';
const REPOSITORY = join(import.meta.dirname, '../..');

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'maestro-analysis-'));
  root = join(dir, 'root');
  await mkdir(root);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

async function analyse(out = 'out'): Promise<{ findings: Output; markdown: string; skipped: string[] }> {
  const { outputs, skipped } = await runTemplate(FILE, join(dir, out), { root });
  const [markdown, json] = outputs.report.artifacts as string[];
  return {
    findings: JSON.parse(await readFile(json, 'utf8')),
    markdown: await readFile(markdown, 'utf8'),
    skipped,
  };
}

const BLOCK = Array.from({ length: 12 }, (_, i) => `  total += weigh(item.part${i}, ${i}, 'p${i}');`);

describe('the analysis', () => {
  it('works on an empty folder', async () => {
    const { findings, markdown, skipped } = await analyse();
    expect(findings.totals).toEqual({
      files: 0,
      size_bytes: 0,
      binary_files: 0,
      blank: 0,
      comment: 0,
      code: 0,
    });
    expect(findings.languages).toEqual([]);
    expect(skipped).toEqual(['git_history']);
    expect(markdown).toContain('Not available: not inside a git work tree.');
  });

  it('finds what is in a folder', async () => {
    await put({
      'src/a.ts': `// XXX: better\nimport { b } from './b.js';\nimport fs from 'node:fs';\n\nexport const a = b;\n`,
      'src/b.ts': `import { a } from './a.js';\nimport type { C } from './types.js';\nexport const b = a;\n`,
      'src/types.ts': `import './missing.js';\nexport type C = 1;\n`,
      'src/one.js': `export function one(item) {\n${BLOCK.join('\n')}\n  return total;\n}\n`,
      'src/two.js': `function two(item) {\n  // the same, with other numbers\n${BLOCK.join('\n\n').replaceAll(/ \d+,/g, ' 77,')}\n}\n`,
      'copy/a.bin': new Uint8Array([0, 1, 2, 3]),
      'copy/b.bin': new Uint8Array([0, 1, 2, 3]),
      'node_modules/x/index.js': 'never seen',
    });
    const { findings, markdown } = await analyse();
    expect(findings.totals).toMatchObject({ files: 7, binary_files: 2 });
    expect(findings.notes.skipped_by_name).toBe(1);
    expect(findings.languages.map((entry: Output) => [entry.language, entry.files])).toEqual([
      ['JavaScript', 2],
      ['TypeScript', 3],
    ]);
    expect(findings.languages[1]).toMatchObject({ blank: 1, comment: 1, code: 8 });
    expect(findings.imports).toMatchObject({
      modules: 5,
      edges: 3,
      cycles: [['src/a.ts', 'src/b.ts']],
      external: [{ module: 'node:fs', importers: 1 }],
      unresolved: [{ path: 'src/types.ts', target: './missing.js' }],
    });
    expect(findings.exact_duplicates.largest).toMatchObject([
      { size_bytes: 4, paths: ['copy/a.bin', 'copy/b.bin'] },
    ]);
    expect(findings.near_duplicates.largest).toEqual([
      {
        lines: 12,
        original: { path: 'src/one.js', from: 2, to: 13 },
        copy: { path: 'src/two.js', from: 3, to: 25 },
      },
    ]);
    expect(findings.markers.listed).toEqual([{ path: 'src/a.ts', line: 1, marker: 'XXX', text: 'better' }]);
    expect(findings.functions.count).toBe(2);
    expect(markdown).toContain('src/a.ts → src/b.ts → src/a.ts');
  });

  it('gives the same report for the same folder, byte for byte', async () => {
    await put({ 'a.py': 'import b\n', 'b.py': 'import a\n', 'z/c.go': 'func main() {}\n', 'm.md': '# x\n' });
    expect(await analyse('first')).toEqual(await analyse('second'));
  });

  it('notes what it cannot read, does not follow links, skips the huge, survives any bytes', async () => {
    await put({
      'huge.txt': 'x'.repeat(1_000_001),
      'latin.c': new Uint8Array([0x2f, 0x2f, 0x20, 0xe9, 0x0a]),
      'utf16.txt': Buffer.from('\ufeffab\n', 'utf16le'),
      'locked.js': 'secret',
      'locked/inner.js': 'secret',
      '|pipe`|<b>.md': 'x',
      'mac.txt': 'a\rb\r',
    });
    await symlink('/', join(root, 'everything'));
    await symlink('nowhere', join(root, 'dangling'));
    await chmod(join(root, 'locked.js'), 0);
    await chmod(join(root, 'locked'), 0);
    const { findings, markdown } = await analyse();
    await chmod(join(root, 'locked'), 0o700);
    const reasons = new Map(findings.notes.left_out.map((note: Output) => [note.path, note.reason]));
    expect(reasons.get('huge.txt')).toBe('larger than 1000000 bytes (1000001)');
    expect(findings.notes.symlinks_not_followed).toBe(2);
    expect(findings.notes.not_utf8).toEqual([
      { path: 'latin.c', encoding: 'latin-1' },
      { path: 'utf16.txt', encoding: 'utf-16le' },
    ]);
    expect(findings.languages.find((entry: Output) => entry.language === 'Other text')).toMatchObject({
      code: 3,
    });
    expect(markdown).not.toContain('<b>');
    // Permissions do not stop the superuser.
    if (process.getuid?.() !== 0) {
      expect(reasons.get('locked.js')).toBe('not readable: EACCES');
      expect(reasons.get('locked')).toBe('folder not readable: EACCES');
    }
  });

  it('notes files that vanish between two steps, once', async () => {
    await put({ 'stays.js': 'let a;\n' });
    const list = join(dir, 'files.json');
    const file = { path: 'gone.js', size: 1, binary: false, language: 'JavaScript' };
    await writeFile(list, JSON.stringify({ root, files: [file] }));
    const { countLines } = await templateModule('analysis', 'steps', 'lines.mjs');
    const output = await countLines({
      nodeConfig: {},
      dependencyArtifacts: { collect: [list] },
      signal: new AbortController().signal,
      progress: () => {},
    });
    expect(output).toEqual({
      languages: {},
      not_utf8: [],
      unreadable: [{ path: 'gone.js', reason: 'ENOENT' }],
    });
  });

  it.each([[join('no', 'such', 'folder')], [''], [7], ['package.json']])(
    'refuses the root %j',
    async (value) => {
      const run = runTemplate(FILE, join(dir, 'out'), { root: value });
      await expect(run).rejects.toMatchObject({ name: 'InputError' });
    },
  );

  it('stops when cancelled', async () => {
    const run = runTemplate(FILE, join(dir, 'out'), { root }, AbortSignal.abort());
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('finds this repository', async () => {
    const { outputs, progress } = await runTemplate(FILE, join(dir, 'out'), { root: REPOSITORY });
    expect(outputs.report.files).toBeGreaterThan(50);
    expect(outputs.report.functions).toBeGreaterThan(100);
    const most = outputs.imports.most_imported as { path: string }[];
    expect(most.map(({ path }) => path)).toContain('src/base/errors.ts');
    expect(progress.every(({ fraction }) => fraction >= 0 && fraction <= 1)).toBe(true);
  }, 120_000);
});

describe('the git history', () => {
  const hasGit = spawnSync('git', ['--version']).status === 0;
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args]);

  it.skipIf(!hasGit)('counts commits, authors and changes (needs git)', async () => {
    await put({ 'a.txt': '1', 'ü b.txt': '1' });
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'one');
    await put({ 'a.txt': '2' });
    git('commit', '-q', '-a', '-m', 'two');
    const { findings } = await analyse();
    expect(findings.git).toMatchObject({
      available: true,
      commits: 2,
      author_count: 1,
      authors: [{ name: 'Ada', commits: 2 }],
      most_changed: [
        { path: 'a.txt', commits: 2 },
        { path: 'ü b.txt', commits: 1 },
      ],
    });
  });

  it.each([
    ['an empty repository', {}],
    ['no git at all', { PATH: '' }],
  ])('says so and succeeds with %s', async (_, env) => {
    if (hasGit) git('init', '-q');
    const child = spawnSync(process.execPath, [join(TEMPLATES, 'analysis/git-history.mjs')], {
      input: JSON.stringify({ dependency_outputs: { collect: { root } } }),
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect(child.status, child.stderr).toBe(0);
    expect(JSON.parse(child.stdout)).toMatchObject({ available: false, reason: expect.stringMatching(/./) });
  });
});
