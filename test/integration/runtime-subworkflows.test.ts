import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  type ExecutionDocument,
  type ExecutionEvent,
  type Runtime,
  type Workflow,
} from '../../src/runtime/index.js';
import { collect, Counter, Gate, runtimes, storeKinds, until, type StorePlace } from './support/runtimes.js';

const open = runtimes();

/** begin → work → (left, right): `work` does what the test wants. */
function child(
  work: (signal: AbortSignal, context: Record<string, unknown>) => unknown,
  id = 'child',
): Workflow {
  return defineWorkflow({ id, globalContext: { given: 'nothing', kept: true } })
    .node('begin', { execute: () => 'begun' })
    .node('work', {
      dependsOn: ['begin'],
      execute: ({ signal, globalContext }) => work(signal, globalContext),
    })
    .node('left', { dependsOn: ['work'], execute: ({ dependencyOutputs }) => dependencyOutputs.work })
    .node('right', { dependsOn: ['work'], execute: () => 'r' })
    .build();
}

/** before → sub (the child) → after, which gives what it was given. */
function parentOf(workflow: Workflow, more: object = {}, id = 'parent'): Workflow {
  return defineWorkflow<Record<string, unknown>>({ id })
    .node('before', { execute: () => ({ n: 1 }) })
    .node('sub', { dependsOn: ['before'], workflow, ...more })
    .node('after', { dependsOn: ['sub'], execute: ({ dependencyOutputs }) => dependencyOutputs.sub })
    .build();
}

const documentOf = async (runtime: Runtime, id: string): Promise<ExecutionDocument> =>
  (await runtime.get(id))!;

/** Waits at the gate unless it is told to stop. */
const gated =
  (gate: Gate, ran = new Counter()) =>
  async (signal: AbortSignal) => {
    ran.note('work');
    await Promise.race([gate.passed, new Promise((_, stop) => signal.addEventListener('abort', stop))]);
    return 'worked';
  };

/** A workflow whose runtime was closed while the innermost node worked, which goes on when it runs again. */
async function leftAtWork(
  create: () => StorePlace,
  workflowOf: (work: ReturnType<typeof gated>) => Workflow,
): Promise<{ place: StorePlace; workflow: Workflow; ran: Counter }> {
  const place = create();
  const [gate, ran] = [new Gate(), new Counter()];
  const workflow = workflowOf(gated(gate, ran));
  const first = await open({ store: place() });
  await first.start(workflow, {}, { executionId: 'p' });
  await until(() => ran.of('work') === 1, 'it works');
  await first.close({ drainMs: 0 });
  gate.open();
  return { place, workflow, ran };
}

