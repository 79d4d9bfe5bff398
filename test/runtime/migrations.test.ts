import { describe, expect, it } from 'vitest';
import { verifyStore } from '../../src/snapshot/index.js';
import type { Workflow } from '../../src/spec/index.js';
import { openStore } from '../../src/store/open.js';
import {
  after,
  CHILD,
  FAILS,
  finish,
  LIST,
  live,
  LOOP,
  MAPPED,
  NODES,
  of,
  SLOW,
  step,
  stopped,
  wait,
  type Nodes,
  type Story,
  type World,
} from '../support/migration-stories.js';
import { outliving } from '../support/outliving-kv.js';

interface Carried extends Story {
  name: string;
  to: Workflow;
  /** In the last life. */
  then2?: (world: World) => Promise<unknown>;
  /** What runs then. */
  runs: string[];
  outputs?: Record<string, unknown>;
}

/** Nodes before all others in the file: everything gets another number. */
const FIRST: Nodes = [step('first'), step('second')];

const CARRIED: Carried[] = [
  {
    name: 'a failed step is mended, and what comes after it is another one',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([...FIRST, step('a'), step('b', { dependencies: ['a'], run: 'echo' }), after('d', 'b')]),
    runs: ['b', 'd', 'first', 'second'],
  },
  {
    name: 'a node that waits for its retry starts over at once',
    workflow: of([step('a', { retry_policy: { max_attempts: 2, retry_delay_seconds: 3600 } })]),
    fates: { a: FAILS },
    killedAfterMs: 100,
    to: of([step('a', { run: 'echo' })]),
    runs: ['a'],
  },
  {
    name: 'what a failure had blocked and does not depend on it any more',
    workflow: of([step('a'), after('b', 'a'), step('c')], { on_failure: 'continue' }),
    fates: { a: FAILS, c: SLOW },
    pausedAfterMs: 100,
    to: of([...FIRST, step('a'), after('b', 'second'), step('c')], { on_failure: 'continue' }),
    runs: ['a', 'b', 'first', 'second'],
  },
  {
    name: 'a large output, where it is now',
    workflow: of(NODES),
    fates: { a: { output: JSON.stringify('x'.repeat(70_000)) }, b: FAILS },
    to: of([...FIRST, ...NODES]),
    runs: ['b', 'c', 'first', 'second'],
    outputs: { a: 'x'.repeat(70_000) },
  },
  {
    name: 'an open wait, which hears its signal',
    workflow: of([wait('a', 'go'), after('b', 'a')]),
    killedAfterMs: 100,
    to: of([...FIRST, after('b', 'a'), wait('a', 'go')]),
    then2: ({ runtime, clock }) => clock.run(runtime.signal('e', 'go', 7)),
    runs: ['b', 'first', 'second'],
    outputs: { a: 7 },
  },
  {
    name: 'a signal that has come early',
    workflow: of([step('a'), wait('b', 'go', { dependencies: ['a'] })]),
    fates: { a: FAILS },
    then: (runtime) => runtime.signal('e', 'go', 8),
    to: of([...FIRST, step('a'), wait('c', 'go', { dependencies: ['second'] })]),
    runs: ['a', 'first', 'second'],
    outputs: { c: 8 },
  },
  {
    name: 'a loop between two iterations',
    workflow: of([step('a', LOOP)]),
    killedAfterMs: 100,
    to: of([...FIRST, step('a', LOOP)]),
    runs: ['a', 'a', 'first', 'second'],
  },
  {
    name: 'items of a map: those that are done stay done',
    workflow: of(MAPPED),
    fates: {
      list: LIST,
      'work[0]': { output: JSON.stringify('x'.repeat(70_000)) },
      'work[1]': { ...FAILS, durationMs: 20 },
    },
    to: of([...FIRST, MAPPED[1], step('between'), MAPPED[0], after('last', 'work')]),
    runs: ['between', 'first', 'last', 'second', 'work[1]'],
    // What is large stays with its item.
    outputs: { work: [expect.objectContaining({ output_of: 'work[0]' }) as unknown, 'work[1]', 'work[2]'] },
  },
  {
    name: 'a map whose list has not been made is another one',
    workflow: of(MAPPED),
    fates: { list: FAILS },
    to: of([MAPPED[0], { ...MAPPED[1], map: 'outputs.list.filter(n, n > 1)' }]),
    runs: ['list', 'work[0]', 'work[1]'],
  },
  {
    name: 'members of a group that has not ended come and go',
    workflow: of([
      step('m'),
      step('n'),
      { id: 'g', name: 'g', type: 'parallel_group', members: ['m', 'n'], max_concurrency: 1 },
    ]),
    fates: { m: FAILS },
    to: of([
      ...FIRST,
      step('o'),
      { id: 'g', name: 'g', type: 'parallel_group', members: ['m', 'o'] },
      step('m'),
    ]),
    runs: ['first', 'm', 'o', 'second'],
  },
  {
    name: 'the condition on an edge that had been judged',
    workflow: of(
      [step('a'), step('x'), step('b')],
      {},
      {
        edges: [
          { from: 'a', to: 'b', condition: 'outputs.a == "a"' },
          { from: 'x', to: 'b' },
        ],
      },
    ),
    fates: { x: FAILS },
    to: of(
      [...FIRST, step('a'), step('x'), step('b')],
      {},
      {
        edges: [
          { from: 'a', to: 'b', condition: 'outputs.a == "z"' },
          { from: 'x', to: 'b' },
        ],
      },
    ),
    // The edge is judged again: it is not taken, so b is skipped.
    runs: ['first', 'second', 'x'],
  },
  {
    name: 'how nodes run, also of those that have begun',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([step('a', { timeout_seconds: 5 }), ...NODES.slice(1)], {
      max_concurrency: 1,
      on_failure: 'continue',
    }),
    runs: ['b', 'c'],
  },
  {
    name: 'how effects are undone that have not been',
    workflow: of([step('a', { compensate: { run: 'true' } }), after('b', 'a')], { compensate: 'on_cancel' }),
    fates: { b: FAILS },
    to: of([...FIRST, step('a', { compensate: { run: 'false' } }), after('b', 'a')], {
      compensate: 'on_cancel',
    }),
    runs: ['b', 'first', 'second'],
  },
];

