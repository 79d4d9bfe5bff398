import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maestro, makeFolder, start } from './support/maestro.js';
import { until } from './support/runtimes.js';

const SLOW = `workflow: { id: slow, name: Slow }
nodes:
  - { id: first, name: first, type: custom, run: 'echo first >> ran' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'echo second >> ran; test -e go || sleep 60' }
  - { id: third, name: third, type: custom, dependencies: [second], run: 'echo third >> ran' }
`;
const FAILS = `workflow: { id: fails, name: Fails }
nodes:
  - { id: good, name: good, type: custom, run: 'true' }
  - { id: bad, name: bad, type: custom, dependencies: [good], run: 'test -e go' }
  - { id: after, name: after, type: custom, dependencies: [bad], run: 'true' }
`;
const PARALLEL = `workflow: { id: p, name: P }
nodes:
${(
  [
    ['requirement_analysis', ''],
    ['design', 'phase_requirement_analysis'],
    ['backend_development', 'phase_design'],
    ['frontend_development', 'phase_design'],
    ['testing', 'phase_backend_development, phase_frontend_development'],
    ['review', 'phase_testing'],
  ] as const
)
  .map(
    ([phase, after]) =>
      `  - { id: phase_${phase}, name: x, type: phase, dependencies: [${after}], run: 'test -e go' }`,
  )
  .join('\n')}
`;

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder({ 'slow.yaml': SLOW, 'fails.yaml': FAILS, 'parallel.yaml': PARALLEL });
});
afterEach(() => folder.remove());

const run = (...args: string[]) => maestro(args, { cwd: folder.path });
const json = async <T>(...args: string[]) => JSON.parse((await run(...args, '--json')).out) as T;
const ran = () => readFileSync(join(folder.path, 'ran'), 'utf8').trim().split('\n');
const open = (name: string) => maestro([], { cwd: folder.path, command: ['touch', name] });

async function interrupt(id: string): Promise<void> {
  const started = start(['run', 'slow.yaml', '--id', id], { cwd: folder.path });
  const before = existsSync(join(folder.path, 'ran')) ? ran().length : 0;
  await started.until(/started second/);
  // Announced before it has done anything: the command itself must have run.
  await until(() => existsSync(join(folder.path, 'ran')) && ran().length >= before + 2, 'second has run');
  started.child.kill('SIGKILL');
  await started.finished;
}

interface Plan {
  status: string;
  action: string;
  counts: Record<string, number>;
  plan: string[][];
}

describe('recover', () => {
  it('finds what was interrupted, plans without writing, and continues it', async () => {
    await interrupt('left');
    const listed = await json<{ executions: (Plan & { execution_id: string })[]; stored: number }>(
      'recover',
      '--list',
    );
    expect(listed).toMatchObject({
      stored: 1,
      executions: [{ execution_id: 'left', status: 'interrupted' }],
    });
    const before = await json<object>('show', 'left');
    const plan = await json<Plan>('recover', 'left', '--dry-run');
    expect(plan).toMatchObject({
      status: 'interrupted',
      action: 'resume',
      counts: { completed: 1, pending: 1, failed: 0, interrupted: 1, skipped: 0 },
      plan: [['second'], ['third']],
    });
    expect(await json<object>('show', 'left')).toEqual(before);
    expect(ran()).toEqual(['first', 'second']);

    await open('go');
    const { code, out } = await run('recover', 'left');
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('execution left') as string,
    });
    // The plan was what ran.
    expect(ran()).toEqual(['first', 'second', 'second', 'third']);
    expect(await run('recover', '--list')).toMatchObject({ code: 0, out: 'nothing to recover\n' });
    expect(await run('recover', 'left')).toMatchObject({ code: 1, out: '' });
  });

  it('continues all at once', async () => {
    await interrupt('one');
    await interrupt('two');
    const plans = await json<{ executions: Plan[] }>('recover', '--all', '--dry-run');
    expect(plans.executions).toHaveLength(2);
    await open('go');
    const { code, out } = await run('recover', '--all');
    expect(code).toBe(0);
    expect(out).toContain('one slow: 3/3 nodes');
    expect(out).toContain('two slow: 3/3 nodes');
    expect(await run('recover', '--all')).toMatchObject({ code: 0, out: 'nothing was interrupted\n' });
  });

  it('retries what failed, as planned', async () => {
    expect((await run('run', 'fails.yaml', '--id', 'f')).code).toBe(1);
    expect(await json<Plan>('recover', 'f', '--dry-run')).toMatchObject({
      status: 'failed',
      action: 'retry',
      counts: { completed: 1, failed: 1, pending: 1 },
      plan: [['bad'], ['after']],
    });
    await open('go');
    expect((await run('recover', 'f')).code).toBe(0);
  });

  it('leaves a running execution to its process', async () => {
    const started = start(['run', 'slow.yaml', '--id', 'busy'], { cwd: folder.path });
    await started.until(/started second/);
    expect((await run('recover', '--list')).out).toBe('nothing to recover\n');
    expect(await run('recover', 'busy')).toMatchObject({
      code: 1,
      err: expect.stringContaining('busy') as string,
    });
    expect((await run('gc', '--keep', '0')).out).toBe('0 executions deleted\n');
    expect((await run('recover', '--mark-stale', '0s')).out).toBe('0 executions were marked failed\n');
    expect((await run('delete', 'busy', '--force')).err).toContain('EXECUTION_OWNED');
    started.child.kill('SIGKILL');
    await started.finished;
  });

  it('marks stale ones failed, after saying which', async () => {
    await interrupt('old');
    expect((await run('recover', '--mark-stale', '1h')).out).toContain('0 executions were marked failed');
    const dry = await json<object>('recover', '--mark-stale', '0s', '--dry-run');
    expect(dry).toEqual({ marked: ['old'], dry_run: true });
    expect(await json<object>('show', 'old')).toMatchObject({ status: 'running', interrupted: true });
    expect(await json<object>('recover', '--mark-stale', '0s')).toEqual({ marked: ['old'], dry_run: false });
    expect(await json<object>('show', 'old')).toMatchObject({
      status: 'failed',
      error: { code: 'EXECUTION_STALE' },
    });
    await open('go');
    expect((await run('retry', 'old')).code).toBe(0);
  });

  it('demands the structure of a workflow type', async () => {
    expect((await run('run', 'parallel.yaml', '--id', 'p')).code).toBe(1);
    const wrong = await run('recover', 'p', '--workflow-type', 'linear', '--dry-run');
    expect(wrong.code).toBe(1);
    expect(wrong.err).toMatch(/STRUCTURE_MISMATCH/);
    expect(wrong.err).toContain(
      'phase_frontend_development (stored: phase_design; given: phase_backend_development)',
    );
    expect((await run('recover', 'p', '--workflow-type', 'parallel', '--dry-run')).code).toBe(0);
    await open('go');
    expect((await run('recover', 'p', '--workflow-type', 'parallel')).code).toBe(0);
  });

  it.each([
    [['recover'], 2, /give one of/],
    [['recover', 'x', '--all'], 2, /give one of/],
    [['recover', 'nope'], 1, /EXECUTION_NOT_FOUND/],
    [['recover', '--mark-stale', 'soon'], 2, /time span/],
    [['recover', 'x', '--workflow-type', 'round'], 2, /invalid/],
    [['gc'], 2, /--older-than AGE, --keep N/],
    [['gc', '--keep', '-1'], 2, /whole number/],
    [['gc', '--keep', '1', '--status', 'running'], 2, /invalid/],
    [['delete', 'nope'], 1, /EXECUTION_NOT_FOUND/],
  ])('%j ends with %i and a message', async (args, exit, message) => {
    const { code, out, err } = await run(...args);
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
  });
});

