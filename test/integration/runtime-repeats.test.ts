import { describe, expect, it } from 'vitest';
import { defineWorkflow, type ExecutionEvent, type Workflow } from '../../src/runtime/index.js';
import { collect, Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

const own = (events: readonly ExecutionEvent[], nodeId: string): [string, unknown][] =>
  events
    .filter(({ node_id }) => node_id === nodeId)
    .map(({ event_type, data }) => [event_type, data.iteration]);

/** count → after: count adds one to what the iteration before gave, of which there may be much. */
function counting(until: string, more: object = {}, size = 0): Workflow {
  return defineWorkflow<Record<string, unknown>>({ id: 'counting', onFailure: 'continue' })
    .node('count', {
      repeat: { until, max: 5, ...more },
      execute: ({ previousOutput, iteration }) => {
        const { n, text } = (previousOutput ?? { n: 0, text: '' }) as { n: number; text: string };
        if (iteration > 1 && text.length !== size) throw new Error('the output before is not whole');
        return { n: n + iteration, text: 'x'.repeat(size) };
      },
    })
    .node('after', {
      dependsOn: ['count'],
      execute: ({ dependencyOutputs }) => (dependencyOutputs.count as { n: number }).n,
    })
    .build();
}

describe.each(storeKinds())('a node that repeats, on %s', (_, create) => {
  it.each<[string, Workflow, number]>([
    ['its own output', counting('node.output.n >= 6'), 6],
    ['its output by its id', counting('outputs.count.n >= 6'), 6],
    ['the iteration', counting('node.iteration == 4'), 10],
    ['large outputs', counting('node.output.n >= 6', {}, 200_000), 6],
    ['a delay', counting('node.output.n >= 6', { delaySeconds: 0.01 }), 6],
    ['no end but the last output', counting('false', { onExhausted: 'complete' }), 15],
  ])('goes on by %s', async (what, workflow, n) => {
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    const { node_outputs, node_states } = (await runtime.get(id))!;
    expect(node_outputs).toMatchObject({ count: { n }, after: n });
    const iteration = what === 'the iteration' ? 4 : what.startsWith('no end') ? 5 : 3;
    expect(node_states.count.metadata).toMatchObject({ run: iteration - 1, repeat: { iteration, max: 5 } });
  });

  it('tells each iteration, live as later, and again after it was restored from a checkpoint', async () => {
    const place = create();
    const live: ExecutionEvent[] = [];
    const runtime = await open({ store: place(), onEvent: (event) => live.push(event) });
    const { id, result } = await runtime.start(counting('node.output.n >= 6'));
    await result;
    expect(await collect(runtime.events(id))).toEqual(live);
    expect(own(live, 'count')).toEqual([
      ['node_ready', undefined],
      ['node_started', undefined],
      ['node_repeated', 1],
      ['node_started', 2],
      ['node_repeated', 2],
      ['node_started', 3],
      ['node_completed', 3],
    ]);
    expect(live.find(({ event_type }) => event_type === 'node_repeated')!.data).toMatchObject({
      iteration: 1,
      output: { n: 1 },
      delay: 0,
    });
    const rerun = await runtime.rerun(id, 'count', { cascade: true });
    await rerun!.result;
    expect((await runtime.get(id))!).toMatchObject({
      node_outputs: { after: 6 },
      node_states: { count: { metadata: { run: 5, repeat: { iteration: 3 } } } },
    });
  });

  it('gives each iteration attempts anew, and a key of its own', async () => {
    const keys: string[] = [];
    const workflow = defineWorkflow({ id: 'flaky' })
      .node('flaky', {
        retry: { maxAttempts: 2, delaySeconds: 0.01 },
        repeat: { until: 'node.iteration == 3', max: 3 },
        execute: ({ attempt, idempotencyKey }) => {
          keys.push(`${idempotencyKey}#${attempt}`);
          if (attempt === 1) throw new Error('not yet');
          return attempt;
        },
      })
      .build();
    const runtime = await open({ store: create()() });
    const { result } = await runtime.start(workflow, {}, { executionId: 'e' });
    expect((await result).status).toBe('completed');
    expect(keys).toEqual([0, 1, 2].flatMap((run) => [`e/flaky/${run}#1`, `e/flaky/${run}#2`]));
  });

  it('fails for good when it was not enough, or cannot be told, and begins anew when it is retried', async () => {
    const runtime = await open({ store: create()() });
    for (const [condition, code, message] of [
      [
        'false',
        'REPEAT_EXHAUSTED',
        /node "count" repeated 5 iterations, and its "until" did not hold: false/,
      ],
      ['node.output.m > 1', 'CONDITION_FAILED', /node\.output\.m > 1/],
    ] as const) {
      const { id, result } = await runtime.start(counting(condition));
      expect(await result).toMatchObject({ status: 'failed', failed_node: 'count', error: { code } });
      const { node_states } = (await runtime.get(id))!;
      expect(node_states.count.error_message).toMatch(message);
      expect(node_states.after.status).toBe('blocked');
      const again = await runtime.retry(id);
      expect((await again.result).status).toBe('failed');
      expect(
        own(await collect(runtime.events(id)), 'count').filter(([type]) => type === 'node_failed'),
      ).toHaveLength(2);
    }
  });

  it('stays where it is while paused, and ends when it is cancelled in its delay', async () => {
    const runtime = await open({ store: create()() });
    for (const what of ['pause', 'cancel'] as const) {
      const ran = new Counter();
      const workflow = defineWorkflow({ id: what })
        .node('poll', {
          repeat: { until: 'node.iteration == 2', max: 2, delaySeconds: what === 'pause' ? 0.2 : 3600 },
          execute: () => ran.note('poll'),
        })
        .build();
      const { id, result } = await runtime.start(workflow);
      const stateOf = async () => (await runtime.get(id))!.node_states.poll;
      await until(async () => (await stateOf()).metadata.run === 1, 'the first iteration has ended');
      expect(await stateOf()).toMatchObject({
        status: 'ready',
        metadata: { repeat: { iteration: 2, next_at: expect.any(String) as string } },
      });
      await runtime[what](id);
      expect((await result).status).toBe(what === 'pause' ? 'paused' : 'cancelled');
      if (what === 'pause') expect((await (await runtime.resume(id)).result).status).toBe('completed');
      expect(ran.of('poll')).toBe(what === 'pause' ? 2 : 1);
    }
  });

  it('repeats on threads and as a command, which are told the iteration and the output before', async () => {
    const loop = { until: 'node.iteration == 2', max: 2 };
    const workflow = defineWorkflow({ id: 'kinds' })
      .node('thread', { uses: './runtime-steps.js#looped', repeat: loop })
      .node('process', { uses: './runtime-steps.js#looped', isolation: 'process', repeat: loop })
      .node('command', { run: 'cat', repeat: loop })
      .node('plain', { uses: './runtime-steps.js#looped' })
      .build({ baseDir: new URL('../fixtures/steps/', import.meta.url).pathname });
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    const second = { iteration: 2, before: { iteration: 1, before: null } };
    expect((await runtime.get(id))!.node_outputs).toMatchObject({
      thread: second,
      process: second,
      command: { iteration: 2, previous_output: { iteration: 1, previous_output: null } },
      plain: { iteration: 1, before: null },
    });
  });

  it('restores a loop in the middle from a checkpoint', async () => {
    const place = create();
    const gate = new Gate();
    // More entries than there are between two checkpoints.
    const OFTEN = 4500;
    const workflow = defineWorkflow({ id: 'often' })
      .node('often', {
        repeat: { until: `node.output >= ${OFTEN + 1}`, max: 100_000 },
        execute: async ({ previousOutput }) => {
          const n = Number(previousOutput ?? 0) + 1;
          if (n === OFTEN + 1) await gate.passed;
          return n;
        },
      })
      .build();
    const first = await open({ store: place(), durability: 'async' });
    const { id } = await first.start(workflow);
    await until(async () => (await first.get(id))!.node_states.often.metadata.run === OFTEN, 'it is far');
    await first.close({ drainMs: 0 });
    gate.open();
    const second = await open({ store: place(), workflows: [workflow] });
    await until(async () => (await second.get(id))!.status === 'completed', 'it has ended');
    expect((await second.get(id))!).toMatchObject({
      node_outputs: { often: OFTEN + 1 },
      node_states: { often: { metadata: { run: OFTEN, repeat: { iteration: OFTEN + 1 } } } },
    });
  }, 60_000);
});
