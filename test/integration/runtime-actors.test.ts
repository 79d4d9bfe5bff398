import { describe, expect, it } from 'vitest';
import { defineWorkflow, openKv, type Kv } from '../../src/runtime/index.js';
import { outliving } from '../support/outliving-kv.js';
import { Gate, runtimes, until } from './support/runtimes.js';

const open = runtimes();

/** A store whose commits wait while its gate is closed. */
async function slowStore(): Promise<Kv & { gate: Gate; waiting: number }> {
  const kv = outliving(await openKv('memory:'));
  const gate = new Gate();
  gate.open();
  const slow = {
    ...kv,
    gate,
    waiting: 0,
    commit: async (...given: Parameters<Kv['commit']>) => {
      slow.waiting++;
      await slow.gate.passed;
      slow.waiting--;
      await kv.commit(...given);
    },
  };
  return slow;
}

function two(first: Gate, second: Gate) {
  let failures = 1;
  return defineWorkflow({ id: 'two', onFailure: 'continue' })
    .node('first', {
      retry: { maxAttempts: 2, delaySeconds: 0.001 },
      execute: async () => {
        await first.passed;
        if (failures-- > 0) throw new Error('once');
      },
    })
    .node('second', { dependsOn: ['first'], execute: () => second.passed })
    .build();
}

const name = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : Object.entries(value as object)
        .flat()
        .join('.');

describe('actor references', () => {
  it('follow what happens, state by state, to the end', async () => {
    const runtime = await open();
    const [first, second] = [new Gate(), new Gate()];
    const execution = await runtime.start(two(first, second));
    const seen = { workflow: [] as string[], first: [] as string[], second: [] as string[] };
    let completed = 0;
    const follow = (log: string[]) => ({
      next: ({ value }: { value: unknown }) => log.push(name(value)),
      complete: () => completed++,
    });
    execution.actor.subscribe(follow(seen.workflow));
    execution.node('first').subscribe(follow(seen.first));
    execution.node('second').subscribe(follow(seen.second));
    expect(execution.actor.getSnapshot().value).toBe('running');
    expect(execution.node('second').getSnapshot().value).toBe('pending');
    first.open();
    second.open();
    await execution.result;
    expect(seen.workflow).toEqual(['completed']);
    // The first attempt had been decided before anybody looked.
    expect(seen.first.slice(-3)).toEqual(['failed.retrying', 'running', 'completed']);
    expect(seen.second).toEqual(['ready', 'running', 'completed']);
    expect(completed).toBe(3);
    expect(execution.actor.getSnapshot().value).toBe('completed');
    expect(execution.node('first').getSnapshot()).toMatchObject({
      value: 'completed',
      context: { attempt: 2 },
    });
    expect(execution.node('second').getSnapshot().value).toBe('completed');
    expect(() => execution.node('third')).toThrow(expect.objectContaining({ code: 'NODE_NOT_FOUND' }));
  });

  it('show nothing that a crash could still take back', async () => {
    const store = await slowStore();
    const runtime = await open({ store });
    const [first, second] = [new Gate(), new Gate()];
    const workflow = defineWorkflow({ id: 'plain' })
      .node('first', { execute: () => first.passed })
      .node('second', { dependsOn: ['first'], execute: () => second.passed })
      .build();
    const execution = await runtime.start(workflow);
    const node = execution.node('first');
    await until(() => node.getSnapshot().value === 'running', 'first runs');
    store.gate = new Gate();
    first.open();
    // The commit of what first has come to is under way.
    await until(() => store.waiting > 0, 'the commit waits');
    expect(node.getSnapshot().value).toBe('running');
    // One that nobody has looked at before, too.
    const unseen = execution.node('second').getSnapshot().value;
    store.gate.open();
    expect(unseen).toBe('pending');
    await until(() => node.getSnapshot().value === 'completed', 'first is stored');
    second.open();
    expect((await execution.result).status).toBe('completed');
  });

  it('can be taken while an event is told, and miss nothing', async () => {
    const seen: string[] = [];
    const runtime = await open({
      onEvent: ({ node_id, event_type }) => {
        if (event_type !== 'node_started' || node_id !== 'second') return;
        const node = execution.node('second');
        seen.push(name(node.getSnapshot().value));
        node.subscribe(({ value }) => seen.push(name(value)));
      },
    });
    const [first, second] = [new Gate(), new Gate()];
    const execution = await runtime.start(two(first, second));
    first.open();
    second.open();
    expect((await execution.result).status).toBe('completed');
    expect(seen.slice(-2)).toEqual(['running', 'completed']);
    expect(execution.node('second').getSnapshot().value).toBe('completed');
  });

  it('take requests, and no facts', async () => {
    const runtime = await open();
    const [first, second] = [new Gate(), new Gate()];
    const workflow = two(first, second);
    const execution = await runtime.start(workflow);
    const usage = expect.objectContaining({ code: 'USAGE' }) as Error;
    const fact = { type: 'attemptSucceeded', output: '1', artifacts: [], durationMs: 1 } as const;
    expect(() => execution.node('first').send(fact)).toThrow(usage);
    expect(() => execution.actor.send({ type: 'allNodesSettled' })).toThrow(usage);
    execution.actor.send({ type: 'pauseRequested' });
    await until(() => execution.actor.getSnapshot().value === 'paused', 'it is paused');
    execution.actor.send({ type: 'resumeRequested' });
    await until(() => execution.actor.getSnapshot().value === 'running', 'it goes on');
    execution.node('first').send({ type: 'cancelRequested' });
    expect(await execution.result).toMatchObject({ status: 'failed', failed_node: 'first' });
    expect(execution.node('first').getSnapshot().value).toBe('cancelled');
    expect(execution.node('second').getSnapshot().value).toBe('blocked');
    expect(() => execution.actor.send({ type: 'cancelRequested' })).toThrow(
      expect.objectContaining({ code: 'EXECUTION_STATE' }),
    );
  });

  it('cancel a whole execution', async () => {
    const runtime = await open();
    const execution = await runtime.start(two(new Gate(), new Gate()));
    execution.actor.send({ type: 'cancelRequested', reason: 'why not' });
    expect((await execution.result).status).toBe('cancelled');
  });
});