describe('gc and delete', () => {
  it('delete what has ended, by age, number and status', async () => {
    await open('go');
    for (const id of ['a', 'b', 'c']) await run('run', 'slow.yaml', '--id', id);
    expect(await json<object>('gc', '--older-than', '1h')).toEqual({ deleted: [], dry_run: false });
    expect(await json<object>('gc', '--keep', '1', '--status', 'failed')).toEqual({
      deleted: [],
      dry_run: false,
    });
    expect(await json<object>('gc', '--keep', '1', '--dry-run')).toEqual({
      deleted: ['b', 'a'],
      dry_run: true,
    });
    expect((await run('gc', '--older-than', '0s', '--keep', '2')).out).toBe('1 execution deleted\n');
    expect((await json<{ executions: object[] }>('list')).executions).toHaveLength(2);
    expect(await json<object>('delete', 'b')).toEqual({ execution_id: 'b', deleted: true });
    expect((await run('show', 'b')).code).toBe(1);
    // The id is free again, and nothing of the old one comes back.
    expect((await run('run', 'slow.yaml', '--id', 'b')).code).toBe(0);
  });
});

describe('flags', () => {
  const flags = (env: Record<string, string>, ...args: string[]) =>
    maestro(['flags', ...args], { cwd: folder.path, env });

  it.each([
    [{}, 'linear'],
    [{ MAESTRO_ENABLE_DAG_EXECUTION: 'YES' }, 'dag_linear'],
    [{ MAESTRO_ENABLE_DAG_EXECUTION: '1', MAESTRO_ENABLE_PARALLEL_EXECUTION: 'on' }, 'dag_parallel'],
  ])('%j results in %s', async (env, mode) => {
    const { code, out } = await flags(env, '--json');
    expect(code).toBe(0);
    const document = JSON.parse(out) as { parts: { usable: boolean }[]; modules: { usable: boolean }[] };
    expect(document).toMatchObject({ valid: true, execution_mode: mode, conflicts: [] });
    expect([...document.parts, ...document.modules].every(({ usable }) => usable)).toBe(true);
    // It only looks.
    expect(existsSync(join(folder.path, '.maestro'))).toBe(false);
  });

  it('ends with 1 when they contradict themselves', async () => {
    const { code, out } = await flags({ MAESTRO_ENABLE_PARALLEL_EXECUTION: 'true' });
    expect(code).toBe(1);
    expect(out).toMatch(/conflicts\n {2}MAESTRO_ENABLE_PARALLEL_EXECUTION is on but/);
  });

  it('ends with 2 when a part is not usable, and warns of what has no effect', async () => {
    const { code, out } = await flags(
      {
        MAESTRO_STORE: 'lmdb:slow.yaml/store',
        MAESTRO_ENABLE_RETRY: '1',
        MAESTRO_ENABLE_EXECUTION_EVENTS: 'maybe',
      },
      '--json',
    );
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      warnings: [
        expect.stringContaining('MAESTRO_ENABLE_EXECUTION_EVENTS is "maybe"'),
        expect.stringContaining('MAESTRO_ENABLE_RETRY is not a flag'),
      ],
      parts: [{ name: 'store', usable: false }, { usable: true }, { usable: true }],
    });
  });
});
