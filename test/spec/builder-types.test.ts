import { describe, expect, expectTypeOf, it } from 'vitest';
import { defineWorkflow, type } from '../../src/spec/index.js';

/** These are checked by `tsc -p tsconfig.json`; at run time they only show that nothing throws. */
describe('types of the builder', () => {
  it('gives a step the outputs of what it depends on, and of nothing else', () => {
    const builder = defineWorkflow({ id: 'typed' })
      .node('count', { execute: () => ({ files: 3 }) })
      .node('read', { execute: async () => ['a', 'b'] })
      .node('join', {
        dependsOn: ['count', 'read'],
        execute: (ctx) => {
          expectTypeOf(ctx.dependencyOutputs).toEqualTypeOf<{ count: { files: number }; read: string[] }>();
          return ctx.dependencyOutputs.count.files;
        },
      })
      .node('last', {
        dependsOn: ['join'],
        config: { a: 1 },
        execute: (ctx) => {
          expectTypeOf(ctx.dependencyOutputs).toEqualTypeOf<{ join: number }>();
        },
      });
    type Ids = Parameters<typeof builder.predecessors>[0];
    expectTypeOf<Ids>().toEqualTypeOf<'count' | 'read' | 'join' | 'last'>();
    expect(builder.nodes).toEqual(['count', 'read', 'join', 'last']);
  });

  it('types module and command steps by what they are said to return', () => {
    defineWorkflow({ id: 'typed' })
      .node('hash', { uses: './steps.js#hash', returns: type<{ sha256: string }>() })
      .node('version', { run: 'node --version', env: { A: 'b' }, returns: type<{ exit_code: number }>() })
      .node('bare', { run: 'true' })
      .node('use', {
        dependsOn: ['hash', 'version', 'bare'],
        execute: ({ dependencyOutputs }) => {
          expectTypeOf(dependencyOutputs.hash.sha256).toEqualTypeOf<string>();
          expectTypeOf(dependencyOutputs.version.exit_code).toEqualTypeOf<number>();
          expectTypeOf(dependencyOutputs.bare).toEqualTypeOf<unknown>();
        },
      });
  });

  it('gives the list of results of a node that is done for each item', () => {
    const builder = defineWorkflow({ id: 'typed' })
      .node('files', { execute: () => ({ items: ['a', 'b'] }) })
      .node('size', {
        dependsOn: ['files'],
        map: 'outputs.files.items',
        maxConcurrency: 4,
        maxFailed: 1,
        execute: async ({ item, index }) => {
          expectTypeOf(item).toEqualTypeOf<unknown>();
          expectTypeOf(index).toEqualTypeOf<number | undefined>();
          return String(item).length;
        },
      })
      .node('sum', {
        dependsOn: ['size'],
        execute: ({ dependencyOutputs: { size } }) =>
          expectTypeOf(size).toEqualTypeOf<(number | null | { output_of: string })[]>(),
      });
    expect(builder.toSpec().nodes[1]).toMatchObject({
      map: 'outputs.files.items',
      max_concurrency: 4,
      max_failed: 1,
    });
  });

  it('knows that a node with a trigger may run without outputs', () => {
    defineWorkflow({ id: 'typed' })
      .node('a', { execute: () => 1 })
      .node('cleanup', {
        dependsOn: ['a'],
        triggerRule: 'all_done',
        execute: (ctx) => expectTypeOf(ctx.dependencyOutputs.a).toEqualTypeOf<number | undefined>(),
      })
      .node('instead', {
        dependsOn: ['a'],
        depends: 'a.Failed',
        execute: (ctx) => expectTypeOf(ctx.dependencyOutputs.a).toEqualTypeOf<number | undefined>(),
      })
      .node('alone', { depends: 'a.Failed', execute: () => 1 })
      // @ts-expect-error there is no such rule
      .node('unknown', { triggerRule: 'some', execute: () => 1 });
  });

  it('knows that a conditional node may have no output', () => {
    defineWorkflow({ id: 'typed' })
      .node('maybe', { condition: 'true', execute: () => 1 })
      .node('after', {
        dependsOn: ['maybe'],
        execute: (ctx) => expectTypeOf(ctx.dependencyOutputs.maybe).toEqualTypeOf<number | undefined>(),
      });
  });

  it('refuses unknown dependencies, two executors and none', () => {
    const builder = defineWorkflow({ id: 'typed' });
    // @ts-expect-error: there is no such node
    builder.node('a', { dependsOn: ['nobody'], execute: () => 1 });
    // @ts-expect-error: two executors
    builder.node('b', { run: 'true', execute: () => 1 });
    // @ts-expect-error: no executor
    builder.node('c', { name: 'c' });
  });

  it('takes any id when outputs are a record', () => {
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'dynamic' });
    for (const id of ['a', 'b']) builder.node(id, { dependsOn: builder.nodes, execute: () => id });
    builder.edge('a', 'b');
  });
});
