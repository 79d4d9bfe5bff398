import { describe, expect, it } from 'vitest';
import { defineWorkflow, type FailureMode, type Workflow } from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

interface Steps {
  readonly ran: Counter;
  readonly keys: string[];
  readonly failing: Set<string>;
  readonly gate: Gate;
}

function steps(...failing: string[]): Steps {
  return { ran: new Counter(), keys: [], failing: new Set(failing), gate: new Gate() };
}

/** a → b → c, and x on its own; outputs tell how often each ran, and on what. `slow` waits at the gate. */
function workflow({ ran, keys, failing, gate }: Steps, onFailure: FailureMode = 'fail_fast'): Workflow {
  const execute = async (step: { nodeId: string; idempotencyKey: string; dependencyOutputs: object }) => {
    keys.push(step.idempotencyKey);
    ran.note(step.nodeId);
    if (failing.has(step.nodeId)) throw new Error(`${step.nodeId} fails`);
    if (step.nodeId === 'slow') await gate.passed;
    return { n: ran.of(step.nodeId), from: step.dependencyOutputs };
  };
  return defineWorkflow({ id: 'rerun', onFailure })
    .node('a', { execute })
    .node('b', { dependsOn: ['a'], execute })
    .node('c', { dependsOn: ['b'], execute })
    .node('x', { execute })
    .node('slow', { dependsOn: ['x'], execute })
    .build();
}

