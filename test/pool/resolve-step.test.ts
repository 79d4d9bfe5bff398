import { describe, expect, it } from 'vitest';
import { isMaestroError } from '../../src/base/errors.js';
import type { StepFunction } from '../../src/base/step.js';
import { resolveStep } from '../../src/pool/index.js';
import { BUILTIN_STEPS, type NodeSpec } from '../../src/spec/index.js';

const fn: StepFunction = () => 1;
const workflow = { baseDir: '/work flow/dir', functions: new Map([['inline', fn]]) };
const resolve = (node: Partial<NodeSpec>) =>
  resolveStep({ id: 'n', name: 'n', type: 'phase', ...node }, workflow);

describe('resolveStep', () => {
  it('finds modules relative to the workflow', () => {
    expect(resolve({ uses: './lib/steps.js#build' })).toEqual({
      kind: 'module',
      key: 'file:///work%20flow/dir/lib/steps.js#build',
      url: 'file:///work%20flow/dir/lib/steps.js',
      exportName: 'build',
    });
    expect(resolve({ uses: '../a.js#default' })).toMatchObject({
      url: 'file:///work%20flow/a.js',
      exportName: 'default',
    });
    expect(() => resolve({ uses: '../a.js' })).toThrow(/no export name/);
    expect(resolve({ uses: '/abs/a.js#x' })).toMatchObject({ url: 'file:///abs/a.js' });
    expect(resolve({ uses: 'file:///abs/a.js#x' })).toMatchObject({ url: 'file:///abs/a.js' });
  });

  it('finds out where a module runs: its node says, else its workflow, else on a thread', () => {
    const node: NodeSpec = { id: 'n', name: 'n', type: 'phase', uses: './a.js#x' };
    const kinds = [undefined, 'inline', 'thread', 'process'] as const;
    const kindsOf = (byWorkflow: (typeof kinds)[number]) =>
      kinds.map((isolation) => resolveStep({ ...node, isolation }, workflow, byWorkflow).kind);
    expect(kinds.map((isolation) => kindsOf(isolation))).toEqual([
      ['module', 'inline', 'module', 'process'],
      ['inline', 'inline', 'module', 'process'],
      ['module', 'inline', 'module', 'process'],
      ['process', 'inline', 'module', 'process'],
    ]);
    expect(resolve({ uses: './a.js#x', isolation: 'process', resources: { max_heap_mb: 64 } })).toEqual({
      kind: 'process',
      key: 'file:///work%20flow/dir/a.js#x',
      url: 'file:///work%20flow/dir/a.js',
      exportName: 'x',
      maxHeapMb: 64,
    });
    expect(resolveStep({ ...node, uses: undefined, run: 'true' }, workflow, 'process').kind).toBe('command');
    expect(resolveStep({ ...node, id: 'inline' }, workflow, 'process').kind).toBe('inline');
  });

  it('imports a module that runs inline by its first attempt', async () => {
    const uses = `${import.meta.dirname}/../fixtures/steps/runtime-steps.js`;
    const run = async (name: string): Promise<unknown> => {
      const step = resolve({ uses: `${uses}#${name}`, isolation: 'inline' });
      return step.kind === 'inline' ? step.fn({} as never) : step;
    };
    for (let i = 0; i < 2; i++) expect(await run('quick')).toEqual({ done: true });
    await expect(run('nowhere')).rejects.toMatchObject({ code: 'STEP_NOT_FOUND' });
  });

  it('knows the built-in steps, and a sleep of no time from a real one', () => {
    for (const uses of BUILTIN_STEPS)
      expect(resolve({ uses })).toMatchObject({
        kind: 'module',
        exportName: 'task',
        url: uses.split('#')[0],
      });
    const key = (seconds?: number) => resolve({ uses: 'maestro:sleep#task', config: { seconds } }).key;
    expect(key(0)).toBe(key(undefined));
    expect(key(1)).not.toBe(key(0));
  });

  it('runs commands in the folder of the workflow', () => {
    expect(resolve({ run: 'make', env: { A: '1' } })).toEqual({
      kind: 'command',
      key: 'run:make',
      command: 'make',
      cwd: '/work flow/dir',
      env: { A: '1' },
    });
  });

  it('prefers the function given with the workflow', () => {
    expect(resolve({ id: 'inline', uses: './x.js' })).toMatchObject({ kind: 'inline', fn });
  });

  it('names the node that has nothing to execute', () => {
    try {
      resolve({ id: 'empty' });
      expect.unreachable();
    } catch (error) {
      expect(isMaestroError(error, 'EXECUTOR_MISSING') && error.message).toContain('"empty"');
    }
  });
});
