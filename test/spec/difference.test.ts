import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareDefinitions,
  isSameDefinition,
  workflowFromSpec,
  type NodeSpec,
  type WorkflowSpec,
} from '../../src/spec/index.js';
import { dagArbitrary, lcg } from '../support/random-dag.js';
import { step } from './step-node.js';

type Given = Partial<Omit<WorkflowSpec, 'nodes'>> & { nodes: unknown[] };
const normal = ({ nodes, ...rest }: Given): WorkflowSpec =>
  workflowFromSpec({ workflow: { id: 'w', name: 'w' }, nodes, ...rest }).spec;
const nodes = (...all: unknown[]): Given => ({ nodes: all });
const group = (members: string[], more: Partial<NodeSpec> = {}) => ({
  ...{ id: 'g', name: 'g', type: 'parallel_group', members },
  ...more,
});
const contract = (schema: object, id = 'c') => ({ id, schema: { type: 'object', ...schema } });

interface Case {
  name: string;
  before: Given;
  after: Given;
  /** `node: field, field` of what has changed; `!` where none of the fields decides. */
  changed?: string[];
  added?: string[];
  removed?: string[];
  workflow?: string[];
}

const CASES: Case[] = [
  {
    name: 'a step',
    before: nodes(step('a'), step('b')),
    after: nodes(step('a', { run: 'false' }), step('b')),
    changed: ['a: run'],
  },
  {
    name: 'how a node runs',
    before: nodes(step('a')),
    after: nodes(step('a', { retry_policy: { max_attempts: 3 }, timeout_seconds: 5, queue: 'gpu' })),
    changed: ['a!: retry_policy, timeout_seconds, queue'],
  },
  {
    name: 'a node before another one',
    before: nodes(step('b')),
    after: nodes(step('a'), step('b', { dependencies: ['a'] })),
    added: ['a'],
    changed: ['b: dependencies'],
  },
  {
    name: 'dependencies written as edges, in another order',
    before: nodes(step('a'), step('b'), step('c', { dependencies: ['a', 'b'] })),
    after: {
      nodes: [step('b'), step('c'), step('a')],
      edges: [
        { from: 'b', to: 'c' },
        { from: 'a', to: 'c' },
      ],
    },
  },
  {
    name: 'the condition on an edge',
    before: {
      nodes: [step('a'), step('b')],
      edges: [{ from: 'a', to: 'b', condition: 'outputs.a == 1' }],
    },
    after: {
      nodes: [step('a'), step('b')],
      edges: [{ from: 'a', to: 'b', condition: 'outputs.a == 2' }],
    },
    changed: ['b: edges'],
  },
  {
    name: 'the condition on an edge to a group is one of its members, too',
    before: {
      nodes: [step('a'), step('m'), group(['m'], { dependencies: ['a'] })],
    },
    after: {
      nodes: [step('a'), step('m'), group(['m'])],
      edges: [{ from: 'a', to: 'g', condition: 'outputs.a == 2' }],
    },
    changed: ['m: edges', 'g: edges'],
  },
  {
    name: 'what a group depends on is what its members do',
    before: nodes(step('a'), step('m'), group(['m'])),
    after: nodes(step('a'), step('m'), group(['m'], { dependencies: ['a'] })),
    changed: ['m: dependencies'],
  },
  {
    name: 'the members of a group',
    before: nodes(step('m'), step('n'), group(['m'])),
    after: nodes(step('m'), step('n'), group(['n', 'm'])),
    changed: ['g: dependencies, members'],
  },
  {
    name: 'the order of members, where it says who starts over',
    before: nodes(step('m'), step('n'), group(['m', 'n'], { supervision: { strategy: 'rest_for_one' } })),
    after: nodes(step('m'), step('n'), group(['n', 'm'], { supervision: { strategy: 'rest_for_one' } })),
    changed: ['g: order'],
  },
  {
    name: 'a contract, at the nodes that name it',
    before: {
      nodes: [step('a', { output_contracts: ['c'] }), step('b')],
      contracts: [contract({}), contract({}, 'd')],
    },
    after: {
      nodes: [step('a', { output_contracts: ['c'] }), step('b')],
      contracts: [contract({ required: ['x'] }), contract({}, 'd')],
    },
    changed: ['a: contracts'],
    workflow: ['contract c'],
  },
  {
    name: 'how effects are undone, which is a node',
    before: nodes(step('a', { compensate: { run: 'true' } })),
    after: nodes(step('a', { compensate: { run: 'false' } })),
    changed: ['compensate:a: run'],
  },
  {
    name: 'settings of the workflow',
    before: { nodes: [step('a')], workflow: { id: 'w', name: 'w' } },
    after: { nodes: [step('a')], workflow: { id: 'w', name: 'v', on_failure: 'continue' } },
    workflow: ['name', 'on_failure'],
  },
];