describe('what goes on under another definition', () => {
  it.each(CARRIED)('$name', async ({ to, then2, runs, outputs = {}, ...story }) => {
    const kv = await stopped(story);
    const first = await live(kv, story.workflow);
    expect(await first.runtime.migrate('e', to)).toMatchObject({ migrated: true, refusals: [] });
    expect((await verifyStore(outliving(kv))).damage).toEqual([]);
    const world = await live(kv, to, { list: LIST });
    if (then2 !== undefined) await then2(world);
    const document = await finish(world);
    expect(document.status).toBe('completed');
    expect(world.dispatched().sort()).toEqual(runs);
    expect(document.node_outputs).toMatchObject(outputs);
    expect(document.migrations).toEqual([
      { from: story.workflow.definitionHash, to: to.definitionHash, at: expect.any(String) as string },
    ]);
    expect((await verifyStore(outliving(kv))).damage).toEqual([]);
  });

  it('a child that runs for a node of it, and requests that name nodes', async () => {
    const node = {
      id: 's',
      name: 's',
      type: 'subworkflow',
      workflow: './',
      definition: CHILD.definitionHash,
    };
    const withChild = (nodes: Nodes): Workflow =>
      of(nodes, {}, { subworkflows: { [CHILD.definitionHash]: CHILD.spec } });
    const workflow = withChild([node, after('b', 's')]);
    const kv = await stopped({ workflow, fates: { x: SLOW }, killedAfterMs: 100 });
    const to = withChild([...FIRST, after('b', 's'), node]);
    const { runtime } = await live(kv, workflow);
    const store = await openStore(outliving(kv));
    const request = {
      requestId: 'r',
      executionId: 'e',
      createdAtMs: 1,
      kind: 'rerun',
      node: 1,
      cascade: true,
    } as const;
    await store.commit([store.putRequest(request)]);
    await runtime.migrate('e', to);
    expect(await store.requests()).toEqual([{ ...request, node: 2 }]);
    await store.commit([store.deleteRequest(request)]);
    const world = await live(kv, to);
    const document = await finish(world);
    expect([document.status, document.children!.map((child) => child.status)]).toEqual([
      'completed',
      ['completed'],
    ]);
    expect(world.dispatched().sort()).toEqual(['b', 'first', 'second', 'x']);
  });

  it('again and again, and back', async () => {
    const one = of(NODES);
    const two = of([...FIRST, ...NODES]);
    const kv = await stopped({ workflow: one, fates: { b: FAILS } });
    const { runtime } = await live(kv, one);
    for (const to of [two, one, two]) expect((await runtime.migrate('e', to)).migrated).toBe(true);
    // The same once more is nothing.
    expect((await runtime.migrate('e', two)).migrated).toBe(false);
    expect((await verifyStore(outliving(kv))).damage).toEqual([]);
    const world = await live(kv, two);
    expect((await finish(world)).status).toBe('completed');
    expect(world.dispatched().sort()).toEqual(['b', 'c', 'first', 'second']);
    const forked = await world.clock.run(world.runtime.fork('e', { from: ['c'], executionId: 'f' }));
    expect(await world.clock.run(forked.result)).toMatchObject({ status: 'completed' });
    expect((await world.runtime.get('f'))!.migrations).toBeUndefined();
    expect((await verifyStore(outliving(kv))).damage).toEqual([]);
  });
});
