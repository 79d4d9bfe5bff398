import { expect, it } from 'vitest';
import { workflowFromSpec } from '../../src/spec/index.js';
import { quietWorld, succeeds } from './quiet-world.js';
import { outputOf, type Scenario } from './scenario.js';
import { Witness } from './witness.js';

it('under `exit`, one commit may hold several records of an execution: each agrees with the journal before it', async () => {
  const workflow = workflowFromSpec({
    workflow: { id: 'w', name: 'w', timeout_seconds: 1, compensate: 'always' },
    nodes: [
      { id: 'done', name: 'done', type: 'custom', run: 'x', compensate: { run: 'undo' } },
      { id: 'late', name: 'late', type: 'custom', run: 'x', dependencies: ['done'] },
    ],
  });
  const planned = { id: 'e', atMs: 0, workflow, failureMode: 'continue', fates: new Map() } as const;
  const executions = [{ ...planned, children: new Map() }];
  const durability = 'exit';
  const scenario: Scenario = {
    ...{ seed: 1, executions, mode: 'dag_parallel', durability, slots: 10, maxActive: 10 },
    ...{ lossRate: 0, latencyMs: 1, retention: undefined, faults: [] },
  };
  const witness = new Witness(scenario);
  const records: number[] = [];
  const { boot, during, pass } = quietWorld(
    workflow,
    (id, attempt) => {
      const durationMs = id === 'late' ? Infinity : 10;
      const output = outputOf(id, 0, attempt);
      return { ...succeeds(durationMs), outcome: { ok: true, output, artifacts: [], durationMs } };
    },
    { durability },
    (ops) => {
      records.push(ops.filter(({ key }) => key === 'x/e/r').length);
      witness.committed({ name: 'p', alive: true, die: () => {} }, ops);
    },
  );
  const { runtime } = await boot();
  const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
  await pass(100);
  await during(runtime!.pause('e'));
  // Its time is over, so that it goes on to compensate, and then has failed: nobody waits for a commit in between.
  expect(await during(result)).toMatchObject({ status: 'failed' });
  expect(records.at(-1)).toBe(2);
  expect(witness.violation).toBeNull();
  expect(witness.shadows.get('e')!.record!.status).toBe('failed');
});

it('a fork keeps what began by an edge that is not known any more, because what that comes from was made again', async () => {
  const workflow = workflowFromSpec({
    workflow: { id: 'w', name: 'w' },
    nodes: ['first', 'second', 'apart'].map((id) => ({ id, name: id, type: 'custom', run: 'x' })),
    edges: [{ from: 'first', to: 'second', condition: 'true' }],
  });
  const planned = { id: 'e', atMs: 0, workflow, failureMode: 'continue', fates: new Map() } as const;
  const scenario: Scenario = {
    ...{ seed: 1, executions: [{ ...planned, children: new Map() }], mode: 'dag_parallel' },
    ...{ durability: 'sync', slots: 10, maxActive: 10, lossRate: 0, latencyMs: 1, retention: undefined },
    faults: [],
  };
  const witness = new Witness(scenario);
  const { boot, during, pass } = quietWorld(
    workflow,
    (id, attempt, { run }) => {
      const output = outputOf(id, run, attempt);
      return { ...succeeds(10), outcome: { ok: true, output, artifacts: [], durationMs: 10 } };
    },
    {},
    (ops) => witness.committed({ name: 'p', alive: true, die: () => {} }, ops),
  );
  const { runtime } = await boot();
  const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
  await during(result);
  const source = witness.shadows.get('e')!;
  source.againAsked = true;
  const again = await during(runtime!.rerun('e', 'first', { cascade: false }));
  await during(again!.result);

  witness.expectFork({ ...source.planned, id: 'f' }, source, [2]);
  const fork = await during(runtime!.fork('e', { from: ['apart'], executionId: 'f' }));
  expect((await during(fork.result)).status).toBe('completed');
  await pass(100);
  expect(witness.violation).toBeNull();
  expect(witness.shadows.get('f')!.record!.status).toBe('completed');
});
