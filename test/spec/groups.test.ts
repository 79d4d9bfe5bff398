import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  groupPolicyOf,
  planOf,
  validateSpec,
  workflowFromSpec,
  type NodeSpec,
  type WorkflowSpec,
} from '../../src/spec/index.js';
import { step } from './step-node.js';

const group = (more: object = {}): NodeSpec => ({
  id: 'g',
  name: 'g',
  type: 'parallel_group',
  members: ['a', 'b'],
  ...more,
});
const spec = (...nodes: unknown[]): WorkflowSpec =>
  ({ workflow: { id: 'w', name: 'w' }, nodes }) as WorkflowSpec;
const pair = [step('a'), step('b')];

/** Codes of what is found, warnings with a mark, but for nodes that have nothing to do with each other. */
const found = (given: unknown): string[] =>
  validateSpec(given)
    .problems.filter(({ code }) => code !== 'DISCONNECTED')
    .map(({ code, severity }) => (severity === 'warning' ? `${code}?` : code));

describe('parallel groups', () => {
  it.each<[string, unknown]>([
    ['without anything more', spec(group(), ...pair)],
    [
      'with everything',
      spec(
        step('before'),
        group({
          dependencies: ['before'],
          max_concurrency: 1,
          supervision: { strategy: 'one_for_all', max_restarts: 3, within_seconds: 0.5 },
          on_member_failure: 'cancel',
          metadata: { of: 'people' },
        }),
        ...pair,
        step('after', { dependencies: ['g'], condition: 'outputs.g.a.ok' }),
      ),
    ],
    [
      'of members that depend on each other, and wait',
      spec(group(), step('a'), { id: 'b', name: 'b', type: 'human_review', dependencies: ['a'] }),
    ],
  ])('are valid: %s', (_, given) => {
    expect(found(given)).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ['no members', spec(group({ members: undefined })), ['BAD_GROUP']],
    ['an empty list of members', spec(group({ members: [] })), ['SCHEMA']],
    ['a member that is no node', spec(group({ members: ['a', 'bb'] }), ...pair), ['BAD_GROUP']],
    ['a member twice', spec(group({ members: ['a', 'b', 'a'] }), ...pair), ['BAD_GROUP']],
    ['itself as a member', spec(group({ members: ['a', 'g'] }), step('a')), ['BAD_GROUP']],
    [
      'a member of another group',
      spec(group(), { ...group({ members: ['b'] }), id: 'h' }, ...pair),
      ['BAD_GROUP'],
    ],
    ['a group as a member', spec(group(), { ...group({ members: ['g'] }), id: 'h' }, ...pair), ['BAD_GROUP']],
    ['something to execute', spec(group({ run: 'true' }), ...pair), ['BAD_GROUP']],
    ['a condition', spec(group({ condition: 'true' }), ...pair), ['BAD_GROUP']],
    ['retries', spec(group({ retry_policy: { max_attempts: 2 } }), ...pair), ['BAD_GROUP']],
    ['members of a step', spec(step('a', { members: ['b'] }), step('b')), ['BAD_GROUP']],
    ['a limit of a step', spec(step('a', { max_concurrency: 2 })), ['BAD_GROUP']],
    [
      'a strategy of its own making',
      spec(group({ supervision: { strategy: 'all', max_restarts: 1 } }), ...pair),
      ['SCHEMA'],
    ],
    ['too many restarts', spec(group({ supervision: { max_restarts: 1001 } }), ...pair), ['SCHEMA']],
    [
      'a strategy without restarts',
      spec(group({ supervision: { strategy: 'one_for_all' } }), ...pair),
      ['UNUSED_STRATEGY?'],
    ],
    [
      'a time without restarts',
      spec(group({ supervision: { max_restarts: 0, within_seconds: 1 } }), ...pair),
      ['UNUSED_STRATEGY?'],
    ],
    [
      'a member that depends on its group',
      spec(group(), step('a', { dependencies: ['g'] }), step('b')),
      ['CYCLE'],
    ],
    [
      'a group that depends on what depends on a member',
      spec(group({ dependencies: ['c'] }), ...pair, step('c', { dependencies: ['a'] })),
      ['CYCLE'],
    ],
  ])('are refused, or warned of, with %s', (_, given, codes) => {
    expect(found(given)).toEqual(codes);
  });

  it('are compiled to a node after its members, which depend on what it depends on', () => {
    const { spec: checked } = workflowFromSpec(
      spec(
        group({ dependencies: ['before'], members: ['b', 'a'] }),
        step('a'),
        step('b', { dependencies: ['a'] }),
        step('before'),
        step('after', { dependencies: ['g'] }),
      ),
    );
    const plan = planOf(checked);
    expect([...plan.order].map((node) => plan.ids[node])).toEqual(['before', 'a', 'b', 'g', 'after']);
    const g = plan.indexOf.get('g')!;
    expect([...plan.groups.get(g)!].map((node) => plan.ids[node])).toEqual(['b', 'a']);
    expect(plan.groupOf.get(plan.indexOf.get('a')!)).toBe(g);
    expect(plan.edgeCount).toBe(5);
  });

  it('restart nothing unless told to, and count all restarts unless a time is given', () => {
    expect(groupPolicyOf(group())).toEqual({
      maxConcurrency: Infinity,
      strategy: 'one_for_one',
      intensity: { maxRestarts: 0, withinMs: Infinity },
      onMemberFailure: 'continue',
    });
    const supervision = { strategy: 'rest_for_one', max_restarts: 2, within_seconds: 3 };
    expect(groupPolicyOf(group({ supervision, max_concurrency: 4 }))).toMatchObject({
      maxConcurrency: 4,
      strategy: 'rest_for_one',
      intensity: { maxRestarts: 2, withinMs: 3000 },
    });
  });

  it('can be built, and are the same as from a file', () => {
    const built = defineWorkflow({ id: 'w', name: 'w' })
      .node('before', { execute: () => 1 })
      .node('a', { execute: () => 2 })
      .node('b', { dependsOn: ['a'], execute: () => 'x' })
      .group('g', {
        members: ['b', 'a'],
        dependsOn: ['before'],
        maxConcurrency: 1,
        strategy: 'one_for_all',
        maxRestarts: 2,
        withinSeconds: 3,
        onMemberFailure: 'cancel',
      })
      .node('after', { dependsOn: ['g'], execute: ({ dependencyOutputs }) => dependencyOutputs.g.b })
      .build();
    expect(built.spec.nodes.find(({ id }) => id === 'g')).toEqual({
      id: 'g',
      name: 'g',
      type: 'parallel_group',
      dependencies: ['before'],
      members: ['b', 'a'],
      max_concurrency: 1,
      supervision: { strategy: 'one_for_all', max_restarts: 2, within_seconds: 3 },
      on_member_failure: 'cancel',
    });
  });

  it('cannot be built over what would be a cycle, or over nodes that are not there', () => {
    const builder = defineWorkflow({ id: 'w', name: 'w' })
      .node('a', { execute: () => 1 })
      .node('b', { dependsOn: ['a'], execute: () => 1 });
    expect(() => builder.group('g', { members: ['a'], dependsOn: ['b'] })).toThrow(
      expect.objectContaining({ code: 'CYCLE' }),
    );
    expect(() => builder.group('h', { members: ['nobody' as 'a'] })).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });
});
