import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder, maestro } from './support/maestro.js';

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
