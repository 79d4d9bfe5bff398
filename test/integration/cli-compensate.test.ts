import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { folder, options, json } = helloFolder();

it('runs the example: bookings are cancelled when the payment fails', async () => {
  const failed = await maestro(['run', 'trip.yaml', '--mode', 'dag_parallel'], options);
  expect(failed.code).toBe(1);
  const shown = await json('show', 'last');
  expect(shown).toMatchObject({
    status: 'failed',
    failed_node: 'pay',
    compensation: { after: 'failed', completed: ['flight', 'hotel'], failed: [], open: [] },
  });
  const states = shown.node_states as Record<string, { start_time: string; output: Json }>;
  const { output, start_time } = states['compensate:flight'];
  expect(output.dependency_outputs).toEqual({ flight: { seat: '12A' } });
  expect(start_time >= states['compensate:hotel'].start_time).toBe(true);
  expect((await maestro(['show', 'last'], options)).out).toContain('compensated: flight, hotel');
  expect((await maestro(['events', 'last'], options)).out).toContain(
    'compensating: what completed is undone',
  );
  const graph = (await maestro(['graph', 'trip.yaml', '--format', 'dot'], options)).out;
  expect(graph).toContain('"compensate:hotel (undoes hotel)"');
  const well = await maestro(['run', 'trip.yaml', '--context', '{"paid":true}'], options);
  expect(well.code, well.err).toBe(0);
});

it('goes on with compensation after the process was killed in the middle of it, and cancels on request', async () => {
  const text = `workflow: { id: undo, name: Undo }
nodes:
  - { id: a, name: a, type: custom, run: 'true', compensate: { run: 'echo a >> undone' } }
  - { id: b, name: b, type: custom, dependencies: [a], run: 'true',
      compensate: { run: 'echo b >> undone; test -e go || sleep 60' } }
  - { id: last, name: last, type: custom, dependencies: [b], run: 'sleep 60' }
`;
  writeFileSync(join(folder.path, 'undo.yaml'), text);
  const running = start(['run', 'undo.yaml', '--id', 'undo', '--mode', 'dag_parallel'], options);
  await running.until(/started last/);
  const asked = await maestro(['cancel', 'undo', '--compensate', '--json'], options);
  expect(JSON.parse(asked.out)).toMatchObject({ status: 'running', done: false });
  await running.until(/started compensate:b/);
  await new Promise((later) => setTimeout(later, 500));
  running.child.kill('SIGKILL');
  await running.finished;
  writeFileSync(join(folder.path, 'go'), '');
  const resumed = await maestro(['resume', 'undo'], options);
  expect(resumed.code).not.toBe(0);
  expect(await json('show', 'undo')).toMatchObject({
    status: 'cancelled',
    compensation: { after: 'cancelled', completed: ['a', 'b'] },
  });
  // At least once, in reverse order.
  expect(readFileSync(join(folder.path, 'undone'), 'utf8')).toBe('b\nb\na\n');
}, 60_000);
