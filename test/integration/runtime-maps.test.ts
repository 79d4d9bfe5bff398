import { describe, expect, it } from 'vitest';
import { defineWorkflow, type StepContext, type Workflow } from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';
import { failFirst, manyEntries } from './support/checkpoints.js';
import { collect, Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

interface Given {
  items: readonly unknown[];
  work: (context: StepContext) => unknown;
  more?: object;
  onFailure?: 'fail_fast' | 'continue';
}

/** list → work, for each item → last, which gives what it was given. */
function mapped({ items, work, more = {}, onFailure }: Given): Workflow {
  return defineWorkflow<Record<string, unknown>>({ id: 'mapped', onFailure })
    .node('list', { execute: () => ({ items }) })
    .node('work', { dependsOn: ['list'], map: 'outputs.list.items', execute: work, ...more })
    .node('last', { dependsOn: ['work'], execute: ({ dependencyOutputs }) => dependencyOutputs.work })
    .build();
}

describe('a node that is done for each item', () => {
  it('gives the results in order, however they come; an item knows itself and what it is given', async () => {
    const runtime = await open({ pool: { inline: 10 } });
    const seen: unknown[] = [];
    const workflow = defineWorkflow<Record<string, unknown>>({ id: 'w', globalContext: { by: 2 } })
      .node('list', { execute: () => ({ items: [{ n: 5 }, { n: 3 }, { n: 1 }] }) })
      .node('config', { execute: () => ({ plus: 10 }) })
      .node('work', {
        dependsOn: ['list', 'config'],
        map: '${outputs.list.items}',
        execute: async ({ item, index, nodeId, idempotencyKey, dependencyOutputs, globalContext }) => {
          const { n } = item as { n: number };
          await new Promise((later) => setTimeout(later, n * 5));
          seen.push([nodeId, index, idempotencyKey.split('/').slice(1), Object.keys(dependencyOutputs)]);
          return n * Number(globalContext.by) + dependencyOutputs.config.plus;
        },
      })
      .build();
    const { result, id } = await runtime.start(workflow);
    expect(await result).toMatchObject({ status: 'completed', completed_nodes: 3, total_nodes: 3 });
    const document = (await runtime.get(id, { items: ['work[1]'] }))!;
    expect(document.node_outputs.work).toEqual([20, 16, 12]);
    // The list itself does not travel with every item of it.
    expect(seen).toEqual([
      ['work[2]', 2, ['work[2]', '0'], ['config']],
      ['work[1]', 1, ['work[1]', '0'], ['config']],
      ['work[0]', 0, ['work[0]', '0'], ['config']],
    ]);
    expect(document.node_states.work.metadata.map).toEqual({ items: 3, statuses: { completed: 3 } });
    expect(document.node_states['work[1]']).toMatchObject({ status: 'completed', output: 16 });
    const events = await collect(runtime.events(id));
    expect(events.find(({ event_type }) => event_type === 'map_expanded')).toMatchObject({
      node_id: 'work',
      data: { items: 3, new_nodes: 3 },
    });
    const types = events.filter(({ node_id }) => node_id === 'work[2]').map(({ event_type }) => event_type);
    expect(types).toEqual(['node_ready', 'node_started', 'node_completed']);
  });

  it('of no items gives an empty list', async () => {
    const runtime = await open();
    const { result, id } = await runtime.start(mapped({ items: [], work: () => 1 }));
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_outputs).toMatchObject({ work: [], last: [] });
  });

  it('fails when its list is none, with the expression and what it read', async () => {
    const runtime = await open();
    const { result } = await runtime.start(mapped({ items: 'abc' as never, work: () => 1 }));
    expect(await result).toMatchObject({
      status: 'failed',
      failed_node: 'work',
      error: { code: 'MAP_LIST', message: expect.stringContaining('outputs.list.items is "abc"') as string },
    });
  });

  it('puts up with failures within its tolerance, and cancels the rest beyond it', async () => {
    const runtime = await open({ pool: { inline: 2 } });
    const work = ({ item }: StepContext): unknown => {
      if (Number(item) % 10 === 3) throw new Error(`no ${String(item)}`);
      return item;
    };
    const put = (more: object) => mapped({ items: numbers(100), work, more, onFailure: 'fail_fast' });
    const within = await runtime.start(put({ maxFailedPercent: 10 }));
    expect((await within.result).status).toBe('completed');
    const { node_outputs, node_states } = (await runtime.get(within.id))!;
    expect(node_outputs.last).toEqual(numbers(100).map((n) => (n % 10 === 3 ? null : n)));
    expect(node_states.work.metadata.map).toMatchObject({
      statuses: { completed: 90, failed: 10 },
      failed: expect.arrayContaining([{ node_id: 'work[13]', error: 'no 13' }]) as unknown,
    });
    const beyond = await runtime.start(put({ maxFailed: 4, maxConcurrency: 1 }));
    const result = await beyond.result;
    expect(result).toMatchObject({ status: 'failed', failed_node: 'work', error: { code: 'MAP_FAILED' } });
    expect(result.error!.message).toBe(
      '5 of 100 items failed, more than max_failed 4 allows: work[3]: no 3; work[13]: no 13; work[23]: no 23; and 2 more',
    );
    expect((await runtime.get(beyond.id))!.node_states.work.metadata.map).toMatchObject({
      statuses: { completed: 39, failed: 5, cancelled: 56 },
    });
  });

  it('keeps to its limit, and lets an item go on to its next stage while others are at the first', async () => {
    const runtime = await open({ pool: { inline: 50 } });
    const [gate, ran] = [new Gate(), new Counter()];
    let [running, most] = [0, 0];
    const workflow = defineWorkflow<Record<string, unknown>>({ id: 'chain' })
      .node('list', { execute: () => ({ items: numbers(6) }) })
      .node('first', {
        execute: async ({ item }) => {
          most = Math.max(most, ++running);
          if (item === 5) await gate.passed;
          running--;
          ran.note('first');
          return { of: item };
        },
      })
      .node('second', {
        dependsOn: ['first'],
        condition: 'index != 2 && outputs.first.of == item',
        execute: ({ item, dependencyOutputs }) => {
          ran.note('second');
          return [item, dependencyOutputs.first];
        },
      })
      .group('both', {
        members: ['first', 'second'],
        dependsOn: ['list'],
        map: 'outputs.list.items',
        maxConcurrency: 3,
      })
      .node('last', { dependsOn: ['both'], execute: ({ dependencyOutputs }) => dependencyOutputs.both })
      .build();
    const { result, id } = await runtime.start(workflow);
    // No barrier: all but the held one are through both stages.
    await until(() => ran.of('second') === 4, 'the others are through');
    expect(ran.of('first')).toBe(5);
    gate.open();
    expect((await result).status).toBe('completed');
    expect(most).toBeLessThanOrEqual(3);
    const { node_outputs } = (await runtime.get(id))!;
    expect(node_outputs.last).toEqual(numbers(6).map((n) => (n === 2 ? null : [n, { of: n }])));
    expect(node_outputs.first).toEqual({ items: 6, completed: 6, skipped: 0, failed: 0 });
    expect(node_outputs.second).toEqual({ items: 6, completed: 5, skipped: 1, failed: 0 });
  });

  it('retries items by their own policy, and after its failure only those that failed', async () => {
    const runtime = await open();
    const ran = new Counter();
    let isBroken = true;
    const work = ({ item, attempt, nodeId }: StepContext): unknown => {
      ran.note(nodeId);
      if (item === 1 && attempt < 3) throw new Error('flaky');
      if (item === 2 && isBroken) throw new Error('broken');
      return item;
    };
    const retry = { maxAttempts: 3, delaySeconds: 0 };
    const first = await runtime.start(
      mapped({ items: [0, 1, 2, 3], work, more: { retry }, onFailure: 'continue' }),
    );
    expect(await first.result).toMatchObject({ status: 'failed', failed_node: 'work' });
    isBroken = false;
    const again = await runtime.retry(first.id);
    expect((await again.result).status).toBe('completed');
    expect((await runtime.get(first.id))!.node_outputs.last).toEqual([0, 1, 2, 3]);
    expect(ran.of('work[0]')).toBe(1);
    expect(ran.of('work[1]')).toBe(3);
    expect(ran.of('work[2]')).toBe(4);
  });

  it('goes over the new list when what makes it runs again, which may be shorter or longer', async () => {
    const runtime = await open();
    let count = 3;
    const ran = new Counter();
    const workflow = defineWorkflow<Record<string, unknown>>({ id: 'again' })
      .node('list', { execute: () => numbers(count).map((n) => n * count) })
      .node('work', {
        dependsOn: ['list'],
        map: 'outputs.list',
        execute: ({ item, nodeId }) => (ran.note(nodeId), item),
      })
      .build();
    const { result, id } = await runtime.start(workflow);
    await result;
    const rerun = async (node: string): Promise<unknown> => {
      await (await runtime.rerun(id, node))!.result;
      return (await runtime.get(id))!.node_outputs.work;
    };
    count = 2;
    expect(await rerun('list')).toEqual([0, 2]);
    expect((await runtime.get(id))!.node_states.work.metadata.map).toMatchObject({ items: 2 });
    count = 5;
    expect(await rerun('list')).toEqual([0, 5, 10, 15, 20]);
    // One item by itself: the others keep what they gave.
    const before = ran.of('work[0]');
    expect(await rerun('work[3]')).toEqual([0, 5, 10, 15, 20]);
    expect(ran.of('work[3]')).toBe(2);
    expect(ran.of('work[0]')).toBe(before);
    expect(await rerun('work')).toEqual([0, 5, 10, 15, 20]);
    expect(ran.of('work[0]')).toBe(before + 1);
    const fork = await runtime.fork(id, { from: ['work[1]'] });
    expect((await fork.result).status).toBe('completed');
    expect((await runtime.get(fork.id))!.node_outputs.work).toEqual([0, 5, 10, 15, 20]);
    // Any past moment can be seen: this is right after the first list.
    const replayed = await runtime.replay(id, 5);
    expect(replayed.node_states.work.metadata.map).toMatchObject({ items: 3 });
  });

  it('gives a list too large for the journal a row of its own, and names what has one already', async () => {
    const runtime = await open();
    const work = ({ item }: StepContext): string => 'x'.repeat(item === 1 ? 70_000 : 1_000);
    const { result, id } = await runtime.start(mapped({ items: numbers(80), work }));
    expect((await result).status).toBe('completed');
    const last = (await runtime.get(id))!.node_outputs.last as unknown[];
    expect(last).toHaveLength(80);
    expect(last[1]).toEqual({ output_of: 'work[1]' });
    expect(last[2]).toHaveLength(1_000);
    const { node_outputs } = (await runtime.get(id, { items: ['work[1]'] }))!;
    expect(node_outputs['work[1]']).toHaveLength(70_000);
  });

  it('is cancelled whole, or item by item, and paused', async () => {
    const runtime = await open({ pool: { inline: 2 } });
    const gate = new Gate();
    const work = async ({ item, signal }: StepContext): Promise<unknown> => {
      if (Number(item) < 2)
        await Promise.race([gate.passed, new Promise((_, stop) => signal.addEventListener('abort', stop))]);
      return item;
    };
    const workflow = mapped({ items: numbers(10), work, more: { maxFailed: 1 } });
    const one = await runtime.start(workflow);
    await until(() => {
      try {
        return one.node('work[1]').getSnapshot().value === 'running';
      } catch {
        return false;
      }
    }, 'the second item runs');
    one.node('work[1]').send({ type: 'cancelRequested' });
    gate.open();
    expect((await one.result).status).toBe('completed');
    expect((await runtime.get(one.id))!.node_outputs.last).toEqual([0, null, ...numbers(10).slice(2)]);
  });
});

