import { describe, expect, it } from 'vitest';
import { defineWorkflow, type ExecutionEvent } from '../../src/runtime/index.js';
import { collect, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

function sum() {
  return defineWorkflow({ id: 'sum', globalContext: { unit: 'm', by: 1 } })
    .node('one', { execute: () => ({ value: 1 }) })
    .node('two', {
      dependsOn: ['one'],
      execute: ({ dependencyOutputs, globalContext }) => ({
        value: dependencyOutputs.one.value + (globalContext.by as number),
      }),
    })
    .build();
}

describe.each(storeKinds())('a runtime on %s', (_, create) => {
  it('runs a workflow and tells its result, document and events', async () => {
    const runtime = await open({ store: create()() });
    const execution = await runtime.start(sum(), { by: 41 });
    expect(execution.workflowId).toBe('sum');
    expect(await execution.result).toMatchObject({
      execution_id: execution.id,
      workflow_id: 'sum',
      status: 'completed',
      completed_nodes: 2,
      total_nodes: 2,
    });
    const document = (await runtime.get(execution.id))!;
    expect(document).toMatchObject({
      workflow_id: 'sum',
      workflow_name: 'sum',
      execution_id: execution.id,
      status: 'completed',
      mode: 'dag_parallel',
      interrupted: false,
      progress_percent: 100,
      failed_node: null,
      error: null,
      node_outputs: { one: { value: 1 }, two: { value: 42 } },
      global_context: { unit: 'm', by: 41 },
    });
    expect(document.node_states.two).toMatchObject({ status: 'completed', attempt_count: 1, artifacts: [] });
    expect(document.node_states.two.start_time! >= document.node_states.one.end_time!).toBe(true);
    const events = await collect(runtime.events(execution.id));
    expect(events.at(0)).toMatchObject({
      event_type: 'workflow_started',
      data: { initial_context: { by: 41 } },
    });
    expect(events.at(-1)).toMatchObject({ event_type: 'workflow_completed', data: { completed_nodes: 2 } });
  });

  it('lists executions by workflow, status and page', async () => {
    const runtime = await open({ store: create()() });
    const other = defineWorkflow({ id: 'other' }).node('n', {
      execute: () => Promise.reject(new Error('no')),
    });
    for (const workflow of [sum(), sum(), other.build()]) await (await runtime.start(workflow)).result;
    expect((await runtime.list()).records.map(({ workflowId }) => workflowId)).toEqual([
      'other',
      'sum',
      'sum',
    ]);
    expect((await runtime.list({ status: 'failed' })).records).toMatchObject([
      { workflowId: 'other', ownerId: null, counts: { failed: 1 } },
    ]);
    const first = await runtime.list({ workflowId: 'sum', limit: 1, order: 'oldest' });
    const second = await runtime.list({ workflowId: 'sum', limit: 1, order: 'oldest', after: first.next });
    expect(first.records[0].executionId < second.records[0].executionId).toBe(true);
    expect(second.next).toBeUndefined();
  });

  it('takes ids from its caller, each once', async () => {
    const runtime = await open({ store: create()() });
    const given = { executionId: 'order-7' };
    const both = await Promise.allSettled([runtime.start(sum(), {}, given), runtime.start(sum(), {}, given)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(runtime.start(sum(), {}, given)).rejects.toMatchObject({ code: 'EXECUTION_EXISTS' });
    await expect(runtime.start(sum(), {}, { executionId: '../x' })).rejects.toMatchObject({
      code: 'CONTEXT_INVALID',
    });
    expect((await runtime.list()).records).toHaveLength(1);
  });

  it('follows an execution from its first event to its last, live and afterwards, under the same ids', async () => {
    const live: ExecutionEvent[] = [];
    const runtime = await open({ store: create()(), onEvent: (event) => live.push(event) });
    const gate = new Gate();
    const workflow = defineWorkflow({ id: 'gated' })
      .node('a', { execute: () => 1 })
      .node('b', { dependsOn: ['a'], execute: () => gate.passed })
      .build();
    const execution = await runtime.start(workflow);
    const following = collect(execution.events());
    await until(
      () => live.some(({ node_id, event_type }) => node_id === 'b' && event_type === 'node_started'),
      'b runs',
    );
    gate.open();
    await execution.result;
    const stored = await collect(runtime.events(execution.id));
    expect(await following).toEqual(stored);
    expect(await collect(execution.events())).toEqual(stored);
    expect(live).toEqual(stored);
    expect(new Set(stored.map(({ event_id }) => event_id)).size).toBe(stored.length);
  });
});

describe('a runtime', () => {
  it('refuses what does not exist, clearly', async () => {
    const runtime = await open();
    expect(await runtime.get('nope')).toBeUndefined();
    const missing = { code: 'EXECUTION_NOT_FOUND' };
    await expect(runtime.resume('nope')).rejects.toMatchObject(missing);
    await expect(runtime.retry('nope')).rejects.toMatchObject(missing);
    await expect(runtime.pause('nope')).rejects.toMatchObject(missing);
    await expect(runtime.cancel('nope')).rejects.toMatchObject(missing);
    await expect(collect(runtime.events('nope'))).rejects.toMatchObject(missing);
  });

  it('refuses a context that is no JSON object', async () => {
    const runtime = await open();
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    for (const context of [cyclic, [] as never, null as never, { n: 1n }]) {
      await expect(runtime.start(sum(), context)).rejects.toMatchObject({ code: 'CONTEXT_INVALID' });
    }
    expect((await runtime.list()).records).toEqual([]);
  });

  it('refuses options that make no sense, naming them', async () => {
    const conflict = (text: string) => ({
      code: 'CONFIG_CONFLICT',
      message: expect.stringContaining(text) as string,
    });
    await expect(open({ mode: 'fast' as never })).rejects.toMatchObject(conflict('mode'));
    await expect(open({ durability: 'often' as never })).rejects.toMatchObject(conflict('durability'));
    await expect(open({ concurrency: 0 })).rejects.toMatchObject(conflict('concurrency'));
    await expect(open({ maxActiveExecutions: 1.5 })).rejects.toMatchObject(conflict('maxActiveExecutions'));
    await expect(open({ pool: { graceMs: -1 } })).rejects.toMatchObject(conflict('pool.graceMs'));
    for (const [maxRestarts, withinMs, option] of [
      [-1, 1, 'maxRestarts'],
      [0.5, 1, 'maxRestarts'],
      [1, 0, 'withinMs'],
    ] as const)
      await expect(open({ pool: { restart: { maxRestarts, withinMs } } })).rejects.toMatchObject(
        conflict(`pool.restart.${option}`),
      );
  });

  it('does nothing more once it is closed', async () => {
    const runtime = await open();
    const { id } = await runtime.start(sum());
    await runtime.close();
    await runtime.close();
    const closed = { code: 'RUNTIME_CLOSED' };
    await expect(runtime.start(sum())).rejects.toMatchObject(closed);
    await expect(runtime.resume(id)).rejects.toMatchObject(closed);
    await expect(runtime.retry(id)).rejects.toMatchObject(closed);
    await expect(runtime.pause(id)).rejects.toMatchObject(closed);
    await expect(runtime.cancel(id)).rejects.toMatchObject(closed);
  });

  it('dates a document by its last change, also while it runs', async () => {
    const runtime = await open();
    const gate = new Gate();
    const workflow = defineWorkflow({ id: 'dated' })
      .node('quick', { execute: () => new Promise((done) => setTimeout(done, 20)) })
      .node('slow', { dependsOn: ['quick'], execute: () => gate.passed })
      .build();
    const { id, result } = await runtime.start(workflow);
    await until(
      async () => (await runtime.get(id))!.node_states['quick'].status === 'completed',
      'quick is done',
    );
    const { status, updated_at, node_states } = (await runtime.get(id))!;
    expect(status).toBe('running');
    expect(updated_at >= node_states['quick'].end_time!).toBe(true);
    gate.open();
    await result;
  });

  it('gives back the definition an execution was started with', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'defined' }).node('n', { uses: 'maestro:noop#task' }).build();
    const { id } = await runtime.start(workflow);
    expect(await runtime.definition(id)).toEqual(workflow.spec);
    expect(await runtime.definition('nobody')).toBeUndefined();
  });

  it('rejects open results when it is closed, and what is running is told to stop', async () => {
    const runtime = await open();
    let [begun, aborted] = [false, false];
    const workflow = defineWorkflow({ id: 'endless' })
      .node('n', {
        execute: ({ signal }) =>
          new Promise((_, reject) => {
            begun = true;
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(new Error('stopped'));
            });
          }),
      })
      .build();
    const execution = await runtime.start(workflow);
    await until(() => begun, 'n runs');
    await runtime.close({ drainMs: 0 });
    await expect(execution.result).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
    expect(aborted).toBe(true);
  });

  it('can be bound with `await using`', async () => {
    let held;
    {
      await using runtime = await open();
      held = runtime;
      await (
        await runtime.start(sum())
      ).result;
    }
    await expect(held.start(sum())).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
  });
});
