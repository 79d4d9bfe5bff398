import { describe, expect, it } from 'vitest';
import type { Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import {
  after,
  CHILD,
  FAILS,
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
  type Story,
} from '../support/migration-stories.js';
import { quiet } from '../support/simulation.js';

interface Refusal extends Story {
  name: string;
  to: Workflow;
  why: string;
}

const REFUSALS: Refusal[] = [
  {
    name: 'a completed execution',
    workflow: of(NODES),
    to: of([...NODES, step('d')]),
    why: 'it is completed: only what can go on is migrated',
  },
  {
    name: 'a cancelled execution',
    workflow: of(NODES),
    fates: { b: SLOW },
    then: (runtime) => runtime.cancel('e'),
    to: of([...NODES, step('d')]),
    why: 'it is cancelled: only what can go on is migrated',
  },
  {
    name: 'another workflow',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of(NODES, { id: 'v' }),
    why: 'it is one of workflow "w", not "v"',
  },
  {
    name: 'the step of a completed node',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([step('a', { run: 'false' }), ...NODES.slice(1)]),
    why: 'node "a" is changed: it is completed, made by what it was: run',
  },
  {
    name: 'a node before a completed one',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([step('z'), after('a', 'z'), ...NODES.slice(1)]),
    why: 'node "a" is changed: it is completed, made by what it was: dependencies',
  },
  {
    name: 'a completed node that is not there any more',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([step('b'), after('c', 'b')]),
    why: 'node "a" is removed: it is completed',
  },
  {
    name: 'a failed node that is not there any more',
    workflow: of(NODES),
    fates: { b: FAILS },
    to: of([step('a'), after('c', 'a')]),
    why: 'node "b" is removed: it is failed',
  },
  {
    name: 'the condition of a node that was skipped',
    workflow: of([step('a', { condition: 'false' }), step('b')]),
    fates: { b: FAILS },
    to: of([step('a', { condition: 'true' }), step('b')]),
    why: 'node "a" is changed: it is skipped, made by what it was: condition',
  },
  {
    name: 'a node that ran when its process died',
    workflow: of(NODES),
    fates: { b: SLOW },
    killedAfterMs: 100,
    to: of([step('a'), step('b', { dependencies: ['a'], env: { X: '1' } }), NODES[2]]),
    why: 'node "b" is changed: it is running, or runs again where it was interrupted, made by what it was: env',
  },
  {
    name: 'an open wait',
    workflow: of([wait('a', 'go')]),
    killedAfterMs: 100,
    to: of([wait('a', 'went')]),
    why: 'node "a" is changed: it is waiting (signal), made by what it was: wait_for',
  },
  {
    name: 'a signal that has come and that nobody would wait for',
    workflow: of([step('a'), wait('b', 'go', { dependencies: ['a'] })]),
    fates: { a: FAILS },
    then: (runtime) => runtime.signal('e', 'go', 1),
    to: of([step('a')]),
    why: 'signal "go" has come, and no node would wait for it any more',
  },
  {
    name: 'a loop between two iterations',
    workflow: of([step('a', LOOP)]),
    killedAfterMs: 100,
    to: of([step('a', { ...LOOP, run: 'false' })]),
    why: 'node "a" is changed: it is running, or runs again where it was interrupted, made by what it was: run',
  },
  {
    name: 'a map whose list has been made',
    workflow: of(MAPPED),
    fates: { list: LIST, 'work[1]': FAILS },
    to: of([MAPPED[0], { ...MAPPED[1], run: 'false' }]),
    why: 'node "work" is changed: its list has been made, and its items are made by what it was: run',
  },
  {
    name: 'such a map that is not there any more',
    workflow: of(MAPPED),
    fates: { list: LIST, 'work[1]': SLOW },
    killedAfterMs: 100,
    to: of([MAPPED[0], step('b')]),
    why: 'node "work" is removed: its list has been made: its items are part of the history',
  },
  {
    name: 'the members of a group that has completed',
    workflow: of([
      step('m'),
      { id: 'g', name: 'g', type: 'parallel_group', members: ['m'] },
      after('b', 'g'),
    ]),
    fates: { b: FAILS },
    to: of([
      ...[step('m'), step('n')],
      { id: 'g', name: 'g', type: 'parallel_group', members: ['m', 'n'] },
      after('b', 'g'),
    ]),
    why: 'node "g" is changed: it is completed, made by what it was: dependencies, members',
  },
  {
    name: 'a contract that a completed node has kept',
    workflow: of(
      [step('a', { output_contracts: ['k'] }), after('b', 'a')],
      {},
      {
        contracts: [{ id: 'k', schema: { type: 'string' } }],
      },
    ),
    fates: { b: FAILS },
    to: of(
      [step('a', { output_contracts: ['k'] }), after('b', 'a')],
      {},
      {
        contracts: [{ id: 'k', schema: { type: 'number' } }],
      },
    ),
    why: 'node "a" is changed: it is completed, made by what it was: contracts',
  },
  {
    name: 'compensation under way',
    workflow: of([step('a', { compensate: { run: 'true' } }), after('b', 'a')]),
    fates: { b: FAILS, 'compensate:a': SLOW },
    killedAfterMs: 100,
    to: of([step('a', { compensate: { run: 'false' } }), after('b', 'a')]),
    why: 'its nodes are being compensated, or have been',
  },
];

describe('what cannot go on under another definition', () => {
  it.each(REFUSALS)('$name', async ({ to, why, ...story }) => {
    const kv = await stopped(story);
    const { runtime } = await live(kv, story.workflow);
    const before = await runtime.get('e');
    const { refusals, nodes, allowed } = await runtime.migrate('e', to, { dryRun: true });
    const reasons = nodes.flatMap(({ node_id, change, why: text }) =>
      text === undefined ? [] : [`node "${node_id}" is ${change}: ${text}`],
    );
    expect([...refusals, ...reasons]).toContain(why);
    expect(allowed).toBe(false);
    await expect(runtime.migrate('e', to)).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      problems: [...refusals, ...reasons].map((message) => expect.objectContaining({ message }) as unknown),
    });
    expect(await runtime.get('e')).toEqual(before);
  });

  it('an execution that runs here, and the child of another one', async () => {
    const node = {
      id: 's',
      name: 's',
      type: 'subworkflow',
      workflow: './',
      definition: CHILD.definitionHash,
    };
    const parent = of([node], {}, { subworkflows: { [CHILD.definitionHash]: CHILD.spec } });
    const kv = new MemoryKv();
    const { runtime, clock } = await live(kv, parent, { x: SLOW });
    await clock.run(runtime.start(parent, {}, { executionId: 'e' }));
    for (let i = 0; i < 5; i++) await quiet();
    const { children } = (await runtime.get('e'))!;
    await expect(runtime.migrate('e', of([step('a')]))).rejects.toMatchObject({
      problems: expect.arrayContaining([
        expect.objectContaining({
          message: expect.stringContaining('this process runs it; pause it first') as string,
        }),
      ]) as unknown,
    });
    const { refusals } = await runtime.migrate(children![0].execution_id, CHILD, { dryRun: true });
    expect(refusals).toContain("execution e has started it, and its definition is part of that one's");
    await expect(runtime.migrate('none', parent)).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
  });
});
