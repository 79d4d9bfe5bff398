import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import type { RunSummary } from '../../src/cli/report/run-summary.js';
import { MAIN, maestro, makeFolder, start } from './support/maestro.js';

const node = (id: string, rest: string): string => `  - { id: ${id}, name: ${id}, type: custom, ${rest} }\n`;

const FILES = {
  'diamond.yaml':
    'workflow: { id: diamond, name: Diamond, global_context: { base: 1 } }\nnodes:\n' +
    node('a', 'uses: "./steps.mjs#one"') +
    node('b', 'dependencies: [a], uses: "./steps.mjs#sum"') +
    node('c', `dependencies: [a], run: "echo '{\\"value\\": 5}'"`) +
    node('d', 'dependencies: [b, c], uses: "./steps.mjs#sum"'),
  'slow.yaml':
    'workflow: { id: slow, name: Slow }\nnodes:\n' +
    node('first', 'uses: "./steps.mjs#untilGo"') +
    node('second', 'dependencies: [first], uses: "./steps.mjs#one"'),
  'flaky.yaml':
    'workflow: { id: flaky, name: Flaky }\nnodes:\n' +
    node('ok', 'uses: "./steps.mjs#one"') +
    node('shaky', 'dependencies: [ok], uses: "./steps.mjs#needsFile"') +
    node('after', 'dependencies: [shaky], uses: "./steps.mjs#one"'),
  'retrying.yaml':
    'workflow: { id: retrying, name: Retrying }\nnodes:\n' +
    node('a', 'uses: "./steps.mjs#secondTime", retry_policy: { max_attempts: 3, retry_delay_seconds: 0 }'),
  'stubborn.yaml':
    'workflow: { id: stubborn, name: Stubborn }\nnodes:\n' +
    node('deaf', `run: "trap '' INT TERM; echo $$ > deaf.pid; sleep 600"`) +
    node('spinning', 'uses: "./steps.mjs#spin"'),
  'steps.mjs': `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
export const spin = () => { for (;;); };
export const one = ({ globalContext }) => ({ value: 1, base: globalContext.base ?? null });
export const sum = ({ dependencyOutputs }) =>
  ({ value: Object.values(dependencyOutputs).reduce((total, { value }) => total + value, 0) });
export async function untilGo({ globalContext, signal, progress }) {
  progress(0.5, 'waiting for go');
  while (!existsSync(globalContext.go)) await sleep(20, undefined, { signal });
  return { value: 1 };
}
export const needsFile = ({ globalContext }) => {
  if (!existsSync(globalContext.need)) throw new Error('the file is not there yet');
  return { value: 2 };
};
export const secondTime = ({ attempt }) => {
  if (attempt === 1) throw new TypeError('not the first time');
  return attempt;
};
`,
};

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => (folder = makeFolder(FILES)));
afterAll(() => folder.remove());

/** Runs the command on a store of its own, named by the test. */
function on(store: string, env: Record<string, string> = {}) {
  const options = { cwd: folder.path, env: { MAESTRO_STORE: `lmdb:${store}`, ...env } };
  return {
    run: (...args: string[]) => maestro(args, options),
    start: (...args: string[]) => start(args, options),
    json: async <T>(...args: string[]): Promise<T> =>
      JSON.parse((await maestro([...args, '--json'], options)).out) as T,
  };
}

const touch = (name: string): void => writeFileSync(join(folder.path, name), '');
const contextOf = (fields: Record<string, string>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(fields).map(([k, name]) => [k, join(folder.path, name)])));

