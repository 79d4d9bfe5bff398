import { describe, expect, it } from 'vitest';
import { workflowFromSpec, type EdgeSpec, type NodeSpec, type Workflow } from '../../src/spec/index.js';
import type { SimulatedPool } from '../../src/simulation/pool.js';
import type { SimulatedProcess } from '../../src/simulation/world.js';
import { fails, quietWorld, succeeds, workflowOf } from './quiet-world.js';

/** What seeds with all features have found, each in as few steps as it takes. */
type Nodes = readonly (Partial<NodeSpec> & { id: string })[];

function made(nodes: Nodes, child?: Workflow, edges: EdgeSpec[] = []): Workflow {
  const subworkflows = child === undefined ? {} : { [child.definitionHash]: child.spec };
  const all = nodes.map((node) => ({
    name: node.id,
    ...(node.type === 'subworkflow' ? { definition: child!.definitionHash } : { type: 'custom', run: 'x' }),
    ...node,
  }));
  return workflowFromSpec({
    workflow: { id: 'p', name: 'p' },
    nodes: all,
    edges,
    ...(child !== undefined && { subworkflows }),
  });
}

describe('subworkflows', () => {
  it('a parent with nodes that fail_fast holds back takes no place from the child that it waits for', async () => {
    const nodes: Nodes = [
      { id: 'child', type: 'subworkflow' },
      { id: 'fails' },
      { id: 'held', dependencies: ['slow'] },
      { id: 'slow' },
    ];
    const workflow = made(nodes, workflowOf({}));
    const { boot, during } = quietWorld(
      workflow,
      (id) => (id === 'fails' ? fails : succeeds(id === 'slow' ? 100 : 10)),
      { maxActiveExecutions: 1 },
    );
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    const end = Date.UTC(2030, 0, 1, 1);
    expect(await during(result, end)).toMatchObject({ status: 'failed', failed_node: 'fails' });
    expect(await runtime!.get('e+child.0.1')).toMatchObject({ status: 'completed' });
  });

  it('in order, a parent takes no place from the child that holds back what comes after', async () => {
    const workflow = made([{ id: 'child', type: 'subworkflow' }, { id: 'after' }], workflowOf({}));
    const more = { maxActiveExecutions: 1, mode: 'linear' } as const;
    const { boot, during, sent } = quietWorld(workflow, () => succeeds(10), more);
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    expect(await during(result, Date.UTC(2030, 0, 1, 1))).toMatchObject({ status: 'completed' });
    expect(sent).toEqual(['e+child.0.1/n0', 'e/after']);
  });

  it('a child whose parent cannot be read goes on, and harms nobody', async () => {
    const workflow = made([{ id: 'child', type: 'subworkflow' }], workflowOf({}, { dependencies: ['n0'] }));
    const { boot, during, pass, damage } = quietWorld(workflow, () => succeeds(10_000));
    const process = await boot();
    await during(process.runtime!.start(workflow, {}, { executionId: 'e' }));
    await pass(500);
    process.die('killed');
    await damage('x/e/j/000000000000');
    const second = await boot();
    await pass(30_000);
    expect(second.runtime!.failure).toBeUndefined();
    expect(await second.runtime!.get('e+child.0.1')).toMatchObject({ status: 'completed' });
  });

  it('a parent is shown although the record of its child is damaged', async () => {
    const workflow = made([{ id: 'child', type: 'subworkflow' }, { id: 'own' }], workflowOf({}));
    const { boot, during, damage } = quietWorld(workflow, () => succeeds(10));
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(result);
    await damage('x/e+child.0.1/r');
    expect(await runtime!.get('e')).toMatchObject({ status: 'completed', children: [] });
  });

  it('a child whose functions are given with its parent is paused with it by whoever finds both left behind', async () => {
    const child = workflowFromSpec(
      { workflow: { id: 'c', name: 'c' }, nodes: [{ id: 'own', name: 'own', type: 'custom' }] },
      { functions: new Map([['own', () => null]]) },
    );
    const nodes: Nodes = [
      { id: 'child', type: 'subworkflow' },
      { id: 'before' },
      { id: 'asked', dependencies: ['before'], condition: 'outputs.before != null' },
    ];
    const { spec } = made(nodes, child);
    const workflow = workflowFromSpec(spec, { subworkflows: new Map([['child', child]]) });
    const processes: SimulatedProcess<SimulatedPool>[] = [];
    const { boot, during, pass } = quietWorld(
      workflow,
      (id) => succeeds(id === 'own' ? 1_000 : 10),
      {},
      // The condition is asked when this is stored, and not answered.
      (ops) => ops.some(({ key }) => key === 'x/e/j/000000000001') && processes[0].die('killed'),
    );
    processes.push(await boot(), await boot());
    const [first, second] = processes;
    await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    await pass(100);
    expect(first.alive).toBe(false);
    await during(second.runtime!.pause('e'));
    await pass(30_000);
    expect(second.runtime!.failure).toBeUndefined();
    expect(await second.runtime!.get('e')).toMatchObject({ status: 'paused' });
    expect(await second.runtime!.get('e+child.0.1')).toMatchObject({ status: 'paused' });
    const { result } = await during(second.runtime!.resume('e'));
    expect(await during(result)).toMatchObject({ status: 'completed' });
  });

  it('gives what its final nodes gave, also those that would be compensated', async () => {
    const child = workflowOf({}, { dependencies: ['n0'], compensate: { run: 'undo' } });
    const workflow = made([{ id: 'child', type: 'subworkflow' }], child);
    const { boot, during } = quietWorld(workflow, () => succeeds(10));
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(result);
    expect((await runtime!.get('e'))!.node_outputs).toEqual({ child: { n1: {} } });
  });
});

