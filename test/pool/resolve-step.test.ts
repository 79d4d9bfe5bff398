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
