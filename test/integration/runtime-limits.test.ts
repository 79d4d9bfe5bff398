import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compilePlan,
  defineWorkflow,
  graphNodes,
  type ExecutionMode,
  type RuntimeOptions,
} from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

/** Counts how many steps overlap. Each waits until no further one begins, so the most that may overlap do. */
class Overlap {
  now = 0;
  max = 0;
  readonly order: string[] = [];

  readonly execute = async ({ nodeId }: { nodeId: string }): Promise<void> => {
    this.order.push(nodeId);
    this.now++;
    for (let seen = -1; seen !== this.order.length;) {
      seen = this.order.length;
      await new Promise((resolve) => setTimeout(resolve, 15));
      this.max = Math.max(this.max, this.now);
    }
    this.now--;
  };
}

function wide(overlap: Overlap, width: number, maxConcurrency?: number) {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'wide', maxConcurrency });
  for (let i = 0; i < width; i++) builder.node(`n${i}`, { execute: overlap.execute });
  return builder.build();
}

async function maxOverlap(
  options: RuntimeOptions,
  executions: { maxConcurrency?: number; concurrency?: number; mode?: ExecutionMode }[],
): Promise<number> {
  const overlap = new Overlap();
  const runtime = await open(options);
  const results = executions.map(async ({ maxConcurrency, ...start }) => {
    const execution = await runtime.start(wide(overlap, 6, maxConcurrency), {}, start);
    expect((await execution.result).completed_nodes).toBe(6);
  });
  await Promise.all(results);
  return overlap.max;
}

describe('at once there run', () => {
  it('all nodes that may, without a limit', async () => {
    expect(await maxOverlap({}, [{}, {}])).toBe(12);
  });
  it('as many as the runtime allows, over all executions', async () => {
    expect(await maxOverlap({ concurrency: 4 }, [{}, {}])).toBe(4);
  });
  it('as many as the execution allows', async () => {
    expect(await maxOverlap({}, [{ concurrency: 2 }])).toBe(2);
    expect(await maxOverlap({}, [{ concurrency: 2 }, { concurrency: 3 }])).toBe(5);
  });
  it('as many as the workflow allows in each execution', async () => {
    expect(await maxOverlap({}, [{ maxConcurrency: 3 }])).toBe(3);
    expect(await maxOverlap({}, [{ maxConcurrency: 3, concurrency: 2 }])).toBe(2);
    expect(await maxOverlap({}, [{ maxConcurrency: 2, concurrency: 3 }])).toBe(2);
  });
  it('as many as the pool takes', async () => {
    expect(await maxOverlap({ pool: { inline: 5 } }, [{}, {}])).toBe(5);
  });
  it('one per execution in the linear modes', async () => {
    expect(await maxOverlap({ mode: 'linear' }, [{}])).toBe(1);
    expect(await maxOverlap({ mode: 'dag_linear' }, [{}])).toBe(1);
    expect(await maxOverlap({ mode: 'linear' }, [{ mode: 'dag_parallel' }])).toBe(6);
    expect(await maxOverlap({}, [{ mode: 'linear' }, { mode: 'dag_linear' }])).toBe(2);
  });
});

describe('in linear mode', () => {
  const sizes = fc.record({ size: fc.integer({ min: 1, max: 20 }), seed: fc.infiniteStream(fc.nat()) });

  it('nodes run in topological order, one after the other, whatever their kind and fate', async () => {
    const runtime = await open({ mode: 'linear' });
    const property = fc.asyncProperty(sizes, async ({ size, seed }) => {
      const builder = defineWorkflow<Record<string, unknown>>({ id: 'random', onFailure: 'continue' });
      const order: string[] = [];
      let running = 0;
      for (let i = 0; i < size; i++) {
        const wanted = i === 0 ? 0 : seed.next().value % 3;
        const dependsOn = Array.from({ length: wanted }, () => `n${seed.next().value % i}`);
        let failures = seed.next().value % 4 === 0 ? 1 : 0;
        builder.node(`n${i}`, {
          dependsOn: [...new Set(dependsOn)],
          retry: { maxAttempts: 2, delaySeconds: 0.001 },
          condition: seed.next().value % 5 === 0 ? 'false' : 'true',
          execute: async ({ nodeId }) => {
            expect(running++).toBe(0);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            if (failures-- > 0) throw new Error('once');
            order.push(nodeId);
          },
        });
      }
      const workflow = builder.build();
      expect((await (await runtime.start(workflow)).result).status).toBe('completed');
      const plan = compilePlan(graphNodes(workflow.spec));
      const ran = new Set(order);
      expect(order).toEqual([...plan.order].map((node) => plan.ids[node]).filter((id) => ran.has(id)));
      const wanted = workflow.spec.nodes.filter(({ id }) => ran.has(id));
      for (const { dependencies = [] } of wanted) expect(dependencies.every((id) => ran.has(id))).toBe(true);
    });
    await fc.assert(property, { numRuns: 30 });
  });
});