describe.each(storeKinds())('one node again on %s', (_, create) => {
  it('runs with what depends on it, under a new key, and keeps the old results in the history', async () => {
    const own = steps();
    own.gate.open();
    const runtime = await open({ store: create()() });
    const first = await runtime.start(workflow(own));
    expect((await first.result).status).toBe('completed');
    const again = await runtime.rerun(first.id, 'b');
    expect((await again!.result).status).toBe('completed');
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 1, b: 2, c: 2, x: 1, slow: 1 });
    const document = (await runtime.get(first.id))!;
    expect(document.node_outputs.c).toEqual({ n: 2, from: { b: { n: 2, from: { a: { n: 1, from: {} } } } } });
    expect(document.node_states.b.metadata).toEqual({ run: 1 });
    expect(own.keys.filter((key) => key.includes('/b/'))).toEqual([`${first.id}/b/0`, `${first.id}/b/1`]);
    const told: string[] = [];
    const outputs: unknown[] = [];
    for await (const { event_type, node_id, data } of runtime.events(first.id)) {
      if (event_type === 'node_completed' && node_id === 'b') outputs.push((data.output as { n: number }).n);
      if (event_type === 'node_recovered') told.push(`${node_id} ${String(data.reason)}`);
      if (event_type === 'workflow_resumed') expect(data).toEqual({ rerun: 'b', cascade: true });
    }
    expect(told).toEqual(['b rerun', 'c rerun']);
    expect(outputs).toEqual([1, 2]);
  });

  it('runs alone without cascade, and the document says whose inputs are older', async () => {
    const own = steps();
    own.gate.open();
    const place = create()();
    const runtime = await open({ store: place });
    const flow = workflow(own);
    const { id, result } = await runtime.start(flow);
    await result;
    await runtime.close();
    const other = await open({ store: place });
    await (await other.rerun(id, 'a', { cascade: false, workflow: flow }))!.result;
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 2, b: 1, c: 1, x: 1, slow: 1 });
    const { node_states, status } = (await other.get(id))!;
    expect(status).toBe('completed');
    expect(node_states.b.metadata).toEqual({ inputs_outdated: true });
    expect(node_states.c.metadata).toEqual({});
    await (await other.rerun(id, 'b'))!.result;
    expect((await other.get(id))!.node_states.b.metadata).toEqual({ run: 1 });
  });

  it('repairs one of two failures: what it blocked comes back by itself, the rest stays as it is', async () => {
    const own = steps('a', 'x');
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow(own, 'continue'));
    expect(await result).toMatchObject({ status: 'failed', failed_node: 'a' });
    own.failing.clear();
    const again = await runtime.rerun(id, 'a');
    expect(await again!.result).toMatchObject({ status: 'failed', failed_node: 'x', completed_nodes: 3 });
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 2, x: 1, b: 1, c: 1 });
    own.gate.open();
    expect(await (await runtime.retry(id)).result).toMatchObject({ status: 'completed' });
  });

  it('starts nothing else under fail_fast while another failure stands', async () => {
    const own = steps('x');
    const runtime = await open({ store: create()(), mode: 'linear' });
    const execute = (step: { nodeId: string }) => {
      own.ran.note(step.nodeId);
      if (own.failing.has(step.nodeId)) throw new Error('no');
      return null;
    };
    const flow = defineWorkflow({ id: 'order' })
      .node('a', { execute })
      .node('b', { dependsOn: ['a'], execute })
      .node('x', { execute })
      .node('later', { execute })
      .build();
    const { id, result } = await runtime.start(flow);
    expect((await result).status).toBe('failed');
    const before = (await runtime.get(id))!.node_states.later.status;
    expect(await (await runtime.rerun(id, 'a'))!.result).toMatchObject({
      status: 'failed',
      failed_node: 'x',
    });
    expect(own.ran.of('later')).toBe(0);
    expect((await runtime.get(id))!.node_states.later.status).toBe(before);
    own.failing.clear();
    expect((await (await runtime.rerun(id, 'x'))!.result).status).toBe('completed');
    expect(own.ran.of('later')).toBe(1);
  });

  it('refuses what cannot be, and changes nothing', async () => {
    const own = steps();
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow(own));
    await until(() => own.ran.of('slow') > 0 && own.ran.of('c') > 0, 'all but slow ran');
    const refusal = (node: string) => expect(runtime.rerun(id, node)).rejects;
    await refusal('slow').toMatchObject({ code: 'EXECUTION_STATE', message: /"slow" is running/ });
    await refusal('x').toMatchObject({ code: 'EXECUTION_STATE', message: /while "slow"/ });
    await refusal('none').toMatchObject({ code: 'NODE_NOT_FOUND' });
    await expect(runtime.rerun('nobody', 'a')).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    expect(await runtime.rerun(id, 'a')).toMatchObject({ id });
    own.gate.open();
    expect((await result).status).toBe('completed');
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 2, b: 2, c: 2, x: 1, slow: 1 });
  });

  it('refuses blocked nodes and those that have not run', async () => {
    const own = steps('a');
    const runtime = await open({ store: create()(), mode: 'dag_linear' });
    const { id, result } = await runtime.start(workflow(own));
    await result;
    await expect(runtime.rerun(id, 'c')).rejects.toMatchObject({ message: /"b", which it depends on/ });
    await expect(runtime.rerun(id, 'slow')).rejects.toMatchObject({ message: /has not run/ });
    expect((await runtime.get(id))!.status).toBe('failed');
  });

  it('is done by the process that runs the execution, which is asked through the store', async () => {
    const place = create()();
    const own = steps();
    const owner = await open({ store: place });
    const { id, result } = await owner.start(workflow(own));
    await until(() => own.ran.of('slow') > 0 && own.ran.of('c') > 0, 'all but slow ran');
    const other = await open({ store: place, recover: false });
    expect(await other.rerun(id, 'b')).toBeUndefined();
    await expect(other.rerun(id, 'slow')).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    own.gate.open();
    expect((await result).status).toBe('completed');
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 1, b: 2, c: 2, x: 1, slow: 1 });
  });

  it('makes a paused execution go on', async () => {
    const own = steps();
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow(own));
    await until(() => own.ran.of('slow') > 0 && own.ran.of('c') > 0, 'all but slow ran');
    await runtime.pause(id);
    own.gate.open();
    expect((await result).status).toBe('paused');
    expect((await (await runtime.rerun(id, 'slow'))!.result).status).toBe('completed');
    expect(Object.fromEntries(own.ran.counts)).toEqual({ a: 1, b: 1, c: 1, x: 1, slow: 2 });
  });
});
