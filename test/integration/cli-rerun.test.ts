import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder, maestro, start } from './support/maestro.js';
import { until } from './support/runtimes.js';

const FLOW = `workflow: { id: flow, name: Flow }
nodes:
  - { id: first, name: first, type: custom, run: 'echo first >> ran; echo "{\\"n\\": $(grep -c first ran)}"' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'echo second >> ran; test -e wait && sleep 60; cat' }
  - { id: third, name: third, type: custom, dependencies: [second], run: 'echo third >> ran' }
  - { id: side, name: side, type: custom, run: 'echo side >> ran' }
`;

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder({ 'flow.yaml': FLOW });
});
afterEach(() => folder.remove());

const run = (...args: string[]) => maestro(args, { cwd: folder.path });
const ran = (): string[] => {
  const file = join(folder.path, 'ran');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};
const count = (name: string): number => ran().filter((line) => line === name).length;

it('reruns one node with or without what depends on it, and says what is older', async () => {
  expect((await run('run', 'flow.yaml', '--id', 'one')).code).toBe(0);
  const again = await run('rerun', 'one', 'second');
  expect(again.err + again.out).toContain('completed');
  expect(again.code).toBe(0);
  expect(ran().filter((name) => name !== 'side')).toEqual(['first', 'second', 'third', 'second', 'third']);
  expect((await run('rerun', 'one', 'first', '--no-cascade', '--json')).code).toBe(0);
  expect(ran().at(-1)).toBe('first');
  const { metadata } = JSON.parse((await run('show', 'one', '--node', 'second', '--json')).out) as {
    metadata: object;
  };
  expect(metadata).toEqual({ run: 1, inputs_outdated: true });
  const unknown = await run('rerun', 'one', 'nothing', '--json');
  expect(unknown.code).toBe(1);
  expect(unknown.err).toContain('NODE_NOT_FOUND');
  expect((await run('rerun', 'one')).code).toBe(2);
}, 60_000);

it('asks the process that runs the execution', async () => {
  writeFileSync(join(folder.path, 'wait'), '');
  const running = start(['run', 'flow.yaml', '--id', 'two', '--mode', 'dag_parallel'], { cwd: folder.path });
  await until(() => count('second') === 1 && count('side') === 1, 'second runs');
  const refused = await run('rerun', 'two', 'first');
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('while "second"')]);
  const asked = await run('rerun', 'two', 'side');
  expect([asked.code, asked.out]).toEqual([0, expect.stringContaining('rerun requested')]);
  await until(() => count('side') === 2, 'its process reran it');
  running.child.kill('SIGKILL');
  await running.finished;
}, 60_000);

it('goes on with a rerun whose process was killed', async () => {
  writeFileSync(join(folder.path, 'wait'), '');
  for (const args of [
    ['run', 'flow.yaml', '--id', 'three'],
    ['rerun', 'three', 'first'],
  ]) {
    const before = count('second');
    const started = start(args, { cwd: folder.path });
    await until(() => count('second') > before, 'second runs');
    started.child.kill('SIGKILL');
    await started.finished;
  }
  rmSync(join(folder.path, 'wait'));
  expect((await run('resume', 'three')).code).toBe(0);
  expect(ran().filter((name) => name !== 'side')).toEqual([
    ...['first', 'second'],
    ...['first', 'second'],
    ...['second', 'third'],
  ]);
}, 60_000);