describe.each(storeKinds())('executions that wait for a place in memory, on %s', (_, create) => {
  it('get their turn, first come, first served', async () => {
    const runtime = await open({ store: create()(), maxActiveExecutions: 2 });
    const ran: string[] = [];
    let active = 0;
    let most = 0;
    const workflow = defineWorkflow({ id: 'short' })
      .node('n', {
        execute: async ({ executionId }) => {
          ran.push(executionId);
          most = Math.max(most, ++active);
          await new Promise((resolve) => setTimeout(resolve, 2));
          active--;
        },
      })
      .build();
    const ids = Array.from({ length: 20 }, (_, i) => `e${String(i).padStart(2, '0')}`);
    const executions = await Promise.all(
      ids.map((executionId) => runtime.start(workflow, {}, { executionId })),
    );
    for (const { result } of executions) expect((await result).status).toBe('completed');
    expect([...ran].sort()).toEqual(ids);
    expect(most).toBe(2);
    expect((await runtime.list({ status: 'completed' })).records).toHaveLength(20);
  });

  it('can be paused, resumed and cancelled while they wait, and have no actors', async () => {
    const runtime = await open({ store: create()(), maxActiveExecutions: 1 });
    const [gate, ran] = [new Gate(), new Counter()];
    const blocker = defineWorkflow({ id: 'blocker' })
      .node('n', { execute: () => gate.passed })
      .build();
    const short = defineWorkflow({ id: 'short' })
      .node('n', { execute: ({ executionId }) => ran.note(executionId) })
      .build();
    const first = await runtime.start(blocker);
    const [paused, cancelled, last] = await Promise.all([1, 2, 3].map(() => runtime.start(short)));
    expect(() => paused.actor).toThrow(expect.objectContaining({ code: 'EXECUTION_STATE' }));
    expect((await runtime.get(paused.id))!).toMatchObject({ status: 'pending', interrupted: false });
    await runtime.pause(paused.id);
    expect((await paused.result).status).toBe('paused');
    await runtime.cancel(cancelled.id);
    expect((await cancelled.result).status).toBe('cancelled');
    const resumed = await runtime.resume(paused.id, { workflow: short });
    gate.open();
    for (const { result } of [first, last, resumed]) expect((await result).status).toBe('completed');
    expect(Object.fromEntries(ran.counts)).toEqual({ [paused.id]: 1, [last.id]: 1 });
  });

  it('are resumed and cancelled once, however often and whenever they are asked', async () => {
    const runtime = await open({ store: create()(), maxActiveExecutions: 1 });
    const [gate, ran] = [new Gate(), new Counter()];
    const blocker = defineWorkflow({ id: 'blocker' })
      .node('n', { execute: () => gate.passed })
      .build();
    const short = defineWorkflow({ id: 'short' })
      .node('n', { execute: ({ executionId }) => ran.note(executionId) })
      .node('m', { dependsOn: ['n'], execute: () => new Promise((resolve) => setTimeout(resolve, 5)) })
      .build();
    const first = await runtime.start(blocker);
    const waiting = await Promise.all(Array.from({ length: 8 }, () => runtime.start(short)));
    gate.open();
    await first.result;
    // One of them is just being read from the store, the others wait: each request must find it where it is.
    for (const { id } of waiting) {
      const requests = [runtime.pause(id), runtime.resume(id, { workflow: short }), runtime.cancel(id)];
      for (const outcome of await Promise.allSettled(requests)) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'EXECUTION_STATE' });
      }
      await until(async () => (await runtime.get(id))!.status !== 'running', `${id} is at rest`);
      expect(ran.of(id)).toBeLessThanOrEqual(1);
    }
    expect((await (await runtime.start(short)).result).status).toBe('completed');
  });
});
