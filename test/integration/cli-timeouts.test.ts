import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { folder, options, json } = helloFolder();

it('runs the example: a node is given up after all its time', async () => {
  const failed = await maestro(['run', 'deadlines.yaml', '--retries'], options);
  expect(failed.code).toBe(1);
  expect(failed.out + failed.err).toContain('took longer than 2 s over all its attempts');
  const { error, node_states } = await json('show', 'last');
  expect(error).toMatchObject({ code: 'NODE_TIMEOUT' });
  expect(Number((node_states as Record<string, Json>).ask.attempt_count)).toBeGreaterThan(1);
  const well = await maestro(['run', 'deadlines.yaml', '--context', '{"answers":true}'], options);
  expect(well.code, well.err).toBe(0);
});

it('keeps to deadlines that pass while the process is dead, and starts nothing more', async () => {
  const text = `workflow: { id: dead, name: Dead, timeout_seconds: 3 }
nodes:
  - { id: long, name: long, type: custom, run: 'echo began >> began; sleep 60', total_timeout_seconds: 2 }
  - { id: other, name: other, type: custom, sleep: { seconds: 50 } }
`;
  writeFileSync(join(folder.path, 'dead.yaml'), text);
  const running = start(['run', 'dead.yaml', '--id', 'dead', '--mode', 'dag_parallel'], options);
  await running.until(/started long/);
  await new Promise((later) => setTimeout(later, 300));
  running.child.kill('SIGKILL');
  await running.finished;
  await new Promise((later) => setTimeout(later, 3_000));
  const resumed = await maestro(['resume', 'dead'], options);
  expect(resumed.code).toBe(1);
  const { status, error, node_states } = await json('show', 'dead');
  expect({ status, error }).toMatchObject({ status: 'failed', error: { code: 'WORKFLOW_TIMEOUT' } });
  expect((node_states as Record<string, Json>).other.status).toBe('cancelled');
  expect(readFileSync(join(folder.path, 'began'), 'utf8')).toBe('began\n');
  const events = (await maestro(['events', 'dead', '--json'], options)).out;
  expect(events.split('"workflow_failed"')).toHaveLength(2);
});
