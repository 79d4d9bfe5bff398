import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  validateSpec,
  workflowFromDocument,
  workflowFromSpec,
} from '../../src/spec/index.js';
import { step } from './step-node.js';

const spec = (...nodes: unknown[]): Record<string, unknown> => ({ workflow: { id: 'w', name: 'w' }, nodes });
const undo = { compensate: { run: 'undo' } };
const problemsOf = (given: unknown): string[] =>
  validateSpec(given).problems.map(({ code, message }) => `${code}: ${message}`);

describe('compensations in a spec', () => {
  it('become nodes of their own, and the normal form reads as itself', () => {
    const given = spec(
      { ...step('a'), name: 'A', config: { x: 1 }, ...undo },
      step('b', { dependencies: ['a'] }),
    );
    const { spec: normal, definitionHash } = workflowFromSpec(given);
    expect(normal.nodes.map(({ id }) => id)).toEqual(['a', 'b', 'compensate:a']);
    expect(normal.nodes[0].compensate).toBeUndefined();
    expect(normal.nodes[2]).toEqual({
      id: 'compensate:a',
      name: 'Compensate A',
      type: 'custom',
      compensates: 'a',
      config: { x: 1 },
      dependencies: ['a'],
      run: 'undo',
    });
    expect(workflowFromDocument(normal).definitionHash).toBe(definitionHash);
  });

  const b = step('b', { dependencies: ['a'] });
  it.each<[string, unknown, string]>([
    ['nothing to execute', spec({ ...step('a'), compensate: {} }, b), 'NO_EXECUTOR: node "compensate:a"'],
    ['two things', spec({ ...step('a'), compensate: { run: 'x', uses: './x.js#y' } }, b), 'TWO_EXECUTORS'],
    [
      'keys of nodes',
      spec({ ...step('a'), compensate: { run: 'x', condition: 'true' } }, b),
      'SCHEMA: nodes[0].compensate.condition',
    ],
    [
      'a node that depends on one',
      spec({ ...step('a'), ...undo }, step('b', { dependencies: ['a', 'compensate:a'] })),
      'BAD_COMPENSATE: node "b" depends on "compensate:a"',
    ],
    [
      'an edge from one',
      { ...spec({ ...step('a'), ...undo }, step('b')), edges: [{ from: 'compensate:a', to: 'b' }] },
      'BAD_COMPENSATE: edges[0] makes "b" depend on "compensate:a"',
    ],
    [
      'one of a group',
      spec(step('a'), { id: 'g', name: 'g', type: 'parallel_group', members: ['a'], ...undo }),
      'BAD_COMPENSATE: node "compensate:g" compensates "g", a group',
    ],
    [
      'a node of that name',
      spec({ ...step('a'), ...undo }, step('compensate:a', { dependencies: ['a'] })),
      'DUPLICATE_NODE',
    ],
    [
      'two of one node',
      spec({ ...step('a'), ...undo }, { ...step('x'), compensates: 'a' }),
      'BAD_COMPENSATE: node "compensate:a" compensates "a", as "x" does already',
    ],
    [
      'a node that is none',
      spec(step('a'), { ...step('x'), compensates: 'b' }),
      'BAD_COMPENSATE: node "x" compensates "b", which is not a node',
    ],
  ])('are refused with %s', (_, given, expected) => {
    expect(problemsOf(given)).toContainEqual(expect.stringContaining(expected));
  });

  it('are missed when the workflow asks for them', () => {
    const given = { workflow: { id: 'w', name: 'w', compensate: 'always' }, nodes: [step('a')] };
    expect(problemsOf(given)).toEqual([expect.stringContaining('UNUSED_COMPENSATE') as string]);
  });

  it('can be functions in code', () => {
    const { spec: built, functions } = defineWorkflow({ id: 'w', compensate: 'always' })
      .node('a', { execute: () => 1, compensate: { execute: () => 2, retry: { maxAttempts: 2 } } })
      .build();
    expect([...functions.keys()]).toEqual(['a', 'compensate:a']);
    expect(built.nodes[1]).toMatchObject({ compensates: 'a', retry_policy: { max_attempts: 2 } });
    expect(built.workflow.compensate).toBe('always');
  });
});
