/** A loop that is over, and one that was interrupted in the middle. */
export function loopScenarios(defineWorkflow, isWriting, { gate, held, start, resumed, done }) {
  const looped = {
    id: 'looped',
    workflow: defineWorkflow({ id: 'looped' })
      .node('loop', {
        repeat: { until: 'node.output.n >= 3', max: 5, delaySeconds: 0.01 },
        execute: ({ iteration }) => ({ n: iteration }),
      })
      .build(),
    write: start,
    ends: { status: 'completed', loop: done(3) },
  };
  const looping = {
    id: 'looping',
    workflow: defineWorkflow({ id: 'looping' })
      .node('loop', {
        repeat: { until: 'node.output.n >= 3', max: 5 },
        execute: ({ iteration, previousOutput, ...context }) => {
          const n = (previousOutput?.n ?? 0) + 1;
          return isWriting && iteration === 3 ? held('looping', n).execute(context) : { n };
        },
      })
      .build(),
    async write(runtime) {
      void start(runtime, looping);
      await gate('looping').reached;
    },
    goOn: (runtime) => resumed(runtime, 'looping'),
    ends: { status: 'completed', loop: done(3) },
  };
  return { looped, looping };
}
