import { describe, expect, it } from 'vitest';
import { defineWorkflow, validateSpec, workflowFromSpec } from '../../src/spec/index.js';
import { step } from './step-node.js';

const spec = (...nodes: unknown[]): unknown => ({ workflow: { id: 'w', name: 'w' }, nodes });
const problemsOf = (given: unknown): string[] =>
  validateSpec(given).problems.map(({ code, message }) => `${code}: ${message}`);

describe('queues in a spec', () => {
  it('come out of the builder as out of a file', () => {
    const built = defineWorkflow({ id: 'w', priority: 3, fairKey: 'tenant' })
      .node('a', { run: 'true', queue: 'gpu', slots: 2, priority: -1 })
      .build();
    const read = workflowFromSpec({
      workflow: { id: 'w', name: 'w', priority: 3, fair_key: 'tenant' },
      nodes: [step('a', { queue: 'gpu', slots: 2, priority: -1, name: 'a' })],
    });
    expect(read.definitionHash).toBe(built.definitionHash);
  });

  it.each<[string, unknown, string]>([
    ['a bad name', spec(step('a', { queue: 'a b' })), 'SCHEMA: nodes[0].queue is "a b"'],
    ['no slots', spec(step('a', { queue: 'q', slots: 0 })), 'SCHEMA: nodes[0].slots must be >= 1'],
    ['slots of nothing', spec(step('a', { slots: 2 })), 'BAD_QUEUE: node "a" has "slots" but no "queue"'],
    ['a priority in nothing', spec(step('a', { priority: 2 })), 'BAD_QUEUE: node "a" has "priority"'],
    [
      'what waits',
      spec({ id: 'a', name: 'a', type: 'custom', sleep: { seconds: 1 }, queue: 'q' }),
      'BAD_QUEUE: node "a" is "sleep", which takes no room',
    ],
    [
      'a subworkflow',
      spec({ id: 'a', name: 'a', type: 'subworkflow', workflow: './w.yaml', queue: 'q' }),
      'BAD_QUEUE: node "a" is a subworkflow',
    ],
    [
      'a group',
      spec(step('b'), { id: 'a', name: 'a', type: 'parallel_group', members: ['b'], queue: 'q' }),
      'BAD_QUEUE: node "a" is a parallel_group',
    ],
  ])('are refused with %s', (_, given, expected) => {
    expect(problemsOf(given).map((problem) => problem.slice(0, expected.length))).toContain(expected);
  });
});
