import { describe, expect, it } from 'vitest';
import { defineWorkflow, type, workflowFromDocument, workflowToDocument } from '../../src/spec/index.js';

const withCode = (code: string, message?: RegExp) =>
  expect.objectContaining({
    code,
    ...(message && { message: expect.stringMatching(message) as string }),
  }) as Error;

const execute = () => null;

describe('defineWorkflow', () => {
  it('writes everything that was said, and nothing else, in snake case', () => {
    const spec = defineWorkflow({
      id: 'w',
      version: '2',
      metadata: { team: 'x' },
      globalContext: { n: 1 },
      onFailure: 'continue',
      maxConcurrency: 4,
    })
      .node('a', { execute })
      .node('b', {
        name: 'Bee',
        type: 'phase',
        dependsOn: ['a'],
        executionMode: 'parallel',
        condition: 'outputs.a == null',
        config: { k: [1] },
        metadata: { m: true },
        retry: {
          maxAttempts: 3,
          delaySeconds: 1,
          onFailure: true,
          exponentialBackoff: true,
          maxDelaySeconds: 9,
          jitter: 'full',
          nonRetryable: ['TypeError'],
        },
        timeoutSeconds: 5,
        heartbeatTimeoutSeconds: 2,
        run: 'true',
        env: { A: 'b' },
        returns: type<number>(),
      })
      .toSpec();
    expect(spec).toEqual({
      workflow: {
        id: 'w',
        name: 'w',
        version: '2',
        metadata: { team: 'x' },
        global_context: { n: 1 },
        on_failure: 'continue',
        max_concurrency: 4,
      },
      nodes: [
        { id: 'a', name: 'a', type: 'custom', dependencies: [] },
        {
          id: 'b',
          name: 'Bee',
          type: 'phase',
          dependencies: ['a'],
          execution_mode: 'parallel',
          condition: 'outputs.a == null',
          config: { k: [1] },
          metadata: { m: true },
          retry_policy: {
            max_attempts: 3,
            retry_delay_seconds: 1,
            retry_on_failure: true,
            exponential_backoff: true,
            max_delay_seconds: 9,
            jitter: 'full',
            non_retryable: ['TypeError'],
          },
          timeout_seconds: 5,
          heartbeat_timeout_seconds: 2,
          run: 'true',
          env: { A: 'b' },
        },
      ],
    });
  });

  it('builds a workflow with its functions, cut off from later changes', () => {
    const config = { k: 1 };
    const builder = defineWorkflow({ id: 'w' }).node('a', { execute, config });
    const workflow = builder.build({ baseDir: '/tmp' });
    config.k = 2;
    builder.node('b', { execute });
    expect(workflow.baseDir).toBe('/tmp');
    expect(workflow.spec.nodes).toMatchObject([{ id: 'a', config: { k: 1 } }]);
    expect([...workflow.functions]).toEqual([['a', execute]]);
  });

  it('answers questions about its graph', () => {
    const builder = defineWorkflow({ id: 'w' })
      .node('a', { execute })
      .node('b', { execute, dependsOn: ['a', 'a'] })
      .node('c', { execute })
      .edge('a', 'c')
      .edge('a', 'c');
    expect(builder.edges).toEqual([
      { from: 'a', to: 'b' },
      { from: 'a', to: 'c' },
    ]);
    expect(builder.predecessors('c')).toEqual(['a']);
    expect(builder.successors('a')).toEqual(['b', 'c']);
    expect(builder.successors('c')).toEqual([]);
    expect(builder.executionOrder()).toEqual([['a'], ['b', 'c']]);
    expect(builder.readyNodes(['a', 'b'])).toEqual(['c']);
  });

  it('says which nodes their triggers let run, as the engine does', () => {
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'w' })
      .node('a', { execute })
      .node('b', { execute, condition: 'true' })
      .node('usual', { execute, dependsOn: ['a', 'b'] })
      .node('any', { execute, dependsOn: ['a', 'b'], triggerRule: 'one_success' })
      .node('alarm', { execute, dependsOn: ['a', 'b'], triggerRule: 'one_failed' })
      .node('cleanup', { execute, dependsOn: ['a', 'b'], triggerRule: 'all_done' })
      .node('asked', { execute, depends: 'a.Failed && (b.Skipped || b.Succeeded)' })
      .node('always', { execute, dependsOn: ['a'], triggerRule: 'always' });
    expect(builder.readyNodes()).toEqual(['a', 'b', 'always']);
    expect(builder.readyNodes(['a'])).toEqual(['b', 'any', 'always']);
    expect(builder.readyNodes(['a', 'b', 'always'])).toEqual(['usual', 'any', 'cleanup']);
    expect(builder.readyNodes({ a: 'failed', always: 'completed' })).toEqual(['b', 'alarm']);
    const failed = { a: 'failed', b: 'skipped', always: 'completed' } as const;
    expect(builder.readyNodes(failed)).toEqual(['alarm', 'cleanup', 'asked']);
    expect(builder.readyNodes({ ...failed, b: 'blocked' })).toEqual(['alarm', 'cleanup']);
    expect(builder.readyNodes({ ...failed, a: 'cancelled' })).toEqual(['alarm', 'cleanup']);
    expect(builder.readyNodes({ ...failed, a: 'skipped' })).toEqual(['cleanup']);

    const grouped = defineWorkflow<Record<string, unknown>>({ id: 'w' })
      .node('before', { execute })
      .node('x', { execute })
      .node('y', { execute })
      .group('both', { dependsOn: ['before'], members: ['x', 'y'] });
    expect(grouped.readyNodes()).toEqual(['before']);
    expect(grouped.readyNodes(['before'])).toEqual(['x', 'y']);
    expect(grouped.readyNodes({ before: 'completed', x: 'completed', y: 'skipped' })).toEqual(['both']);
  });

  it('refuses a second node of one id, edges to unknown nodes, and cycles, at once', () => {
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'w' });
    for (const [id, ...dependsOn] of [['a'], ['b', 'a'], ['c', 'b'], ['d', 'b', 'later']])
      builder.node(id, { execute, dependsOn });
    expect(() => builder.node('a', { execute })).toThrow(withCode('SPEC_INVALID', /already has a node "a"/));
    expect(() => builder.edge('a', 'ghost')).toThrow(withCode('SPEC_INVALID', /no node "ghost"/));
    expect(() => builder.predecessors('ghost')).toThrow(withCode('SPEC_INVALID'));
    expect(() => builder.edge('a', 'a')).toThrow(withCode('CYCLE', /a → a$/));
    expect(() => builder.edge('c', 'a')).toThrow(withCode('CYCLE', /c → a → b → c$/));
    expect(() => builder.node('later', { execute, dependsOn: ['d'] })).toThrow(
      withCode('CYCLE', /d → later → d$/),
    );
    // What was refused left no trace.
    expect(builder.nodes).toEqual(['a', 'b', 'c', 'd']);
    expect(builder.predecessors('a')).toEqual([]);
    expect(() => builder.build()).toThrow(withCode('SPEC_INVALID', /"d" depends on "later"/));
  });

  it('refuses to build what validation refuses', () => {
    expect(() => defineWorkflow({ id: 'no spaces' }).build()).toThrow(withCode('SPEC_INVALID'));
    const bad = defineWorkflow({ id: 'w' }).node('a', { execute, condition: 'outputs.b' });
    expect(() => bad.build()).toThrow(withCode('SPEC_INVALID', /reads the output of "b"/));
  });
});

describe('documents', () => {
  it('go out and come back the same', () => {
    const functions = new Map([['a', execute]]);
    const workflow = defineWorkflow({ id: 'w', name: 'W' })
      .node('a', { execute })
      .node('b', { run: 'true', dependsOn: ['a'] })
      .build();
    const document = JSON.parse(JSON.stringify(workflowToDocument(workflow))) as unknown;
    const back = workflowFromDocument(document, { functions });
    expect(back.spec).toEqual(workflow.spec);
    expect(back.definitionHash).toBe(workflow.definitionHash);
    expect(() => workflowFromDocument(document)).toThrow(withCode('SPEC_INVALID', /"a" has no executor/));
  });
});
