import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';
import type { ErrorEnvelope } from '../../src/cli/error-report.js';
import { fakeTerminal } from './support/fake-terminal.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-line-'));
  writeFileSync(
    join(folder, 'w.yaml'),
    'workflow: {id: w, name: w}\nnodes:\n  - {id: a, name: a, type: custom, run: "true"}\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function maestro(args: string[], env: Record<string, string> = {}) {
  const terminal = fakeTerminal({ env, cwd: folder });
  const code = await runCommandLine(args, terminal);
  await new Promise(setImmediate);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe('usage', () => {
  it.each([
    [['frobnicate'], /unknown command/],
    [['list', '--frob'], /unknown option/],
    [['show'], /missing required argument/],
    [['run', 'w.yaml', '--mode', 'fast'], /--mode.*invalid/],
    [['run', 'w.yaml', '--concurrency', '0'], /whole number/],
    [['run', 'w.yaml', '--time-scale', '-1'], /at least 0/],
    [['events', 'last', '--type', 'node_exploded'], /invalid/],
    [['list', '--since', 'later', '--store', 'lmdb:.'], /--since/],
    [['list', '--store', 'redis:x'], /lmdb:PATH or memory:/],
    [['resume'], /either an execution id or --all/],
    [['resume', 'last', '--all'], /either an execution id or --all/],
    [['init', 'x', '--template', 'nope'], /no template "nope"/],
    [['graph', 'a.yaml', 'b.yaml'], /too many arguments/],
  ])('%j exits with 2', async (args, message) => {
    const { code, out, err } = await maestro(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: /);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('reports usage errors as JSON with --json', async () => {
    const { code, err } = await maestro(['list', '--frob', '--json']);
    expect(code).toBe(2);
    const { error } = JSON.parse(err) as ErrorEnvelope;
    expect(error).toMatchObject({ code: 'USAGE', next: 'See `maestro --help`.' });
    expect(error.message).toContain('--frob');
  });

  it('prints help and version with 0', async () => {
    const help = await maestro(['--help']);
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('Exit codes:');
    expect((await maestro(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('prints help to stderr with 2 when there is no command', async () => {
    expect(await maestro([])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('Usage: maestro') as string,
    });
  });

  it.each([
    'init',
    'validate',
    'graph',
    'run',
    'list',
    'show',
    'events',
    'pause',
    'resume',
    'cancel',
    'retry',
  ])('explains %s with examples and global options', async (command) => {
    const { code, out } = await maestro([command, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Usage: maestro ${command}`));
    expect(out).toMatch(new RegExp(`Examples:\\n {2}\\$ maestro ${command}`));
    expect(out).toContain('--store <store>');
  });
});

describe('commands that only read', () => {
  it('create no store', async () => {
    const before = readdirSync(folder);
    expect(await maestro(['list'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('no executions') as string,
    });
    expect(JSON.parse((await maestro(['list', '--json'])).out)).toEqual({ executions: [] });
    for (const command of ['show', 'events', 'pause', 'cancel', 'resume', 'retry']) {
      const { code, err } = await maestro([command, 'last']);
      expect(code).toBe(1);
      expect(err).toContain('EXECUTION_NOT_FOUND');
    }
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('validate and graph', () => {
  it('accept a good file', async () => {
    const { code, out } = await maestro(['validate', join(folder, 'w.yaml')]);
    expect(code).toBe(0);
    expect(out).toMatch(/✓ .*w\.yaml: w, 1 node, 0 edges\n$/);
  });

  it('answer in JSON', async () => {
    const good = await maestro(['validate', join(folder, 'w.yaml'), join(folder, 'missing.yaml'), '--json']);
    expect(good.code).toBe(1);
    expect(JSON.parse(good.out)).toMatchObject({
      valid: false,
      files: [
        { valid: true, workflow_id: 'w', nodes: 1 },
        { valid: false, problems: [{ code: 'SPEC_NOT_FOUND', severity: 'error' }] },
      ],
    });
    const drawn = await maestro(['graph', join(folder, 'w.yaml'), '--json']);
    expect(JSON.parse(drawn.out)).toMatchObject({ node_count: 1, edges: [], groups: [['a']] });
  });

  it('a graph of a missing file is an input error', async () => {
    expect(await maestro(['graph', join(folder, 'missing.yaml')])).toMatchObject({ code: 1, out: '' });
  });
});

it('contradicting flags stop a run before anything is touched', async () => {
  const { code, err } = await maestro(['run', join(folder, 'w.yaml')], {
    MAESTRO_ENABLE_PARALLEL_EXECUTION: 'true',
  });
  expect(code).toBe(2);
  expect(err).toContain('CONFIG_CONFLICT');
});

it('a broken context stops a run before anything is touched', async () => {
  const { code, err } = await maestro(['run', join(folder, 'w.yaml'), '--context', '[1]']);
  expect(code).toBe(1);
  expect(err).toContain('CONTEXT_INVALID');
});
