import { describe, expect, it } from 'vitest';
import { defineWorkflow, validateSpec, workflowFromSpec } from '../../src/spec/index.js';
import { step } from './step-node.js';

const spec = (...nodes: unknown[]): unknown => ({ workflow: { id: 'w', name: 'w' }, nodes });
const pair = [step('a'), step('b')];
const group = { id: 'g', name: 'g', type: 'parallel_group', members: ['b', 'c'], dependencies: ['a'] };

const problemsOf = (given: unknown): string[] =>
  validateSpec(given)
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ code, message }) => `${code}: ${message}`);

describe('trigger rules and dependency expressions in a spec', () => {
  it('are valid, and an expression names the dependencies', () => {
    const { nodes } = workflowFromSpec(
      spec(
        ...pair,
        step('c', { dependencies: ['a'], trigger_rule: 'one_failed' }),
        step('d', { depends: 'a.Succeeded || (b.Failed && !c.Skipped)' }),
        step('e', { depends: 'a && b', dependencies: ['b', 'a'] }),
      ),
    ).spec;
    expect(nodes.map(({ dependencies }) => dependencies)).toEqual([
      [],
      [],
      ['a'],
      ['a', 'b', 'c'],
      ['b', 'a'],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['an unknown rule', spec(...pair, { ...step('c'), trigger_rule: 'some' }), 'SCHEMA'],
    ['both', spec(...pair, step('c', { depends: 'a', trigger_rule: 'all_done' })), 'TWO_TRIGGERS: node "c"'],
    ['no expression', spec(...pair, step('c', { depends: 'a &&' })), 'BAD_DEPENDS: node "c"'],
    ['no such result', spec(...pair, step('c', { depends: 'a.Done' })), 'BAD_DEPENDS: node "c"'],
    [
      'a node that is none',
      spec(...pair, step('c', { depends: 'aa.Failed' })),
      'UNKNOWN_DEPENDENCY: node "c"',
    ],
    ['itself', spec(...pair, step('c', { depends: 'c.Failed || a' })), 'SELF_DEPENDENCY: node "c"'],
    [
      'dependencies that it does not name',
      spec(...pair, step('c', { depends: 'a', dependencies: ['a', 'b'] })),
      'DEPENDS_MISMATCH: node "c"',
    ],
    ['a cycle', spec(step('a', { depends: 'b.Failed' }), step('b', { depends: 'a.Failed' })), 'CYCLE'],
    [
      'a rule of a group',
      spec(...pair, step('c'), { ...group, trigger_rule: 'all_done' }),
      'BAD_GROUP: node "g"',
    ],
    [
      'a member',
      spec(step('a'), step('x'), step('b'), step('c', { depends: 'x' }), group),
      'BAD_DEPENDS: node "c"',
    ],
  ])('are refused with %s', (_, given, expected) => {
    expect(problemsOf(given).join('\n')).toContain(expected);
  });

  it('may name what the group of a member depends on, or another member', () => {
    expect(
      problemsOf(spec(step('a'), step('b', { depends: 'a.Failed' }), step('c', { depends: 'b' }), group)),
    ).toEqual([]);
  });

  it('can be built', () => {
    const { spec: built } = defineWorkflow({ id: 'w' })
      .node('a', { execute: () => 1 })
      .node('b', { dependsOn: ['a'], triggerRule: 'all_done', execute: () => 2 })
      .node('c', { depends: 'a.Failed || b', execute: () => 3 })
      .build();
    expect(built.nodes[1]).toMatchObject({ trigger_rule: 'all_done', dependencies: ['a'] });
    expect(built.nodes[2]).toMatchObject({ depends: 'a.Failed || b', dependencies: ['a', 'b'] });
  });
});