describe('attempts that still stop', () => {
  const hangs = succeeds(Infinity);

  it.each(['linear', 'dag_linear'] as const)('are waited for in mode %s', async (mode) => {
    const workflow = made([
      { id: 'late', total_timeout_seconds: 1 },
      { id: 'next', dependencies: ['late'], trigger_rule: 'all_done' },
      { id: 'other' },
    ]);
    const { boot, during, story } = quietWorld(workflow, (id) => (id === 'late' ? hangs : succeeds(10)), {
      mode,
    });
    const { runtime } = await boot();
    await during((await during(runtime!.start(workflow))).result);
    for (const id of new Set(story.filter((each) => !each.startsWith('-'))))
      expect(story[story.indexOf(id) + 1]).toBe(`-${id}`);
  });

  it('of an item take the room of another one', async () => {
    const workflow = made([
      { id: 'each', map: '[1, 2, 3]', max_concurrency: 1, max_failed: 3, total_timeout_seconds: 1 },
    ]);
    const { boot, during, story } = quietWorld(workflow, (id) => (id === 'each[0]' ? hangs : succeeds(10)));
    const { runtime } = await boot();
    await during((await during(runtime!.start(workflow))).result);
    expect(story).toEqual(['each[0]', '-each[0]', 'each[1]', '-each[1]', 'each[2]', '-each[2]']);
  });
});

describe('caching', () => {
  it('keeps nothing of an attempt whose time was over when it succeeded', async () => {
    const workflow = made([{ id: 'late', total_timeout_seconds: 1, cache: { ttl_seconds: 3600, key: '1' } }]);
    const { boot, during, pass, sent } = quietWorld(workflow, () => ({
      ...succeeds(10_000),
      late: true,
    }));
    const { runtime } = await boot();
    await during((await during(runtime!.start(workflow))).result);
    await pass(5_000);
    sent.length = 0;
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'f' }));
    await during(result);
    expect(sent).toEqual(['f/late']);
  });
});