function readText(name: string): string {
  return existsSync(join(folder.path, name)) ? readFileSync(join(folder.path, name), 'utf8') : '';
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('run', () => {
  it('runs, says the id first, shows nodes, sums up', async () => {
    const { code, out, err } = await on('s-run').run('run', 'diamond.yaml', '--mode', 'dag_parallel');
    expect(code).toBe(0);
    expect(out).toMatch(/^execution [0-9a-f-]{36}\ncompleted diamond: 4\/4 nodes in /);
    expect(out).toContain('critical path');
    expect(err).toMatch(/started a\n[^]*completed d in /);
  });

  it('gives one JSON document, which show confirms', async () => {
    const cli = on('s-json');
    const { code, out, err } = await cli.run(
      'run',
      'diamond.yaml',
      '--json',
      '--id',
      'mine',
      '--context',
      '{"base": 7}',
    );
    expect(code).toBe(0);
    const summary = JSON.parse(out) as RunSummary;
    expect(summary).toMatchObject({
      execution_id: 'mine',
      workflow_id: 'diamond',
      status: 'completed',
      mode: 'linear',
      durability: 'sync',
      completed_nodes: 4,
      total_nodes: 4,
      failed_node: null,
      error: null,
      retries: 0,
      continue_with: null,
    });
    expect(summary.critical_path?.nodes[0]).toBe('a');
    expect(summary.critical_path?.nodes.at(-1)).toBe('d');
    expect(summary.speed_up).toBeGreaterThan(0);
    for (const line of err.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('notice');
    const document = await cli.json<ExecutionDocument>('show', 'mine');
    expect(document.node_outputs).toMatchObject({
      a: { value: 1, base: 7 },
      b: { value: 1 },
      c: { value: 5 },
      d: { value: 6 },
    });
    const again = await cli.run('run', 'diamond.yaml', '--id', 'mine');
    expect(again.code).toBe(1);
    expect(again.err).toContain('EXECUTION_EXISTS');
  });

  it('follows the flags, and says what they keep off', async () => {
    const cli = on('s-flags', { MAESTRO_ENABLE_DAG_EXECUTION: 'yes' });
    const off = await cli.run('run', 'retrying.yaml');
    expect(off.code).toBe(1);
    expect(off.err).toContain('retry policies take no effect');
    expect(off.out).toContain('not the first time');
    const on1 = await cli.json<RunSummary>('run', 'retrying.yaml', '--retries');
    expect(on1).toMatchObject({ status: 'completed', retries: 1, mode: 'dag_linear' });
  });

  it('keeps nothing when persistence is off', async () => {
    const env = { MAESTRO_ENABLE_CONTEXT_PERSISTENCE: 'false' };
    const { code, err } = await maestro(['run', 'diamond.yaml'], { cwd: folder.path, env });
    expect(code).toBe(0);
    expect(err).toContain('nothing is stored');
    expect(existsSync(join(folder.path, '.maestro', 'data.mdb'))).toBe(false);
  });

  it('works without events', async () => {
    const cli = on('s-quiet', { MAESTRO_ENABLE_EXECUTION_EVENTS: 'false' });
    expect(await cli.json('run', 'diamond.yaml')).toMatchObject({ status: 'completed', completed_nodes: 4 });
  });

  it('logs only when asked to', async () => {
    const { err } = await on('s-log').run('run', 'diamond.yaml', '--json', '--quiet', '--log-level', 'debug');
    for (const line of err.split('\n').filter((text) => text !== ''))
      expect(JSON.parse(line)).toHaveProperty('level');
  });
});

describe('list, show and events', () => {
  it('tell what is stored', async () => {
    const cli = on('s-list');
    await cli.run('run', 'diamond.yaml', '--id', 'first-one');
    await cli.run('run', 'retrying.yaml', '--id', 'second-one');
    const table = (await cli.run('list')).out.trimEnd().split('\n');
    expect(table[0]).toMatch(/^ID +STATUS +WORKFLOW +NODES +STARTED +DURATION$/);
    expect(table[1]).toMatch(/^second-one +failed +retrying +0\/1 /);
    expect(table[2]).toMatch(/^first-one +completed +diamond +4\/4 /);
    const filtered = await cli.json<{ executions: unknown[] }>('list', '--status', 'failed', '--since', '1h');
    expect(filtered.executions).toMatchObject([
      { execution_id: 'second-one', status: 'failed', interrupted: false },
    ]);
    const page = await cli.json<{ executions: unknown[]; next: string }>('list', '--limit', '1');
    const rest = await cli.json<{ executions: unknown[] }>('list', '--limit', '1', '--after', page.next);
    expect(rest.executions).toMatchObject([{ execution_id: 'first-one' }]);

    const shown = await cli.run('show', 'first');
    expect(shown.out).toMatch(/^execution +first-one\n/);
    expect(shown.out).toMatch(/^c +completed +1 +/m);
    const one = await cli.run('show', 'last', '--node', 'a');
    expect(one.out).toContain('TypeError: not the first time');
    expect(one.out).not.toContain('    at ');
    expect((await cli.run('show', 'last', '--node', 'a', '--verbose')).out).toContain('    at ');
    expect((await cli.run('show', 'last', '--node', 'zzz')).code).toBe(1);
    expect((await cli.run('show', 'nothing-like-it')).err).toContain('EXECUTION_NOT_FOUND');

    const { out } = await cli.run('events', 'first-one', '--json');
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ExecutionEvent);
    expect(events[0].event_type).toBe('workflow_started');
    expect(events.at(-1)?.event_type).toBe('workflow_completed');
    expect(events.filter((event) => event.event_type === 'node_completed')).toHaveLength(4);
    const some = await cli.run('events', 'first-one', '--type', 'node_completed', '--node', 'd');
    expect(some.out).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}completed d in .*\n$/);
  });
});

