import { describe, expect, it } from 'vitest';
import type { ExecutionEvent } from '../../src/observe/events.js';
import { workflowFromSpec, type NodeSpec, type WorkflowSpec } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { simulate } from '../support/simulation.js';

const step = (id: string, fields: Partial<NodeSpec> = {}): NodeSpec => ({
  id,
  name: id,
  type: 'custom',
  run: 'simulated',
  ...fields,
});

/** Runs a workflow whose steps give `{n: 1}`; those named `bad…` fail. */
async function play(spec: WorkflowSpec) {
  const events: ExecutionEvent[] = [];
  const { runtime, clock, pool } = await simulate(new MemoryKv(), {
    seed: 1,
    workflows: [],
    slots: 10,
    lossRate: 0,
    fateOf: (nodeId) => ({
      outcome: nodeId.startsWith('bad') ? 'fail' : 'ok',
      durationMs: 10,
      output: '{"n":1}',
    }),
    onEvent: (event) => events.push(event),
  });
  const execution = await clock.run(runtime.start(workflowFromSpec(spec), {}, { executionId: 'e' }));
  await clock.run(execution.result);
  const document = (await clock.run(runtime.get('e')))!;
  await clock.run(runtime.close());
  const given = pool.dispatched.map(({ call }) => [call.nodeId, call.dependencyOutputs]);
  return { document, events, given: Object.fromEntries(given) as Record<string, string> };
}

const header = { id: 'w', name: 'w', on_failure: 'continue' as const };
const YES = 'outputs.a.n == 1';
const NO = 'outputs.a.n > 1';
const WRONG = 'outputs.a.n.x';

/** `to` depends on `a` by an edge with the condition, and on `b`, which completes, unless it is said to fail. */
async function ends(
  condition: string,
  fields: Partial<NodeSpec>,
  other = 'b',
): Promise<[status: string, why: unknown]> {
  const { document } = await play({
    workflow: header,
    nodes: [step('a'), step(other), step('to', { dependencies: ['a', other], ...fields })],
    edges: [{ from: 'a', to: 'to', condition }],
  });
  const { status, metadata, error_message } = document.node_states.to;
  return [status, metadata.skipped_because ?? error_message];
}

