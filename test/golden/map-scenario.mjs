const never = () => new Promise(() => {});

/** A map left in the middle of its items: the second one runs. */
export function mapScenario({ defineWorkflow, isWriting, gate, start, resumed }) {
  const map = {
    id: 'map',
    workflow: defineWorkflow({ id: 'map', onFailure: 'continue' })
      .node('list', { execute: () => ({ items: [1, 2, 3] }) })
      .node('each', {
        dependsOn: ['list'],
        map: 'outputs.list.items',
        maxConcurrency: 1,
        execute: async ({ item }) => {
          if (isWriting && item === 2) {
            gate('map').reach();
            await never();
          }
          return { n: item };
        },
      })
      .node('sum', {
        dependsOn: ['each'],
        execute: ({ dependencyOutputs: { each } }) => ({ n: each.reduce((sum, { n }) => sum + n, 0) }),
      })
      .build(),
    async write(runtime) {
      void start(runtime, map).catch(() => {});
      await gate('map').reached;
    },
    goOn: (runtime) => resumed(runtime, 'map'),
    ends: {
      status: 'completed',
      list: { status: 'completed', attempts: 1, output: { items: [1, 2, 3] } },
      each: { status: 'completed', attempts: 1, output: [{ n: 1 }, { n: 2 }, { n: 3 }] },
      sum: { status: 'completed', attempts: 1, output: { n: 6 } },
    },
  };
  return map;
}
