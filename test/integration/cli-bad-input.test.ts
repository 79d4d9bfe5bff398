import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorEnvelope } from '../../src/cli/error-report.js';
import type { RunSummary } from '../../src/cli/report/run-summary.js';
import { maestro, makeFolder, type Finished } from './support/maestro.js';

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder({
    'steps.mjs': `
export const throws = () => { throw new RangeError('too far'); };
export const throwsNull = () => { throw null; };
export const exits = () => process.exit(3);
export const never = () => new Promise(() => {});
export const spins = () => { for (;;); };
export const circular = () => { const a = {}; a.a = a; return a; };
export const bigint = () => ({ n: 1n });
export const huge = () => 'x'.repeat(200 * 1024 * 1024);
export const fine = () => ({ ok: true });
`,
    'fine.yaml': workflow(node('a', 'uses: ./steps.mjs#fine')),
  });
});
afterAll(() => folder.remove());

const run = (...args: string[]): Promise<Finished> => maestro(args, { cwd: folder.path });
const workflow = (...nodes: string[]): string => `workflow: { id: w, name: w }\nnodes:\n${nodes.join('')}`;
const node = (id: string, rest: string): string => `  - { id: ${id}, name: ${id}, type: custom, ${rest} }\n`;

/** No stack, no internals: what a person can act on. */
function expectClear({ out, err }: Finished): void {
  expect(out + err).not.toMatch(/\n\s+at .*[:(]/);
  expect(out + err).not.toMatch(/internal error|node_modules|UnhandledPromise/);
}

describe('files that cannot be run', () => {
  const files: [string, string, RegExp][] = [
    ['broken.yaml', 'workflow: {id: w\nnodes: [', /SYNTAX/],
    ['broken.json', '{"workflow": {,}}', /SYNTAX/],
    [
      'cycle.yaml',
      workflow(
        node('a', 'dependencies: [c], run: x'),
        node('b', 'dependencies: [a], run: x'),
        node('c', 'dependencies: [b], run: x'),
      ),
      /cycle/i,
    ],
    ['unknown.yaml', workflow(node('a', 'dependencies: [nowhere], run: x')), /nowhere/],
    [
      'twice.yaml',
      workflow(node('a', 'run: x'), node('a', 'run: x')),
      /a.*twice|two nodes|already|duplicate/i,
    ],
    ['idle.yaml', workflow(node('a', 'config: {}')), /uses|run/],
    ['empty.yaml', '', /empty/],
    ['list.json', '[]', /must be an object/],
    ['notes.txt', 'hello', /not a workflow file/],
    ['broken.json.gz', 'this is no gzip', /gzip/],
  ];
  beforeAll(() => {
    for (const [name, text] of files) writeFileSync(join(folder.path, name), text);
  });

  it.each(files)('%s', async (name, _text, message) => {
    for (const command of ['validate', 'run', 'graph']) {
      const result = await run(command, name);
      expect(result.code).toBe(1);
      expect(result.out + result.err).toMatch(message);
      expect(result.out + result.err).toContain(name);
      expectClear(result);
    }
  });

  it('names the place of broken YAML and the nodes of a cycle', async () => {
    expect((await run('run', 'broken.yaml')).err).toMatch(/broken\.yaml:\d+:\d+: error: /);
    const { error } = JSON.parse((await run('run', 'cycle.yaml', '--json')).err) as ErrorEnvelope;
    expect(error.problems?.some(({ message }) => /a.*c|c.*a/.test(message))).toBe(true);
  });

  it('a file that does not exist, and a folder', async () => {
    const missing = await run('run', 'missing.yaml');
    expect(missing).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('SPEC_NOT_FOUND') as string,
    });
    const directory = await run('run', '.');
    expect(directory).toMatchObject({ code: 1, out: '' });
    expectClear(directory);
  });
});

