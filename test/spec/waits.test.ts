import { describe, expect, it } from 'vitest';
import { defineWorkflow, validateSpec, workflowFromSpec, type WorkflowSpec } from '../../src/spec/index.js';

const node = (fields: object): unknown => ({
  workflow: { id: 'w', name: 'w' },
  nodes: [{ id: 'a', name: 'a', type: 'custom', ...fields }],
});
const review = (fields: object = {}, more: object = {}): unknown =>
  node({ type: 'human_review', review: fields, ...more });

/** Codes of what is found, warnings with a mark. */
const found = (spec: unknown): string[] =>
  validateSpec(spec).problems.map(({ code, severity }) => (severity === 'warning' ? `${code}?` : code));

describe('nodes that wait', () => {
  it.each<[string, unknown]>([
    ['a review without anything', node({ type: 'human_review' })],
    [
      'a review with everything',
      review({
        response_schema: { type: 'object', required: ['n'] },
        instructions: 'x',
        assignees: ['a'],
        deadline_seconds: 1,
        default: { decision: 'approve', response: { n: 1 } },
        on_reject: 'complete',
      }),
    ],
    [
      'a rejection by default, which needs no response',
      review({
        response_schema: { type: 'object' },
        deadline_seconds: 1,
        default: { decision: 'reject' },
      }),
    ],
    ['a signal', node({ wait_for: { signal: 'go', schema: {}, deadline_seconds: 1, default: null } })],
    ['a sleep', node({ type: 'phase', sleep: { seconds: 0 } })],
    ['a moment', node({ wait_until: { time: '2026-02-28T10:00:00.5+01:00' } })],
  ])('are valid: %s', (_, spec) => {
    expect(found(spec)).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ['an executor', review({}, { run: 'true' }), ['TWO_EXECUTORS']],
    ['a module', node({ sleep: { seconds: 1 }, uses: 'maestro:noop#task' }), ['TWO_EXECUTORS']],
    ['two things to wait for', node({ sleep: { seconds: 1 }, wait_for: { signal: 'x' } }), ['TWO_WAITS']],
    ['a review that sleeps', node({ type: 'human_review', sleep: { seconds: 1 } }), ['TWO_WAITS']],
    ['a review of another type', node({ review: {} }), ['BAD_WAIT']],
    ['a timeout', review({}, { timeout_seconds: 1 }), ['BAD_WAIT']],
    ['a default without a deadline', node({ wait_for: { signal: 'x', default: 1 } }), ['BAD_WAIT']],
    ['retries', node({ sleep: { seconds: 1 }, retry_policy: { max_attempts: 2 } }), ['UNUSED_RETRY?']],
    ['a schema that is none', review({ response_schema: { type: 'nothing' } }), ['BAD_SCHEMA']],
    ['a misspelt keyword', review({ response_schema: { requird: [] } }), ['BAD_SCHEMA']],
    [
      'a default that does not fit',
      node({
        wait_for: { signal: 'x', schema: { type: 'string' }, deadline_seconds: 1, default: 1 },
      }),
      ['BAD_WAIT'],
    ],
    ['a day there is not', node({ wait_until: { time: '2026-02-45T10:00:00Z' } }), ['BAD_WAIT']],
    ['a time without an offset', node({ wait_until: { time: '2026-02-01T10:00:00' } }), ['SCHEMA']],
    ['a negative sleep', node({ sleep: { seconds: -1 } }), ['SCHEMA']],
  ])('are told of: %s', (_, spec, codes) => {
    expect(found(spec)).toEqual(codes);
  });

  it('are the same in TypeScript and in files', () => {
    const { spec } = defineWorkflow({ id: 'w' })
      .node('r', { review: { instructions: 'x', deadlineSeconds: 5, onReject: 'complete' } })
      .node('s', { dependsOn: ['r'], waitFor: { signal: 'go', deadlineSeconds: 2, default: null } })
      .node('z', { sleepSeconds: 1.5 })
      .node('u', { waitUntil: new Date(Date.UTC(2026, 0, 31)) })
      .build();
    expect(spec.nodes).toEqual([
      {
        id: 'r',
        name: 'r',
        type: 'human_review',
        dependencies: [],
        review: { instructions: 'x', deadline_seconds: 5, on_reject: 'complete' },
      },
      {
        id: 's',
        name: 's',
        type: 'custom',
        dependencies: ['r'],
        wait_for: { signal: 'go', deadline_seconds: 2, default: null },
      },
      { id: 'z', name: 'z', type: 'custom', dependencies: [], sleep: { seconds: 1.5 } },
      {
        id: 'u',
        name: 'u',
        type: 'custom',
        dependencies: [],
        wait_until: { time: '2026-01-31T00:00:00.000Z' },
      },
    ]);
    expect(workflowFromSpec(JSON.parse(JSON.stringify(spec)) as WorkflowSpec).spec).toEqual(spec);
  });
});