describe('the difference of two definitions', () => {
  it.each(CASES)('$name', ({ before, after, changed = [], added = [], removed = [], workflow = [] }) => {
    const difference = compareDefinitions(normal(before), normal(after));
    const told = difference.changed.map(
      ({ node_id, fields, decides }) =>
        `${node_id}${decides ? '' : '!'}: ${fields.map(({ field }) => field).join(', ')}`,
    );
    expect({ ...difference, changed: told, workflow: difference.workflow.map(({ field }) => field) }).toEqual(
      {
        before: expect.any(String) as string,
        after: expect.any(String) as string,
        unchanged: before.nodes.length - removed.length - changed.filter((at) => !at.includes(':a:')).length,
        ...{ changed, added, removed, workflow },
      } satisfies Record<keyof typeof difference, unknown>,
    );
  });

  it('tells values as they are given, and null for what is not', () => {
    const before = normal(nodes(step('a', { env: { X: '1' } })));
    const after = normal(nodes(step('a', { config: { n: 1 } })));
    expect(compareDefinitions(before, after).changed[0].fields).toEqual([
      { field: 'env', before: { X: '1' }, after: null },
      { field: 'config', before: null, after: { n: 1 } },
    ]);
  });

  it('is exactly what was edited, whatever the graph, and turned round the other way', () => {
    fc.assert(
      fc.property(dagArbitrary(12), fc.integer(), ({ nodes: dag }, seed) => {
        const random = lcg(seed);
        const chance = (share: number): boolean => random() < share;
        const before = normal(
          nodes(...dag.map(({ id, dependencies }) => step(id, { dependencies: [...dependencies] }))),
        );
        const used = new Set(before.nodes.flatMap(({ dependencies = [] }) => dependencies));
        const removed = before.nodes.filter(({ id }) => !used.has(id) && chance(0.3)).map(({ id }) => id);
        const changed = before.nodes
          .filter(({ id }) => !removed.includes(id) && chance(0.3))
          .map(({ id }) => id);
        const kept = before.nodes.filter(({ id }) => !removed.includes(id));
        const edited = kept.map((node) => (changed.includes(node.id) ? { ...node, run: 'false' } : node));
        const added = chance(0.5) ? ['new'] : [];
        const all = [
          ...edited,
          ...added.map((id) => step(id, { dependencies: kept.map((node) => node.id) })),
        ];
        if (all.length === 0) return;
        const after = normal(
          nodes(
            ...all
              .map((node) => [random(), node] as const)
              .sort(([a], [b]) => a - b)
              .map(([, node]) => node),
          ),
        );
        const there = compareDefinitions(before, after);
        expect(there).toMatchObject({
          added,
          removed,
          unchanged: kept.length - changed.length,
          workflow: [],
        });
        expect(there.changed.map(({ node_id }) => node_id)).toEqual(changed);
        expect(isSameDefinition(there)).toBe(added.length + removed.length + changed.length === 0);
        const back = compareDefinitions(after, before);
        expect([back.added, back.removed]).toEqual([removed, added]);
        const turned = back.changed.flatMap(({ node_id, fields }) =>
          fields.map(({ field, before: b, after: a }) => ({ node_id, field, before: a, after: b })),
        );
        const straight = there.changed.flatMap(({ node_id, fields }) =>
          fields.map((field) => ({ node_id, ...field })),
        );
        expect(turned).toEqual(expect.arrayContaining(straight));
        expect(turned).toHaveLength(straight.length);
      }),
    );
  });
});
