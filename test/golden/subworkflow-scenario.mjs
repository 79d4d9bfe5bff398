/** A parent whose child is left in the middle of its nodes. */
export function subworkflowScenario({ defineWorkflow, gate, start, resumed, number, held, done }) {
  const child = defineWorkflow({ id: 'inner' })
    .node('one', number(1))
    .node('two', { dependsOn: ['one'], ...held('subworkflow', 2) })
    .build();
  const subworkflow = {
    id: 'subworkflow',
    workflow: defineWorkflow({ id: 'subworkflow' })
      .node('before', number(3))
      .node('sub', { dependsOn: ['before'], workflow: child, with: { given: '${outputs.before.n}' } })
      .node('after', {
        dependsOn: ['sub'],
        execute: ({ dependencyOutputs }) => ({ n: dependencyOutputs.sub.two.n }),
      })
      .build(),
    async write(runtime) {
      void start(runtime, subworkflow).catch(() => {});
      await gate('subworkflow').reached;
    },
    goOn: (runtime) => resumed(runtime, 'subworkflow'),
    ends: {
      status: 'completed',
      before: done(3),
      sub: { status: 'completed', attempts: 1, output: { two: { n: 2 } } },
      after: done(2),
    },
  };
  return subworkflow;
}
