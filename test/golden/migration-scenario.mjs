/** An execution that has failed and been migrated: its nodes have other numbers than before, and it can be retried. */
export function migrationScenario({ defineWorkflow, number, done }) {
  const fails = () => {
    throw new Error('no');
  };
  const before = defineWorkflow({ id: 'migrated' })
    .node('a', { execute: () => ({ n: 'x'.repeat(70_000) }) })
    .node('b', { dependsOn: ['a'], execute: fails })
    .node('gone', { dependsOn: ['b'], ...number(4) })
    .build();
  const migrated = {
    id: 'migrated',
    workflow: defineWorkflow({ id: 'migrated' })
      .node('first', number(1))
      .node('a', { execute: () => ({ n: 'x'.repeat(70_000) }) })
      .node('b', { dependsOn: ['first', 'a'], ...number(2) })
      .build(),
    async write(runtime) {
      await (
        await runtime.start(before, {}, { executionId: 'migrated' })
      ).result;
      await runtime.migrate('migrated', migrated.workflow);
    },
    goOn: async (runtime) => (await runtime.retry('migrated')).result,
    ends: {
      status: 'completed',
      first: done(1),
      a: done('x'.repeat(70_000)),
      b: done(2),
    },
  };
  return migrated;
}
