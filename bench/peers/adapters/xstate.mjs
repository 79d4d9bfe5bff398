import { assign, createActor, fromPromise, setup } from 'xstate';

/** One machine for each node, as one would write it: it waits for its dependencies, and invokes its step. */
function machineOf(step) {
  return setup({
    actors: { step: fromPromise(async () => step()) },
    guards: { last: ({ context }) => context.left === 1 },
  }).createMachine({
    context: ({ input }) => input,
    initial: 'pending',
    states: {
      pending: {
        always: { guard: ({ context }) => context.left === 0, target: 'running' },
        on: {
          dependencyCompleted: [
            { guard: 'last', target: 'running' },
            { actions: assign({ left: ({ context }) => context.left - 1 }) },
          ],
        },
      },
      running: { invoke: { src: 'step', onDone: 'completed' } },
      completed: { type: 'final' },
    },
  });
}

export default {
  async open({ dependencies, step }) {
    const machine = machineOf(step);
    const dependents = dependencies.map(() => []);
    for (const [node, before] of dependencies.entries())
      for (const each of before) dependents[each].push(node);
    const once = () =>
      new Promise((resolve) => {
        let left = dependencies.length;
        const actors = dependencies.map((before) => createActor(machine, { input: { left: before.length } }));
        for (const [node, actor] of actors.entries())
          actor.subscribe({
            complete() {
              for (const each of dependents[node]) actors[each].send({ type: 'dependencyCompleted' });
              if (--left === 0) resolve();
            },
          });
        for (const actor of actors) actor.start();
      });
    return { run: (executions) => Promise.all(Array.from({ length: executions }, once)), close() {} };
  },
};