describe('steps that misbehave', () => {
  const cases: [string, string, string | RegExp, RegExp][] = [
    ['no such module', 'uses: ./missing.mjs#x', 'STEP_NOT_FOUND', /missing\.mjs/],
    ['no such export', 'uses: ./steps.mjs#nope', 'STEP_NOT_FOUND', /nope/],
    ['throws', 'uses: ./steps.mjs#throws', /.*/, /too far/],
    ['throws null', 'uses: ./steps.mjs#throwsNull', /.*/, /null/],
    ['exits', 'uses: ./steps.mjs#exits', 'WORKER_LOST', /exit|worker/i],
    ['never returns', 'uses: ./steps.mjs#never, timeout_seconds: 0.3', 'STEP_TIMEOUT', /0\.3|time/],
    ['spins for ever', 'uses: ./steps.mjs#spins, timeout_seconds: 0.3', 'STEP_TIMEOUT', /0\.3|time/],
    ['returns a circle', 'uses: ./steps.mjs#circular', 'OUTPUT_NOT_SERIALIZABLE', /JSON|serial|circular/i],
    ['returns a bigint', 'uses: ./steps.mjs#bigint', 'OUTPUT_NOT_SERIALIZABLE', /BigInt/i],
    ['returns 200 MB', 'uses: ./steps.mjs#huge', 'OUTPUT_TOO_LARGE', /MiB|bytes|large/i],
    ['a command that fails', "run: 'echo oops >&2; exit 4'", 'COMMAND_FAILED', /4/],
    ['a command that does not exist', 'run: no-such-command-here', 'COMMAND_FAILED', /127|not found/],
  ];

  it.each(cases)('%s', async (name, rest, code, message) => {
    const file = `${name.replaceAll(' ', '-')}.yaml`;
    const guilty = node('guilty', rest);
    writeFileSync(join(folder.path, file), workflow(node('fine', 'uses: ./steps.mjs#fine'), guilty));
    const args = ['run', file, '--mode', 'dag_parallel', '--grace', '0.2', '--store', 'memory:'];
    const text = await run(...args);
    if (text.out === '') {
      // Found before anything ran.
      expect(text.code).toBe(1);
      expect(text.err).toMatch(message);
      return expectClear(text);
    }
    expect(text.code).toBe(1);
    expect(text.out).toMatch(/node guilty failed/);
    expect(text.out).toMatch(message);
    expectClear(text);
    const summary = JSON.parse((await run(...args, '--json')).out) as RunSummary;
    expect(summary).toMatchObject({ status: 'failed', failed_node: 'guilty' });
    expect(summary.error?.code ?? '').toMatch(code);
  });

  it('leave others alone', async () => {
    writeFileSync(
      join(folder.path, 'beside.yaml'),
      `workflow: { id: w, name: w, on_failure: continue }\nnodes:\n` +
        node('guilty', 'uses: ./steps.mjs#exits') +
        Array.from({ length: 20 }, (_, i) => node(`n${i}`, 'uses: ./steps.mjs#fine')).join(''),
    );
    const args = ['run', 'beside.yaml', '--mode', 'dag_parallel', '--store', 'memory:', '--json'];
    const summary = JSON.parse((await run(...args)).out) as RunSummary;
    expect(summary).toMatchObject({ status: 'failed', failed_node: 'guilty', completed_nodes: 20 });
  });
});

describe('stores that cannot be used', () => {
  beforeAll(() => writeFileSync(join(folder.path, 'regular-file'), 'not a folder'));

  it.each(['regular-file/store', '/proc/maestro-store', 'regular-file'])('%s', async (path) => {
    const result = await run('run', 'fine.yaml', '--store', `lmdb:${path}`);
    expect(result.code).toBe(2);
    expect(result.err).toMatch(/STORE_/);
    expect(result.out).toBe('');
    expectClear(result);
  });

  it('reading a store that is no store', async () => {
    const result = await run('list', '--store', 'lmdb:regular-file');
    expect(result.code).toBe(2);
    expectClear(result);
  });
});

it('ids that are not allowed', async () => {
  const result = await run('run', 'fine.yaml', '--id', '../up', '--store', 'memory:');
  expect(result.code).toBe(1);
  expect(result.err).toContain('../up');
  expectClear(result);
});
