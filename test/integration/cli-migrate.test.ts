import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder, maestro, start } from './support/maestro.js';
import { until } from './support/runtimes.js';

const flow = (second: string, more = ''): string => `workflow: { id: flow, name: Flow }
nodes:
  - { id: first, name: first, type: custom, run: 'echo first >> ran' }
  - { id: second, name: second, type: custom, dependencies: [first], run: '${second}' }
${more}`;

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder({ 'flow.yaml': flow('exit 3') });
});
afterEach(() => folder.remove());

const run = (...args: string[]) => maestro(args, { cwd: folder.path });
const write = (text: string): void => writeFileSync(join(folder.path, 'flow.yaml'), text);

it('goes on with a file only if it is the definition that the execution has, and else says how they differ', async () => {
  expect((await run('run', 'flow.yaml', '--id', 'one')).code).toBe(1);
  // Another file with the same in it is the same.
  write(`# as it was\n${flow('exit 3')}`);
  const same = await run('retry', 'one', '--spec', 'flow.yaml');
  expect([same.code, same.err]).toEqual([1, expect.stringContaining('failed second')]);

  write(flow('exit 4', "  - { id: third, name: third, type: custom, run: 'true' }\n"));
  for (const command of ['retry', 'resume']) {
    const { code, out, err } = await run(command, 'one', '--spec', 'flow.yaml');
    expect(code).toBe(1);
    expect(out).toBe(
      [
        '3 nodes: 1 added, 1 changed, 1 unchanged',
        '  + third',
        '  ~ second',
        '      run: "exit 3" → "exit 4"',
        '',
      ].join('\n'),
    );
    expect(err).toContain('[DEFINITION_CHANGED]');
  }
  const { code, out } = await run('retry', 'one', '--spec', 'flow.yaml', '--json');
  expect([code, JSON.parse(out)]).toEqual([
    1,
    {
      execution_id: 'one',
      difference: expect.objectContaining({ added: ['third'], removed: [], unchanged: 1 }) as unknown,
    },
  ]);
  // Nothing has happened.
  const events = (await run('events', 'one', '--json')).out
    .split('\n')
    .filter((line) => line.includes('workflow_resumed'));
  expect(events).toHaveLength(1);
}, 60_000);

/** What has run, in order. */
const ran = (): string[] => {
  const file = join(folder.path, 'ran');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

it('mends a failed step: the migration is told first, then made, and a retry goes on from there', async () => {
  expect((await run('run', 'flow.yaml', '--id', 'one')).code).toBe(1);
  write(
    flow(
      'echo second >> ran',
      '  - { id: third, name: third, type: custom, dependencies: [second], run: echo third >> ran }\n',
    ),
  );
  const dry = await run('migrate', 'one', '--to', 'flow.yaml', '--dry-run');
  expect([dry.code, dry.out]).toEqual([
    0,
    [
      '3 nodes: 1 added, 1 changed, 1 unchanged',
      '  + third',
      '  ~ second',
      '      run: "exit 3" → "echo second >> ran"',
      'execution one can be migrated',
      '',
    ].join('\n'),
  ]);
  expect((await run('show', 'one')).out).not.toContain('migrated');
  const { code, out } = await run('migrate', 'one', '--to', 'flow.yaml');
  expect([code, out]).toEqual([0, expect.stringContaining('go on with `maestro retry one`')]);
  expect((await run('show', 'one')).out).toMatch(/^migrated +/m);
  expect((await run('retry', 'one', '--spec', 'flow.yaml')).code).toBe(0);
  expect(ran()).toEqual(['first', 'second', 'third']);
  const told = await run('events', 'one', '--type', 'workflow_migrated', '--json');
  expect(JSON.parse(told.out)).toMatchObject({
    data: { added: ['third'], removed: [], changed: ['second'] },
  });
  expect((await run('snapshot', 'verify')).code).toBe(0);
  const replayed = await run('replay', 'one', '--at', '2', '--json');
  expect(Object.keys((JSON.parse(replayed.out) as { node_states: object }).node_states)).toEqual([
    'first',
    'second',
  ]);
}, 60_000);

it('refuses to change what has begun, and says all of it', async () => {
  expect((await run('run', 'flow.yaml', '--id', 'one')).code).toBe(1);
  write(flow('exit 3').replace('echo first', 'echo 1st').replace('id: flow', 'id: other'));
  const dry = await run('migrate', 'one', '--to', 'flow.yaml', '--dry-run', '--json');
  expect(dry.code).toBe(1);
  expect(JSON.parse(dry.out)).toMatchObject({
    ...{
      allowed: false,
      migrated: false,
      dry_run: true,
      refusals: [expect.stringContaining('workflow "flow"')],
    },
    nodes: [{ node_id: 'first', change: 'changed', status: 'completed', allowed: false }],
  });
  const { code, err } = await run('migrate', 'one', '--to', 'flow.yaml');
  expect(code).toBe(1);
  expect(err).toContain('[MIGRATION_REFUSED]');
  expect(err).toContain('node "first" is changed: it is completed, made by what it was: run');
  expect((await run('migrate', 'one')).code).toBe(2);
}, 60_000);

it('goes on under another definition where its process was killed', async () => {
  const slow = 'echo second >> ran; test -e wait && sleep 60 || true';
  const after = '  - { id: after, name: after, type: custom, dependencies: [second], run: exit 5 }\n';
  write(flow(slow, after));
  writeFileSync(join(folder.path, 'wait'), '');
  const running = start(['run', 'flow.yaml', '--id', 'two'], { cwd: folder.path });
  await until(() => ran().includes('second'), 'second runs');
  const asked = await run('migrate', 'two', '--to', 'flow.yaml', '--dry-run');
  expect([asked.code, asked.out]).toEqual([1, expect.stringContaining('runs it; pause it first')]);
  running.child.kill('SIGKILL');
  await running.finished;
  rmSync(join(folder.path, 'wait'));

  // What ran must stay as it is.
  write(flow(`${slow}; true`, after));
  expect((await run('migrate', 'two', '--to', 'flow.yaml')).err).toContain(
    'node "second" is changed: it is running',
  );
  // What comes after it may be anything. Its number changes.
  write(
    flow(slow, after.replace('exit 5', 'echo after >> ran')).replace(
      'nodes:\n',
      "nodes:\n  - { id: new, name: new, type: custom, run: 'echo new >> ran' }\n",
    ),
  );
  expect((await run('migrate', 'two', '--to', 'flow.yaml')).code).toBe(0);
  expect((await run('list', '--status', 'interrupted')).out).toContain('two');
  expect((await run('resume', 'two')).code).toBe(0);
  expect(ran().filter((name) => name !== 'new')).toEqual(['first', 'second', 'second', 'after']);
  expect(ran()).toContain('new');
  expect((await run('snapshot', 'verify')).code).toBe(0);
  // An export takes along what the history is in terms of.
  expect((await run('snapshot', 'export', 'two', '-o', 'two.ndjson')).code).toBe(0);
  const elsewhere = ['--store', 'lmdb:elsewhere'];
  const imported = await run(...elsewhere, 'snapshot', 'import', 'two.ndjson');
  expect([imported.code, imported.err]).toEqual([0, '']);
  expect((await run(...elsewhere, 'snapshot', 'verify')).code).toBe(0);
  const [here, there] = [
    await run('events', 'two', '--json'),
    await run(...elsewhere, 'events', 'two', '--json'),
  ];
  expect(there.out).toBe(here.out);
}, 60_000);