describe('compensation', () => {
  it.each([false, true])(
    'undoes what completed last first, also when the clock was set back (crash: %s)',
    async (crash) => {
      const workflow = made([
        { id: 'first', compensate: { run: 'undo' } },
        { id: 'second', dependencies: ['first'], compensate: { run: 'undo' } },
        { id: 'fails', dependencies: ['second'] },
      ]);
      const { boot, during, pass, sent } = quietWorld(workflow, (id) =>
        id === 'fails' ? fails : succeeds(1_000),
      );
      let process = await boot();
      await during(process.runtime!.start(workflow, {}, { executionId: 'e' }));
      await pass(500);
      process.clock.jump(-60_000);
      await pass(1_000);
      if (crash) {
        process.die('killed');
        process = await boot();
      }
      await pass(10_000);
      expect(await process.runtime!.get('e')).toMatchObject({ status: 'failed' });
      expect(sent.slice(-2)).toEqual(['e/compensate:second', 'e/compensate:first']);
    },
  );

  it('of a parent leaves its room to that of the child that it waits for', async () => {
    const child = workflowFromSpec({
      workflow: { id: 'c', name: 'c', compensate: 'always' },
      nodes: [
        { id: 'done', name: 'done', type: 'custom', run: 'x', compensate: { run: 'undo' } },
        { id: 'hangs', name: 'hangs', type: 'custom', run: 'x', dependencies: ['done'] },
      ],
    });
    const nodes: Nodes = [
      { id: 'own', compensate: { run: 'undo' } },
      { id: 'child', type: 'subworkflow', dependencies: ['own'] },
    ];
    const workflow = made(nodes, child);
    const { boot, during, pass, sent } = quietWorld(
      workflow,
      (id) => succeeds(id === 'hangs' ? Infinity : 10),
      {
        concurrency: 1,
      },
    );
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    await pass(1_000);
    await during(runtime!.cancel('e', 'no more', { compensate: true }));
    expect(await during(result, Date.UTC(2030, 0, 1, 1))).toMatchObject({ status: 'cancelled' });
    expect(sent.slice(-2)).toEqual(['e+child.0.1/compensate:done', 'e/compensate:own']);
  });

  it('of a parent leaves the slot of their queue to that of the child that it waits for', async () => {
    const undoing = (target: string): NodeSpec => ({
      id: 'undo',
      name: 'undo',
      type: 'custom',
      run: 'x',
      compensates: target,
      queue: 'q',
    });
    const child = workflowFromSpec({
      workflow: { id: 'c', name: 'c', compensate: 'always' },
      nodes: [
        { id: 'done', name: 'done', type: 'custom', run: 'x' },
        { id: 'hangs', name: 'hangs', type: 'custom', run: 'x', dependencies: ['done'] },
        undoing('done'),
      ],
    });
    const nodes: Nodes = [
      { id: 'own' },
      { id: 'child', type: 'subworkflow', dependencies: ['own'] },
      undoing('own'),
    ];
    const workflow = made(nodes, child);
    const lastsMs = (id: string): number => (id === 'hangs' ? Infinity : 10);
    const queues = { q: 1 };
    const { boot, during, pass, sent } = quietWorld(workflow, (id) => succeeds(lastsMs(id)), { queues });
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    await pass(1_000);
    await during(runtime!.cancel('e', 'no more', { compensate: true }));
    expect(await during(result, Date.UTC(2030, 0, 1, 1))).toMatchObject({ status: 'cancelled' });
    expect(sent.slice(-2)).toEqual(['e+child.0.1/undo', 'e/undo']);
  });

  describe('of a parent that waits for a retried child', () => {
    const nodes: Nodes = [
      { id: 'own', compensate: { run: 'undo' } },
      { id: 'child', type: 'subworkflow' },
      { id: 'slow' },
    ];
    const workflow = made(nodes, workflowOf({}));
    const lasts: Record<string, number> = { slow: 5_000, n0: 1_000, 'compensate:own': 10_000 };
    const end = Date.UTC(2030, 0, 1, 1);

    /** Its compensation waits for the child, which waits for a place. */
    async function waiting() {
      const world = quietWorld(workflow, (id) => succeeds(lasts[id] ?? 10), { maxActiveExecutions: 1 });
      const { boot, during, pass } = world;
      const runtime = (await boot()).runtime!;
      const { result } = await during(runtime.start(workflow, {}, { executionId: 'e' }));
      await pass(500);
      await during(runtime.cancel('e+child.0.1'));
      await during(runtime.retry('e+child.0.1'));
      await pass(5_000);
      return { ...world, runtime, result };
    }

    it('leaves its place to that one, until it goes on', async () => {
      const { during, pass, sent, story, runtime, result } = await waiting();
      await pass(5_000);
      expect(sent.slice(-2)).toEqual(['e+child.0.1/n0', 'e/compensate:own']);
      const other = await during(runtime.start(workflow, {}, { executionId: 'f' }));
      await pass(2_000);
      expect(story.at(-1)).toBe('compensate:own');
      await pass(10_000);
      expect(await during(result, end)).toMatchObject({ status: 'failed', failed_node: 'child' });
      expect(await during(other.result, end)).toMatchObject({ status: 'completed' });
    });

    it('is held back by a pause', async () => {
      const { during, pass, sent, runtime, result } = await waiting();
      await during(runtime.pause('e'));
      expect(await during(result, end)).toMatchObject({ status: 'paused' });
      await pass(60_000);
      expect(sent.at(-1)).toBe('e+child.0.1/n0');
      const { result: resumed } = await during(runtime.resume('e'));
      expect(await during(resumed, end)).toMatchObject({ status: 'failed', failed_node: 'child' });
      expect(sent.at(-1)).toBe('e/compensate:own');
    });
  });
});

