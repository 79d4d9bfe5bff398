import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  validateSpec,
  workflowFromDocument,
  workflowFromSpec,
} from '../../src/spec/index.js';
import { step } from './step-node.js';

const spec = (nodes: unknown[], edges: unknown[]): unknown => ({
  workflow: { id: 'w', name: 'w' },
  nodes,
  edges,
});
const when = (from: string, to: string, condition: string): unknown => ({ from, to, condition });
const problemsOf = (given: unknown): string[] =>
  validateSpec(given).problems.map(({ code, message }) => `${code}: ${message}`);

describe('edges with conditions', () => {
  it('stay in the normal form, which reads as itself; those without become dependencies', () => {
    const { spec: normal, definitionHash } = workflowFromSpec(
      spec([step('a'), step('b'), step('c')], [when('a', 'c', 'outputs.a'), { from: 'b', to: 'c' }]),
    );
    expect(normal.nodes[2].dependencies).toEqual(['a', 'b']);
    expect(normal.edges).toEqual([when('a', 'c', 'outputs.a')]);
    expect(workflowFromDocument(normal).definitionHash).toBe(definitionHash);
  });

  it('may stand beside dependencies that are listed', () => {
    const nodes = [step('a'), step('b'), step('c', { dependencies: ['a', 'b'] })];
    expect(problemsOf(spec(nodes, [when('a', 'c', 'outputs.a')]))).toEqual([]);
  });

  it('make a conditional node one that decides', () => {
    const deciding = { ...step('a'), type: 'conditional' };
    expect(problemsOf(spec([deciding, step('b')], [{ from: 'a', to: 'b' }]))).toEqual([
      expect.stringContaining('NO_CONDITION') as string,
    ]);
    expect(problemsOf(spec([deciding, step('b')], [when('a', 'b', 'outputs.a')]))).toEqual([]);
  });

  it.each<[string, unknown[], unknown[], string]>([
    [
      'no CEL',
      [step('a'), step('b')],
      [when('a', 'b', 'outputs.a ==')],
      'BAD_CONDITION: the edge from "a" to "b"',
    ],
    [
      'names that do not exist',
      [step('a'), step('b')],
      [when('a', 'b', 'output.a')],
      'BAD_CONDITION: the edge',
    ],
    [
      'what is not known when `from` has completed',
      [step('a'), step('b'), step('c', { dependencies: ['a', 'b'] })],
      [when('a', 'c', 'outputs.b')],
      'BAD_CONDITION: the condition of the edge from "a" to "c" reads the output of "b", which "a" does not depend on',
    ],
    [
      'two conditions on one edge',
      [step('a'), step('b')],
      [when('a', 'b', 'outputs.a'), { from: 'a', to: 'b' }],
      'EDGE_MISMATCH: edges[1] leads from "a" to "b", as edges[0] does, under another condition',
    ],
    [
      'a dependency that is not listed',
      [step('a'), step('b', { dependencies: ['a'] }), step('c', { dependencies: ['b'] })],
      [when('a', 'c', 'outputs.a')],
      'EDGE_MISMATCH: edges[0] says that "c" depends on "a", but its dependencies do not',
    ],
    ['an empty condition', [step('a'), step('b')], [when('a', 'b', '')], 'SCHEMA: edges[0].condition'],
  ])('are refused with %s', (_, nodes, edges, expected) => {
    expect(problemsOf(spec(nodes, edges))).toEqual([expect.stringContaining(expected) as string]);
  });

  it('are read for what is before `from`', () => {
    const nodes = [step('a'), step('b', { dependencies: ['a'] }), step('c')];
    expect(problemsOf(spec(nodes, [when('b', 'c', 'outputs.a && outputs.b')]))).toEqual([]);
  });

  it('can be given in code', () => {
    const { spec: built } = defineWorkflow({ id: 'w' })
      .node('a', { execute: () => ({ ok: true }) })
      .node('b', { dependsOn: ['a'], execute: () => null })
      .edge('a', 'b', { condition: 'outputs.a.ok' })
      .build();
    expect(built.edges).toEqual([when('a', 'b', 'outputs.a.ok')]);
    expect(built.nodes[1].dependencies).toEqual(['a']);
  });
});