describe.each(storeKinds())('a map under way on %s', (_, create) => {
  it('goes on in the next process from its checkpoint: done items do not run again, and get the same values', async () => {
    const place = create();
    const [gate, ran] = [new Gate(), new Counter()];
    const COUNT = 3_000;
    const items = numbers(COUNT).map((n) => ({ n, text: 'x'.repeat(40) }));
    const workflow = mapped({
      items,
      work: async ({ item, index, nodeId, attempt }) => {
        failFirst({ attempt });
        ran.note(nodeId);
        if (Number(index) >= 2_000) await gate.passed;
        return (item as { n: number }).n;
      },
      more: { ...manyEntries, condition: 'item.n != 2500' },
    });
    const first = await open({ store: place(), pool: { inline: 50 } });
    const { id } = await first.start(workflow);
    await until(() => ran.of('work[2040]') > 0, 'the gate is reached');
    await first.close({ drainMs: 0, graceMs: 0 });
    const look = await openStore(place());
    expect((await look.load(id))!.checkpoint!.workflow.maps).toMatchObject([{ items: COUNT }]);
    await look.close();
    gate.open();
    const second = await open({ store: place(), workflows: [workflow], pool: { inline: 50 } });
    await until(async () => (await second.get(id))!.status === 'completed', 'it has ended');
    expect((await second.get(id))!.node_outputs.last).toEqual(
      numbers(COUNT).map((n) => (n === 2500 ? null : n)),
    );
    expect(ran.of('work[0]')).toBe(1);
    expect(ran.of('work[2999]')).toBe(1);
    expect((await second.replay(id)).node_states.work.metadata.map).toMatchObject({
      items: COUNT,
      statuses: { completed: COUNT - 1, skipped: 1 },
    });
  });
});