describe.each(storeKinds())('a subworkflow, on %s', (_, create) => {
  it('is an execution of its own, linked both ways, whose final outputs are the output of its node', async () => {
    const events: ExecutionEvent[] = [];
    const runtime = await open({ store: create()(), onEvent: (event) => events.push(event) });
    const workflow = parentOf(
      child((_signal, context) => context),
      { with: { given: [1, { two: 2 }] } },
    );
    const { id, result } = await runtime.start(workflow, {}, { executionId: 'p' });
    expect((await result).status).toBe('completed');
    const context = { given: [1, { two: 2 }], kept: true };
    const document = await documentOf(runtime, id);
    expect(document.node_outputs).toMatchObject({
      sub: { left: context, right: 'r' },
      after: { left: context, right: 'r' },
    });
    expect(document.children).toEqual([
      { execution_id: 'p+sub.0.1', node_id: 'sub', workflow_id: 'child', status: 'completed' },
    ]);
    expect(document.node_states.sub).toMatchObject({
      attempt_count: 1,
      metadata: { child: { execution_id: 'p+sub.0.1', status: 'completed' } },
    });
    const own = await documentOf(runtime, 'p+sub.0.1');
    expect(own).toMatchObject({
      status: 'completed',
      workflow_id: 'child',
      parent: { execution_id: 'p', node_id: 'sub' },
      global_context: context,
    });
    expect(own.children).toBeUndefined();
    const ofParent = events.filter(({ execution_id }) => execution_id === 'p');
    expect(await collect(runtime.events('p'))).toEqual(ofParent);
    expect(
      ofParent.find(({ node_id, event_type }) => node_id === 'sub' && event_type === 'node_started')!.data,
    ).toEqual({
      attempt: 1,
      max_attempts: 1,
      waiting_for: { kind: 'child', execution_id: 'p+sub.0.1' },
    });
    expect((await runtime.list()).records.map(({ executionId }) => executionId).sort()).toEqual([
      'p',
      'p+sub.0.1',
    ]);
  });

  it('that ends with a map gives its results in order, once', async () => {
    const runtime = await open({ store: create()() });
    const mapped = defineWorkflow<Record<string, unknown>>({ id: 'child' })
      .node('list', { execute: () => [3, 1, 2] })
      .node('work', { dependsOn: ['list'], map: 'outputs.list', execute: ({ item }) => item })
      .build();
    const { id, result } = await runtime.start(parentOf(mapped));
    await result;
    expect((await documentOf(runtime, id)).node_outputs.sub).toEqual({ work: [3, 1, 2] });
  });

  it('takes no room: one place and one slot are enough, however deep', async () => {
    const runtime = await open({ store: create()(), concurrency: 1, maxActiveExecutions: 1 });
    const inner = child(() => 'inner', 'inner');
    const middle = parentOf(inner, {}, 'middle');
    const { id, result } = await runtime.start(parentOf(middle), {}, { executionId: 'p' });
    expect((await result).status).toBe('completed');
    expect((await documentOf(runtime, id)).node_outputs.after).toEqual({
      after: { left: 'inner', right: 'r' },
    });
    expect((await documentOf(runtime, 'p+sub.0.1+sub.0.1')).parent).toEqual({
      execution_id: 'p+sub.0.1',
      node_id: 'sub',
    });
  });

  it('gives large outputs, and those that nodes with any id have', async () => {
    const large = 'x'.repeat(100_000);
    const strange = 'a node / with “any” id, and a long one at that';
    const workflow = defineWorkflow({ id: 'strange' })
      .node(strange, { workflow: child(() => large) })
      .node('length', {
        dependsOn: [strange],
        execute: ({ dependencyOutputs }) => (dependencyOutputs[strange] as { left: string }).left.length,
      })
      .build();
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    const { node_outputs, children } = await documentOf(runtime, id);
    expect(node_outputs.length).toBe(large.length);
    expect(children![0].execution_id).toMatch(/\+a-node---with---[0-9a-f]{8}\.0\.1$/);
  });

  it('that fails fails its node, which says where; retries and reruns begin new ones', async () => {
    let failures = 2;
    const failing = child(() => {
      if (failures-- > 0) throw new Error('no luck');
      return 'lucky';
    });
    const runtime = await open({ store: create()() });
    const retry = { maxAttempts: 2, delaySeconds: 0.01 };
    const { id, result } = await runtime.start(parentOf(failing, { retry }), {}, { executionId: 'p' });
    expect(await result).toMatchObject({
      status: 'failed',
      failed_node: 'sub',
      error: {
        code: 'SUBWORKFLOW_FAILED',
        message: 'the subworkflow execution p+sub.0.2 failed at node "work": no luck',
        details: { execution_id: 'p+sub.0.2', failed_node: 'work', error: { message: 'no luck' } },
      },
    });
    const again = await runtime.retry(id);
    expect((await again.result).status).toBe('completed');
    const { children } = await documentOf(runtime, id);
    expect(children!.map(({ execution_id, status }) => [execution_id, status])).toEqual([
      ['p+sub.0.1', 'failed'],
      ['p+sub.0.2', 'failed'],
      ['p+sub.1.1', 'completed'],
    ]);
    await (await runtime.rerun(id, 'sub', { cascade: true }))!.result;
    expect((await documentOf(runtime, id)).children).toHaveLength(4);
  });

  it('repeats, each iteration an execution of its own', async () => {
    let n = 0;
    const runtime = await open({ store: create()() });
    const repeat = { until: 'node.output.left >= 3', max: 5 };
    const { id, result } = await runtime.start(
      parentOf(
        child(() => ++n),
        { repeat },
      ),
    );
    expect((await result).status).toBe('completed');
    const { children, node_outputs } = await documentOf(runtime, id);
    expect(node_outputs.after).toMatchObject({ left: 3 });
    expect(children).toHaveLength(3);
  });

  it('is cancelled, paused and resumed with its parent, through every level', async () => {
    const [gate, ran] = [new Gate(), new Counter()];
    const runtime = await open({ store: create()() });
    const nested = parentOf(parentOf(child(gated(gate, ran)), {}, 'middle'));
    const ids = (p: string): string[] => [p, `${p}+sub.0.1`, `${p}+sub.0.1+sub.0.1`];
    const statuses = async (p: string): Promise<string[]> =>
      Promise.all(ids(p).map(async (id) => (await documentOf(runtime, id)).status));
    const first = await runtime.start(nested, {}, { executionId: 'cancelled' });
    await until(() => ran.of('work') === 1, 'the innermost works');
    await runtime.cancel('cancelled');
    expect((await first.result).status).toBe('cancelled');
    await until(
      async () => (await statuses('cancelled')).every((s) => s === 'cancelled'),
      'all are cancelled',
    );

    await runtime.start(nested, {}, { executionId: 'paused' });
    await until(() => ran.of('work') === 2, 'the innermost works');
    await runtime.pause('paused');
    await until(async () => (await statuses('paused')).every((s) => s === 'paused'), 'all are paused');
    gate.open();
    const innermost = async () => (await documentOf(runtime, ids('paused')[2])).node_states;
    await until(async () => (await innermost()).work.status === 'completed', 'what ran has finished');
    expect((await innermost()).left.status).toBe('ready');
    const resumed = await runtime.resume('paused');
    expect((await resumed.result).status).toBe('completed');
    expect(await statuses('paused')).toEqual(['completed', 'completed', 'completed']);
    expect(ran.of('work')).toBe(2);
  });

  it('that somebody cancels fails its node, and is not tried again', async () => {
    const [gate, ran] = [new Gate(), new Counter()];
    const runtime = await open({ store: create()() });
    const retry = { maxAttempts: 3, delaySeconds: 0 };
    const { result } = await runtime.start(
      parentOf(child(gated(gate, ran)), { retry }),
      {},
      { executionId: 'p' },
    );
    await until(() => ran.of('work') === 1, 'it works');
    await runtime.cancel('p+sub.0.1');
    expect(await result).toMatchObject({ status: 'failed', error: { code: 'SUBWORKFLOW_CANCELLED' } });
    expect((await documentOf(runtime, 'p')).node_states.sub.attempt_count).toBe(1);
  });

  it('goes on after its runtime was closed, and repeats nothing', async () => {
    const { place, workflow, ran } = await leftAtWork(create, (work) =>
      parentOf(parentOf(child(work)), {}, 'middle'),
    );
    const second = await open({ store: place(), workflows: [workflow] });
    expect(second.recovered).toHaveLength(3);
    await until(async () => (await documentOf(second, 'p')).status === 'completed', 'it has ended');
    expect(ran.of('work')).toBe(2);
    expect((await second.list()).records).toHaveLength(3);
  });

  it('goes on with its parent alone, when nothing else is recovered', async () => {
    const { place, workflow } = await leftAtWork(create, (work) => parentOf(child(work)));
    const second = await open({ store: place(), recover: false });
    const resumed = await second.resume('p', { workflow });
    expect((await resumed.result).status).toBe('completed');
  });

  it('is paused with its parent by a process that knows neither, and harms nothing else there', async () => {
    const { place, workflow, ran } = await leftAtWork(create, (work) => parentOf(child(work)));
    const second = await open({ store: place(), recover: false });
    await second.pause('p');
    const paused = async (id: string): Promise<boolean> => (await documentOf(second, id)).status === 'paused';
    await until(() => paused('p'), 'it is paused');
    await until(() => paused('p+sub.0.1'), 'so is its child');
    expect(second.failure).toBeUndefined();
    const resumed = await second.resume('p', { workflow });
    expect((await resumed.result).status).toBe('completed');
    expect(ran.of('work')).toBe(2);
  });

  it('lives as long as its parent', async () => {
    const runtime = await open({ store: create()() });
    const workflow = parentOf(
      parentOf(
        child(() => 1),
        {},
        'middle',
      ),
    );
    await (
      await runtime.start(workflow, {}, { executionId: 'p' })
    ).result;
    await expect(runtime.delete('p+sub.0.1')).rejects.toMatchObject({
      code: 'EXECUTION_STATE',
      message: 'execution p+sub.0.1 belongs to p, and goes with it',
    });
    const kept = await runtime.collect({ olderThanMs: 0, dryRun: true });
    expect(kept.deleted).toEqual(['p']);
    expect(await runtime.delete('p')).toBe(true);
    expect((await runtime.list()).records).toEqual([]);
  });

  it('is refused where its id is taken by another execution', async () => {
    const runtime = await open({ store: create()() });
    const workflow = parentOf(child(() => 1));
    await (
      await runtime.start(
        child(() => 1),
        {},
        { executionId: 'p+sub.0.1' },
      )
    ).result;
    const { result } = await runtime.start(workflow, {}, { executionId: 'p' });
    expect(await result).toMatchObject({ status: 'failed', error: { code: 'EXECUTION_EXISTS' } });
  });
});

describe('a subworkflow that another runtime runs', () => {
  it('is waited for all the same', async () => {
    const [, create] = storeKinds()[0];
    const place = create();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = parentOf(child(gated(gate, ran)));
    const first = await open({ store: place() });
    const { result } = await first.start(workflow, {}, { executionId: 'p' });
    await until(() => ran.of('work') === 1, 'it works');
    await first.pause('p+sub.0.1');
    gate.open();
    await until(async () => (await documentOf(first, 'p+sub.0.1')).status === 'paused', 'it is paused');
    const second = await open({ store: place(), workflows: [workflow], recover: false });
    const resumed = await second.resume('p+sub.0.1');
    expect((await resumed.result).status).toBe('completed');
    expect((await result).status).toBe('completed');
  });
});