describe('maps', () => {
  it('in order, an item that waits for its retry comes before those that stand aside until there is room', async () => {
    const workflow = made([
      {
        id: 'm',
        type: 'parallel_group',
        run: undefined,
        map: '[1, 2, 3, 4, 5]',
        members: ['a', 'b'],
        max_concurrency: 1,
      },
      { id: 'a', retry_policy: { max_attempts: 2, retry_delay_seconds: 0.05 } },
      { id: 'b', dependencies: ['a'] },
    ]);
    const { boot, during, sent } = quietWorld(
      workflow,
      (id, attempt) => (/^a.[13]/.test(id) && attempt === 1 ? fails : succeeds(100)),
      { mode: 'linear' },
    );
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    expect(await during(result, Date.UTC(2030, 0, 1, 1))).toMatchObject({ status: 'completed' });
    const order = 'a[0] a[1] a[2] a[1] a[3] a[4] a[3] b[0] b[1] b[2] b[3] b[4]';
    expect(sent.map((name) => name.slice(2)).join(' ')).toBe(order);
  });

  it('by a rule that lets items run early, they are given what has come and is stored, and nothing else', async () => {
    const each = { trigger_rule: 'always', map: '[1, 2, 3, 4]', max_concurrency: 1 } as const;
    const nodes: Nodes = [
      { id: 'left' },
      { id: 'late', dependencies: ['left'] },
      { id: 'each', dependencies: ['left', 'late'], ...each },
    ];
    const workflow = made(nodes, undefined, [{ from: 'left', to: 'each', condition: 'false' }]);
    let stored = '';
    const given: string[] = [];
    const wasStored: boolean[] = [];
    const { boot, during } = quietWorld(
      workflow,
      (id, _, { dependencyOutputs }) => {
        const output = { late: '{"by":"late"}' }[id] ?? '{}';
        if (id.startsWith('each')) {
          given.push(dependencyOutputs);
          wasStored.push(dependencyOutputs === '{}' || stored.includes('"by":"late"'));
        }
        return { durationMs: 100, outcome: { ok: true, output, artifacts: [], durationMs: 100 } };
      },
      { mode: 'dag_linear' },
      (ops) => ops.forEach((op) => op.op === 'put' && (stored += Buffer.from(op.value).toString('latin1'))),
    );
    const { runtime } = await boot();
    await during((await during(runtime!.start(workflow))).result);
    expect(wasStored).toEqual([true, true, true, true]);
    expect(new Set(given)).toEqual(new Set(['{}', '{"late":{"by":"late"}}']));
  });
});

describe('groups', () => {
  it('a member that fails for an edge while the end of another is told does not end its group', async () => {
    const nodes: Nodes = [
      { id: 'a' },
      { id: 'first', dependencies: ['a'] },
      { id: 'second', dependencies: ['first', 'a'] },
      {
        id: 'g',
        type: 'parallel_group',
        run: undefined,
        members: ['first', 'second'],
        supervision: { strategy: 'one_for_one', max_restarts: 1 },
      },
      { id: 'after', dependencies: ['g'] },
    ];
    const condition = "outputs['a'].nothing.there";
    const workflow = made(nodes, undefined, [{ from: 'a', to: 'second', condition }]);
    const { boot, during, sent } = quietWorld(workflow, () => succeeds(10));
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    expect(await during(result, Date.UTC(2030, 0, 1, 1))).toMatchObject({
      status: 'failed',
      failed_node: 'second',
    });
    const { node_states } = (await runtime!.get('e'))!;
    expect([node_states.g.status, node_states.after.status]).toEqual(['blocked', 'blocked']);
    expect(sent).toEqual(['e/a', 'e/first']);
  });
});
