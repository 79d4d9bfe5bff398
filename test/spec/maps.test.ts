import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../../src/spec/builder.js';
import { validateSpec } from '../../src/spec/validate.js';
import { step } from './step-node.js';

type Fields = Record<string, unknown> & { id: string };

function problemsOf(nodes: readonly Fields[], edges: object[] = []): string[] {
  const given = nodes.map((fields) =>
    fields.type === undefined ? step(fields.id, fields) : { name: fields.id, ...fields },
  );
  const { problems } = validateSpec({
    workflow: { id: 'w', name: 'W' },
    nodes: given,
    ...(edges.length > 0 && { edges }),
  });
  return problems.map(({ message }) => message);
}

const list = { id: 'list' };
const map = '${outputs.list.items}';
const each = { id: 'each', dependencies: ['list'], map };
const group = { id: 'g', type: 'parallel_group', dependencies: ['list'], map, members: ['a', 'b'] };
const a = { id: 'a' };
const b = { id: 'b', dependencies: ['a'] };

describe('maps in workflow files', () => {
  it.each([
    ['a node', [list, { ...each, max_failed: 2, max_concurrency: 3 }]],
    ['a node with a condition on its items', [list, { ...each, condition: 'item.size > 3.0 && index < 5' }]],
    ['a group', [list, group, a, { ...b, condition: 'outputs.a.ok && item != null' }]],
    ['an expression', [list, { ...each, map: 'outputs.list.items.filter(x, x.size > 3).map(x, x.name)' }]],
    ['a list in the context', [list, { ...each, map: 'global_context.regions' }]],
  ])('are right as %s', (_, nodes) => {
    expect(problemsOf(nodes)).toEqual([]);
  });

  it.each<[string, Fields[], RegExp]>([
    ['bad CEL', [list, { ...each, map: '${outputs.list.}' }], /"each": map "outputs.list." is no valid CEL/],
    ['an unknown name', [list, { ...each, map: 'output.list' }], /unknown name output/],
    ['its own item', [list, { ...each, map: 'item.parts' }], /unknown name item/],
    [
      'an output that is not there yet',
      [list, { ...each, dependencies: [] }],
      /the map of node "each" reads the output of "list", which it does not depend on/,
    ],
    ['an item where there is none', [{ ...list, condition: 'item > 3' }, each], /unknown name item/],
    ['two tolerances', [list, { ...each, max_failed: 1, max_failed_percent: 1 }], /give one of them/],
    [
      'a tolerance without a map',
      [{ ...list, max_failed: 1 }, each],
      /"list" has "max_failed", which only a node with "map" can have/,
    ],
    [
      'a review',
      [list, { ...each, type: 'human_review' }],
      /is a human_review: only what executes something/,
    ],
    [
      'a wait',
      [list, { id: 'each', type: 'custom', dependencies: ['list'], map, sleep: { seconds: 1 } }],
      /is "sleep"/,
    ],
    [
      'a member of a group',
      [list, each, { id: 'g', type: 'parallel_group', members: ['each'] }],
      /give "map" to the group/,
    ],
    ['restarts', [list, { ...group, supervision: { max_restarts: 1 } }, a, b], /has "map" and "supervision"/],
    [
      'a stage with a trigger',
      [list, group, a, { ...b, trigger_rule: 'all_done' }],
      /"b" is done for each item of "g": it cannot have "trigger_rule"/,
    ],
    [
      'a stage that waits',
      [list, group, a, { id: 'b', type: 'custom', sleep: { seconds: 1 } }],
      /must execute something/,
    ],
    [
      'a stage with a dependency of its own',
      [list, { id: 'x' }, group, a, { ...b, dependencies: ['a', 'x'] }],
      /depends on "x" outside: let the group depend on that/,
    ],
    [
      'a dependency on a stage',
      [list, group, a, b, { id: 'x', dependencies: ['a'] }],
      /"x" depends on "a", which is done for each item of "g": depend on that group/,
    ],
    ['a loop', [list, { ...each, repeat: { until: 'true', max_iterations: 2 } }], /it cannot have "repeat"/],
    ['contracts', [list, { ...each, input_contracts: ['c'] }], /it cannot have "input_contracts"/],
    ['a map in a map', [list, group, a, { ...b, map: 'outputs.a.parts' }], /it cannot have "map"/],
    [
      'an id that an item has',
      [list, each, { id: 'each[3]', dependencies: ['each'] }],
      /an id that an item of "each" has/,
    ],
  ])('are refused with %s', (_, nodes, message) => {
    expect(problemsOf(nodes)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });

  it('are refused with conditions on edges to their group or its members', () => {
    const edges = [{ from: 'list', to: 'g', condition: 'true' }];
    expect(problemsOf([list, { ...group, dependencies: undefined }, a, b], edges)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/an edge to it has a condition: give the members conditions/),
      ]),
    );
  });

  it('come from the builder, as nodes and as groups', () => {
    const spec = defineWorkflow({ id: 'w' })
      .node('list', { execute: () => ({ items: [1] }) })
      .node('a', { execute: () => 1 })
      .group('g', { members: ['a'], dependsOn: ['list'], map: 'outputs.list.items', maxFailedPercent: 5 })
      .build().spec;
    expect(spec.nodes[2]).toMatchObject({ map: 'outputs.list.items', max_failed_percent: 5 });
  });
});
