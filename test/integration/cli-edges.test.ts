import { expect, it } from 'vitest';
import { maestro } from './support/maestro.js';
import { helloFolder, type Json } from './support/hello-folder.js';

const { options, json } = helloFolder();

type States = Record<string, { status: string; metadata: Json; output: Json }>;

async function ran(...args: string[]): Promise<States> {
  const run = await maestro(['run', 'branches.yaml', '--quiet', ...args], options);
  expect(run.code, run.err).toBe(0);
  return (await json('show', 'last')).node_states as States;
}

it('goes the way that the conditions on edges say, and shows which', async () => {
  const well = await ran();
  expect(well).toMatchObject({ fix: { status: 'skipped' }, ship: { status: 'completed' } });
  expect(well.tell.output.dependency_outputs).toEqual({ ship: { shipped: true } });
  expect(well.fix.metadata.skipped_because).toBe(
    'the edge from "check" was not taken: outputs.check.errors > 0',
  );
  const badly = await ran('--context', '{"errors":2}', '--mode', 'linear');
  expect(badly).toMatchObject({ fix: { status: 'completed' }, ship: { status: 'skipped' } });
  const { out } = await maestro(['events', 'last'], options);
  expect(out).toContain('edge check to ship is not taken');
  expect((await maestro(['show', 'last', '--node', 'ship'], options)).out).toContain('"taken": false');
});

it('draws the conditions', async () => {
  const graph = async (format: string): Promise<string> =>
    (await maestro(['graph', 'branches.yaml', '--format', format], options)).out;
  expect(await graph('groups')).toContain('check leads to fix if outputs.check.errors > 0');
  expect(await graph('dot')).toContain('n0 -> n1 [label="outputs.check.errors > 0"];');
  expect(await graph('mermaid')).toContain('n0 -->|"outputs.check.errors #62; 0"| n1');
  expect((await json('graph', 'branches.yaml')).edges).toContainEqual({
    from: 'check',
    to: 'ship',
    condition: 'outputs.check.errors == 0',
  });
});