describe('steering from another process', () => {
  it('pauses, resumes and cancels what runs elsewhere', async () => {
    const cli = on('s-steer');
    const context = contextOf({ go: 'go-steer' });
    const running = cli.start('run', 'slow.yaml', '--id', 'steered', '--context', context);
    await running.until(/started first/);
    const follower = cli.start('events', 'steered', '--follow');
    await follower.until(/started first/);
    expect(await cli.json('show', 'steered')).toMatchObject({ status: 'running', interrupted: false });
    expect(await cli.run('pause', 'steered')).toMatchObject({
      code: 0,
      out: 'execution steered is now paused\n',
    });
    touch('go-steer');
    const ended = await running.finished;
    expect(ended.code).toBe(130);
    expect(ended.out).toContain('continue with: maestro resume steered');
    expect(await cli.json('show', 'steered')).toMatchObject({ status: 'paused', completed_nodes: 1 });
    expect((await cli.run('pause', 'steered')).out).toBe('execution steered was already paused\n');

    const resumed = await cli.run('resume', 'steered');
    expect(resumed.code).toBe(0);
    expect(resumed.err).not.toContain('started first');
    expect(resumed.err).toContain('started second');
    expect(resumed.out).toContain('2/2 nodes');
    expect(await follower.finished).toMatchObject({
      code: 0,
      out: expect.stringMatching(/workflow completed.*\n$/) as string,
    });
    for (const command of ['pause', 'cancel', 'resume', 'retry']) {
      const refused = await cli.run(command, 'steered');
      expect(refused.code).toBe(1);
      expect(refused.err).toContain('EXECUTION_STATE');
    }
  });

  it('cancels what runs elsewhere, and retry runs the rest', async () => {
    const cli = on('s-cancel');
    const context = contextOf({ go: 'go-cancel' });
    const running = cli.start('run', 'slow.yaml', '--id', 'doomed', '--context', context, '--grace', '1');
    await running.until(/started first/);
    const cancelled = await cli.json('cancel', 'doomed', '--reason', 'enough');
    expect(cancelled).toEqual({
      execution_id: 'doomed',
      status: 'cancelled',
      requested: 'cancel',
      done: true,
    });
    const ended = await running.finished;
    expect(ended.code).toBe(1);
    expect(ended.out).toContain('cancelled slow');
    touch('go-cancel');
    expect(await cli.json('retry', 'doomed')).toMatchObject({ status: 'completed', completed_nodes: 2 });
  });
});

describe('failures', () => {
  it('are explained, and retry goes on from there', async () => {
    const cli = on('s-fail');
    const failed = await cli.run(
      'run',
      'flaky.yaml',
      '--id',
      'shaky-1',
      '--context',
      contextOf({ need: 'needed' }),
    );
    expect(failed.code).toBe(1);
    expect(failed.out).toContain('node shaky failed\n    the file is not there yet');
    expect(failed.out).toContain('blocked  after');
    expect(failed.out.trimEnd().endsWith('maestro retry shaky-1')).toBe(true);
    expect(failed.out + failed.err).not.toMatch(/\n\s+at /);
    touch('needed');
    const retried = await cli.run('retry', 'shaky-1');
    expect(retried.code).toBe(0);
    expect(retried.err).not.toContain('started ok');
    expect(retried.out).toContain('3/3 nodes');
  });
});

