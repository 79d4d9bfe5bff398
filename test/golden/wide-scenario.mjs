/** So many nodes are stored by columns, those of two kinds. */
const LEAVES = 1_000;

export function wideScenario({ defineWorkflow, start, number, done }) {
  const ids = Array.from({ length: LEAVES }, (_, at) => `leaf ${at}`);
  const builder = defineWorkflow({ id: 'wide' }).node('root', number(1));
  ids.forEach((id, at) => {
    const retry = at % 2 === 0 ? {} : { retry: { maxAttempts: 2 } };
    builder.node(id, {
      dependsOn: ['root'],
      name: at % 3 === 0 ? id : `Leaf ${at}`,
      ...retry,
      ...number(at),
    });
  });
  return {
    id: 'wide',
    workflow: builder.build(),
    write: start,
    ends: {
      status: 'completed',
      root: done(1),
      ...Object.fromEntries(ids.map((id, at) => [id, done(at)])),
    },
  };
}
