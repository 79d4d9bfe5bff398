import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  parseWorkflow,
  repeatPolicyOf,
  validateSpec,
  workflowFromSpec,
} from '../../src/spec/index.js';
import { step } from './step-node.js';

const spec = (...nodes: unknown[]): unknown => ({ workflow: { id: 'w', name: 'w' }, nodes });
const repeat = { until: 'node.output.done', max: 3 };
const found = (given: unknown): string[] => validateSpec(given).problems.map(({ code }) => code);

describe('repeat', () => {
  it.each<[string, unknown]>([
    ['of a command', spec(step('a', { repeat }))],
    ['that reads its own output by its id', spec(step('a', { repeat: { until: 'outputs.a.done', max: 1 } }))],
    [
      'with everything, over outputs, context and iteration',
      spec(
        step('a'),
        step('b', {
          dependencies: ['a'],
          repeat: {
            until: 'outputs.a.n < global_context.n || node.iteration > 2',
            max: 100_000,
            delay_seconds: 0.5,
            on_exhausted: 'complete',
          },
        }),
      ),
    ],
  ])('is valid: %s', (_, given) => {
    expect(validateSpec(given).problems).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ['no end', spec(step('a', { repeat: { until: 'true' } as never })), ['SCHEMA']],
    ['no iteration', spec(step('a', { repeat: { until: 'true', max: 0 } })), ['SCHEMA']],
    ['too many iterations', spec(step('a', { repeat: { until: 'true', max: 100_001 } })), ['SCHEMA']],
    ['no CEL', spec(step('a', { repeat: { until: 'a b', max: 1 } })), ['BAD_CONDITION']],
    [
      'an output of what it does not depend on',
      spec(step('a'), step('b', { repeat: { until: 'outputs.a.x', max: 1 } })),
      ['DISCONNECTED', 'BAD_CONDITION'],
    ],
    [
      'a node that waits',
      spec({ id: 'a', name: 'a', type: 'custom', sleep: { seconds: 1 }, repeat }),
      ['BAD_REPEAT'],
    ],
    [
      'a group',
      spec({ id: 'g', name: 'g', type: 'parallel_group', members: ['a'], repeat }, step('a')),
      ['BAD_GROUP'],
    ],
  ])('is refused: %s', (_, given, codes) => {
    expect(found(given).sort()).toEqual([...codes].sort());
  });

  it('tells where what is wrong is', () => {
    const text = [
      'workflow: { id: w, name: w }',
      'nodes:',
      '  - { id: a, name: a, type: custom, run: "true",',
      '      repeat: { until: outputs.b.x, max: 1 } }',
    ].join('\n');
    expect(() => parseWorkflow(text, { format: 'yaml', file: 'loop.yaml' })).toThrow(
      'loop.yaml:4:17: the condition of the loop of node "a" reads the output of "b", which is not a node',
    );
  });

  it('is the same from the builder', () => {
    const built = defineWorkflow({ id: 'w' })
      .node('a', {
        run: 'true',
        repeat: { until: 'node.output.done', max: 3, delaySeconds: 2, onExhausted: 'complete' },
      })
      .build();
    const written = workflowFromSpec(
      spec(step('a', { repeat: { ...repeat, delay_seconds: 2, on_exhausted: 'complete' } })),
    );
    expect(built.spec.nodes).toEqual(written.spec.nodes);
    expect(repeatPolicyOf(built.spec.nodes[0])).toEqual({
      until: 'node.output.done',
      max: 3,
      delaySeconds: 2,
      onExhausted: 'complete',
    });
    expect(repeatPolicyOf(step('a'))).toBeNull();
  });
});