describe('interruption', () => {
  it('Ctrl-C pauses after the running nodes, and says how to go on', async () => {
    const cli = on('s-sigint');
    const running = cli.start('run', 'slow.yaml', '--id', 'int-1', '--context', contextOf({ go: 'go-int' }));
    await running.until(/started first/);
    running.child.kill('SIGINT');
    await running.until(/pausing, waiting for 1 running node/);
    touch('go-int');
    const { code, out } = await running.finished;
    expect(code).toBe(130);
    expect(out).toMatch(/paused slow: 1\/2 nodes[^]*continue with: maestro resume int-1\n$/);
    expect((await cli.run('resume', 'last')).code).toBe(0);
  });

  it('a second Ctrl-C kills, and what was acknowledged is kept', async () => {
    const cli = on('s-sigint2');
    const context = contextOf({ go: 'go-int2' });
    const running = cli.start('run', 'slow.yaml', '--id', 'int-2', '--context', context);
    await running.until(/started first/);
    running.child.kill('SIGTERM');
    await running.until(/pausing/);
    running.child.kill('SIGTERM');
    const { code, err } = await running.finished;
    expect(code).toBe(130);
    expect(err).toContain('killed; resume with: maestro resume int-2');
    touch('go-int2');
    expect(await cli.json('resume', 'int-2')).toMatchObject({ status: 'completed', completed_nodes: 2 });
  });

  it('a second Ctrl-C leaves no process behind, however stubborn', async () => {
    const running = on('s-deaf').start('run', 'stubborn.yaml', '--mode', 'dag_parallel');
    await running.until(/started deaf/);
    const pid = await vi.waitUntil(() => Number(readText('deaf.pid')), { timeout: 30_000 });
    running.child.kill('SIGINT');
    await running.until(/waiting for 2 running nodes/);
    running.child.kill('SIGINT');
    expect((await running.finished).code).toBe(130);
    await vi.waitUntil(() => !isAlive(pid), { timeout: 30_000 });
  });

  it('a killed run is told of, and resume --all brings it to its end', async () => {
    const cli = on('s-kill');
    const running = cli.start(
      'run',
      'slow.yaml',
      '--id',
      'killed-1',
      '--context',
      contextOf({ go: 'go-kill' }),
    );
    await running.until(/started first/);
    running.child.kill('SIGKILL');
    await running.finished;
    const other = await cli.run('run', 'diamond.yaml');
    expect(other.code).toBe(0);
    expect(other.err).toContain('execution killed-1 was interrupted');
    expect(other.err).toContain('maestro resume killed-1');
    expect((await cli.run('list')).out).toMatch(/^killed-1 +interrupted +slow/m);
    expect(await cli.json('list', '--status', 'interrupted')).toMatchObject({
      executions: [{ execution_id: 'killed-1', interrupted: true }],
    });
    touch('go-kill');
    const resumed = await cli.run('resume', '--all');
    expect(resumed).toMatchObject({ code: 0, out: 'completed killed-1 slow: 2/2 nodes\n' });
    expect((await cli.run('resume', '--all')).out).toBe('nothing was interrupted\n');
  });
});

describe('a terminal', () => {
  // util-linux' script gives a command a terminal.
  it.skipIf(!existsSync('/usr/bin/script'))(
    'sees progress drawn in place, and then only the summary',
    async () => {
      const context = contextOf({ go: 'go-tty' });
      const line = `stty cols 100 rows 30; "${process.execPath}" "${MAIN}" run slow.yaml --id tty-1 --store lmdb:s-tty --context '${context}'`;
      const running = start(['-qec', line, '/dev/null'], { cwd: folder.path, command: ['/usr/bin/script'] });
      await running.until(/Slow.*░.*0\/2/);
      await running.until(/▸.* first .*waiting for go/);
      touch('go-tty');
      const { code, out } = await running.finished;
      expect(code).toBe(0);
      expect(out).toContain('\u001b[?25l');
      expect(out).toContain('\u001b[?25h');
      expect(out).toContain('completed');
      expect(out).toMatch(/2\/2 nodes/);
    },
  );
});
