import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN, maestro, makeFolder } from './support/maestro.js';

const GOOD = `workflow: { id: good, name: Good }
nodes:
  - { id: a, name: a, type: custom, run: 'true' }
  - { id: b, name: b, type: custom, dependencies: [a], run: 'true' }
  - { id: c, name: c, type: custom, dependencies: [a], run: 'true' }
`;
const BAD = `workflow: { id: bad, name: Bad }
nodes:
  - { id: a, name: a, type: custom, run: 'true' }
  - { id: a, name: again, type: custom, run: 'true' }
  - id: b
    name: b
    type: custom
    dependencies: [nowhere]
    run: 'true'
`;

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => (folder = makeFolder({ 'good.yaml': GOOD, 'bad.yaml': BAD })));
afterAll(() => folder.remove());
const run = (...args: string[]) => maestro(args, { cwd: folder.path });

describe('the command without a runtime', () => {
  it('is an executable script', () => {
    expect(readFileSync(MAIN, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
  });

  it('validates, with places and code frames', async () => {
    const { code, out, err } = await run('validate', 'good.yaml', 'bad.yaml');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toContain('✓ good.yaml: good, 3 nodes, 2 edges');
    expect(out).toMatch(/^bad\.yaml:4:\d+: error: .*"a"/m);
    expect(out).toMatch(/^bad\.yaml:8:\d+: error: .*"nowhere"/m);
    expect(out).toContain('dependencies: [nowhere]');
    expect(out).toMatch(/✗ bad\.yaml: 2 errors\n$/);
    expect(out).not.toContain('\u001b');
  });

  it('colours when forced to', async () => {
    const { out } = await maestro(['validate', 'good.yaml'], { cwd: folder.path, env: { FORCE_COLOR: '1' } });
    expect(out).toContain('\u001b[32m');
  });

  it.each([
    [['--format', 'groups'], 'good: 3 nodes, 2 edges, 2 groups\n  1  a\n  2  b, c\n'],
    [['--format', 'mermaid'], 'flowchart TD\n'],
    [['--format', 'dot'], 'digraph workflow {\n'],
    [['--format', 'json'], '{\n  "workflow_id": "good"'],
  ])('draws with %j', async (args, beginning) => {
    const { code, out, err } = await run('graph', 'good.yaml', ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.startsWith(beginning)).toBe(true);
  });

  it('writes a template that validates, and does not overwrite it', async () => {
    const made = await run('init', 'made', '--template', 'pipeline');
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toContain('cd made');
    expect(existsSync(join(folder.path, 'made', 'workflow.yaml'))).toBe(true);
    expect((await run('validate', 'made/workflow.yaml')).code).toBe(0);
    const again = await run('init', 'made', '--template', 'pipeline');
    expect(again).toMatchObject({ code: 2, out: '' });
    expect(again.err).toContain('--force');
    expect((await run('init', 'made', '--template', 'pipeline', '--force')).code).toBe(0);
  });

  it('lists templates in JSON', async () => {
    const { templates } = JSON.parse((await run('init', '--list', '--json')).out) as {
      templates: { name: string }[];
    };
    expect(templates.map(({ name }) => name)).toEqual(expect.arrayContaining(['hello', 'pipeline', 'sdlc']));
  });

  it('exits with 2 for wrong usage', async () => {
    expect((await run('frobnicate')).code).toBe(2);
    expect((await run('run', 'good.yaml', '--mode', 'fast')).code).toBe(2);
    expect((await run()).code).toBe(2);
  });

  it('leaves no store behind', () => {
    expect(readdirSync(folder.path)).not.toContain('.maestro');
  });

  it('ends quietly when nobody reads its output', () => {
    const pipe = `"${process.execPath}" "${MAIN}" --help | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', pipe], { encoding: 'utf8' });
    expect(stdout).toBe('Usage: maestro [options] [command]\n0\n');
    expect(stderr).toBe('');
  });
});