describe('an edge whose condition is false is a skipped dependency', () => {
  const untaken = `the edge from "a" was not taken: ${NO}`;
  it.each<[fields: Partial<NodeSpec>, taken: string, untaken: string, why: unknown]>([
    [{}, 'completed', 'skipped', untaken],
    [{ trigger_rule: 'all_failed' }, 'skipped', 'skipped', 'trigger_rule all_failed did not hold'],
    [{ trigger_rule: 'all_done' }, 'completed', 'completed', null],
    [
      { trigger_rule: 'all_done_min_one_success' },
      'completed',
      'skipped',
      'trigger_rule all_done_min_one_success did not hold',
    ],
    [{ trigger_rule: 'all_skipped' }, 'skipped', 'skipped', 'trigger_rule all_skipped did not hold'],
    [{ trigger_rule: 'one_success' }, 'completed', 'completed', null],
    [{ trigger_rule: 'one_failed' }, 'skipped', 'skipped', 'trigger_rule one_failed did not hold'],
    [{ trigger_rule: 'one_done' }, 'completed', 'completed', null],
    [{ trigger_rule: 'none_failed' }, 'completed', 'completed', null],
    [{ trigger_rule: 'none_failed_min_one_success' }, 'completed', 'completed', null],
    [{ trigger_rule: 'none_skipped' }, 'completed', 'skipped', 'trigger_rule none_skipped did not hold'],
    [{ trigger_rule: 'always' }, 'completed', 'completed', null],
    [{ depends: 'a && b' }, 'completed', 'skipped', 'depends did not hold: a && b'],
    [{ depends: 'a || b' }, 'completed', 'completed', null],
    [{ depends: 'a.Skipped && b' }, 'skipped', 'skipped', 'depends did not hold: a.Skipped && b'],
    [{ depends: 'a.Omitted && b' }, 'skipped', 'completed', null],
    [{ depends: '!a.Succeeded && b' }, 'skipped', 'completed', null],
  ])('%o: taken %s, not taken %s', async (fields, taken, notTaken, why) => {
    expect((await ends(YES, fields))[0]).toBe(taken);
    expect(await ends(NO, fields)).toEqual([notTaken, why]);
  });

  it('gives nothing to a node that runs all the same', async () => {
    const { given } = await play({
      workflow: header,
      nodes: [step('a'), step('b'), step('to', { dependencies: ['a', 'b'], trigger_rule: 'all_done' })],
      edges: [{ from: 'a', to: 'to', condition: NO }],
    });
    expect(given.to).toBe('{"b":{"n":1}}');
  });

  it('leads either here or there, and both ways meet again', async () => {
    const { document, events } = await play({
      workflow: header,
      nodes: [
        step('a', { type: 'conditional' }),
        step('big'),
        step('small'),
        step('join', { dependencies: ['big', 'small'], trigger_rule: 'none_failed_min_one_success' }),
      ],
      edges: [
        { from: 'a', to: 'big', condition: NO },
        { from: 'a', to: 'small', condition: `!(${NO})` },
      ],
    });
    const statuses = Object.values(document.node_states).map(({ node_id, status }) => `${node_id} ${status}`);
    expect(statuses).toEqual(['a completed', 'big skipped', 'small completed', 'join completed']);
    expect(document.node_states.big.metadata.edges).toEqual([{ from: 'a', condition: NO, taken: false }]);
    const told = events.filter(({ event_type }) => event_type === 'edge_evaluated');
    expect(told.map(({ node_id, data }) => [node_id, data])).toEqual([
      ['big', { from: 'a', condition: NO, taken: false }],
      ['small', { from: 'a', condition: `!(${NO})`, taken: true }],
    ]);
  });

  it('holds for the members of a group that it leads to, and for what a group gives', async () => {
    const { document } = await play({
      workflow: header,
      nodes: [
        step('a'),
        step('m1'),
        step('m2', { dependencies: ['m1'] }),
        { id: 'g', name: 'g', type: 'parallel_group', dependencies: ['a'], members: ['m1', 'm2'] },
        step('b'),
        { id: 'h', name: 'h', type: 'parallel_group', members: ['b'] },
        step('after'),
      ],
      edges: [
        { from: 'a', to: 'g', condition: NO },
        { from: 'h', to: 'after', condition: 'outputs.h.b.n == 1' },
      ],
    });
    const statusOf = (id: string): string => document.node_states[id].status;
    expect(['m1', 'm2', 'g', 'after'].map(statusOf)).toEqual(['skipped', 'skipped', 'skipped', 'completed']);
  });
});

describe('an edge whose condition cannot be evaluated', () => {
  it.each<[fields: Partial<NodeSpec>, other: string, status: string]>([
    [{}, 'b', 'failed'],
    [{ trigger_rule: 'all_done' }, 'b', 'failed'],
    [{ trigger_rule: 'none_failed' }, 'b', 'failed'],
    [{ depends: 'a || b' }, 'b', 'failed'],
    // Decided without it.
    [{ trigger_rule: 'one_success' }, 'b', 'completed'],
    [{ trigger_rule: 'always' }, 'b', 'completed'],
    [{}, 'bad', 'blocked'],
    [{ trigger_rule: 'one_failed' }, 'bad', 'completed'],
    [{ trigger_rule: 'one_success' }, 'bad', 'failed'],
  ])('%o beside %s: %s', async (fields, other, status) => {
    const [ended, why] = await ends(WRONG, fields, other);
    expect(ended).toBe(status);
    if (status === 'failed') expect(why).toContain(`condition "${WRONG}" cannot be evaluated`);
  });

  it('says with what value', async () => {
    const [, why] = await ends('outputs.a.n > "many"', {});
    expect(why).toMatch(/"outputs\.a\.n > \\"many\\"".*outputs\.a\.n is 1/);
  });
});
