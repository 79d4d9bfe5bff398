import { describe, expect, it } from 'vitest';
import { defineWorkflow, type NodeStatus, type Runtime } from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

async function statuses(runtime: Runtime, id: string): Promise<Record<string, NodeStatus>> {
  const { node_states } = (await runtime.get(id))!;
  return Object.fromEntries(Object.entries(node_states).map(([node, { status }]) => [node, status]));
}

const fail = () => {
  throw new Error('broken');
};

/** bad fails while slow runs; after them, a dependent each, and independent ones that a limit of 2 keeps waiting. */
function failing(onFailure: 'fail_fast' | 'continue', gate: Gate, ran = new Counter()) {
  const execute = ({ nodeId }: { nodeId: string }) => ran.note(nodeId);
  return defineWorkflow({ id: 'failing', onFailure, maxConcurrency: 2 })
    .node('bad', { execute: fail })
    .node('slow', { execute: () => gate.passed })
    .node('waiting', { execute })
    .node('after_bad', { dependsOn: ['bad'], execute })
    .node('after_slow', { dependsOn: ['slow'], execute })
    .node('after_both', { dependsOn: ['after_bad', 'after_slow'], execute })
    .build();
}

describe.each(storeKinds())('a node that fails, on %s', (_, create) => {
  it('under fail_fast: running nodes finish, nothing new starts, dependents are blocked, the rest is pending', async () => {
    const runtime = await open({ store: create()() });
    const [gate, ran] = [new Gate(), new Counter()];
    const execution = await runtime.start(failing('fail_fast', gate, ran));
    const victim = () => execution.node('after_bad').getSnapshot().value;
    await until(() => victim() === 'blocked', 'the failure is known');
    gate.open();
    expect(await execution.result).toMatchObject({
      status: 'failed',
      failed_node: 'bad',
      error: { message: 'broken' },
      completed_nodes: 1,
      total_nodes: 6,
    });
    expect(await statuses(runtime, execution.id)).toEqual({
      bad: 'failed',
      slow: 'completed',
      waiting: 'ready',
      after_bad: 'blocked',
      after_slow: 'ready',
      after_both: 'blocked',
    });
    expect(ran.counts.size).toBe(0);
  });

  it('under continue: everything that does not depend on it runs', async () => {
    const runtime = await open({ store: create()() });
    const gate = new Gate();
    gate.open();
    const execution = await runtime.start(failing('continue', gate));
    expect(await execution.result).toMatchObject({
      status: 'failed',
      failed_node: 'bad',
      completed_nodes: 3,
    });
    expect(await statuses(runtime, execution.id)).toEqual({
      bad: 'failed',
      slow: 'completed',
      waiting: 'completed',
      after_bad: 'blocked',
      after_slow: 'completed',
      after_both: 'blocked',
    });
  });

  it('can be retried: completed nodes keep their results, the others run', async () => {
    const store = create();
    const place = store();
    const ran = new Counter();
    let healthy = false;
    const execute = ({ nodeId, idempotencyKey }: { nodeId: string; idempotencyKey: string }) => {
      ran.note(nodeId);
      if (nodeId === 'bad' && !healthy) throw new Error('broken');
      return idempotencyKey;
    };
    const workflow = defineWorkflow({ id: 'repairable', onFailure: 'continue' })
      .node('good', { execute })
      .node('bad', { execute })
      .node('after', { dependsOn: ['good', 'bad'], execute })
      .build();
    const first = await open({ store: place });
    const failed = await first.start(workflow);
    expect((await failed.result).status).toBe('failed');
    const before = (await first.get(failed.id))!;
    await first.close();
    const second = await open({ store: place });
    healthy = true;
    const retried = await second.retry(failed.id, { workflow });
    expect(await retried.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    expect(Object.fromEntries(ran.counts)).toEqual({ good: 1, bad: 2, after: 1 });
    const after = (await second.get(failed.id))!;
    expect(after.node_states.good).toEqual(before.node_states.good);
    expect([after.failed_node, after.error]).toEqual([null, null]);
    await expect(second.retry(failed.id, { workflow })).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    await expect(second.resume(failed.id, { workflow })).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
  });
});

describe('a condition', () => {
  const branch = (condition: string) =>
    defineWorkflow({ id: 'branch', globalContext: { region: 'eu' } })
      .node('check', { execute: () => ({ wanted: true, size: 3, text: 'x'.repeat(100_000) }) })
      .node('n', { dependsOn: ['check'], condition, config: { max: 5 }, execute: () => 'ran' })
      .node('then', { dependsOn: ['n'], execute: () => 'ran' })
      .node('aside', { dependsOn: ['check'], execute: () => 'ran' })
      .build();

  const fates = async (condition: string) => {
    const runtime = await open();
    const { id, result } = await runtime.start(branch(condition));
    const { status } = await result;
    return { status, ...(await statuses(runtime, id)), document: (await runtime.get(id))! };
  };

  it.each([
    'outputs.check.wanted',
    `outputs['check']['size'] < 4`,
    'size(outputs.check.text) == 100000',
    `global_context.region == 'eu' && node.config.max == 5`,
  ])('that is true runs the node: %s', async (condition) => {
    expect(await fates(condition)).toMatchObject({ status: 'completed', n: 'completed', then: 'completed' });
  });

  it('that is false skips the node and those that depend on it alone', async () => {
    const { document, ...rest } = await fates('outputs.check.size > 4');
    expect(rest).toEqual({
      status: 'completed',
      check: 'completed',
      n: 'skipped',
      then: 'skipped',
      aside: 'completed',
    });
    expect(document.node_states.n.metadata).toEqual({ skipped_because: 'outputs.check.size > 4' });
    expect(document.node_states.then.metadata).toEqual({ skipped_because: 'dependency "n" was skipped' });
    expect(document).toMatchObject({ completed_nodes: 2, total_nodes: 4, progress_percent: 100 });
    expect(Object.keys(document.node_outputs).sort()).toEqual(['aside', 'check']);
  });

  it('names the dependency that was skipped, not the last one that ended', async () => {
    const order = new Gate();
    const workflow = defineWorkflow({ id: 'late' })
      .node('never', { condition: 'false', execute: () => 1 })
      .node('late', { execute: () => order.passed })
      .node('then', { dependsOn: ['never', 'late'], execute: () => 1 })
      .build();
    const runtime = await open();
    const { id, result } = await runtime.start(workflow);
    await until(async () => (await statuses(runtime, id)).never === 'skipped', 'never is skipped');
    order.open();
    await result;
    const { then } = (await runtime.get(id))!.node_states;
    expect(then.metadata).toEqual({ skipped_because: 'dependency "never" was skipped' });
  });

  it.each(['outputs.check.size', 'outputs.check.nothing == 1', 'outputs.check.text > 1'])(
    'that cannot be evaluated fails its node, which never runs: %s',
    async (condition) => {
      const { document, ...rest } = await fates(condition);
      expect(rest).toMatchObject({ status: 'failed', n: 'failed', then: 'blocked' });
      expect(document).toMatchObject({ failed_node: 'n', error: { code: 'CONDITION_FAILED' } });
    },
  );
});
