import { expect, it } from 'vitest';
import { defineWorkflow } from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { outliving } from '../support/outliving-kv.js';
import { buryOwners, crashing, simulate, SimulatedClock, type Fate } from '../support/simulation.js';

/** The child's work never ends by itself, and takes the whole grace period to stop. */
const lastingMs = (id: string): number => (id === 'work' ? 1e9 : 10);

it.each([0, 1, 2, 3, 4, 5, 6])(
  'compensation begins when the child has stopped, also when the process dies %i commits after the cancellation',
  async (commits) => {
    const kv = outliving(new MemoryKv());
    const clock = new SimulatedClock();
    const child = defineWorkflow({ id: 'child' }).node('work', { run: 'work' }).build();
    const workflow = defineWorkflow({ id: 'w', compensate: 'always' })
      .node('made', { run: 'make', compensate: { run: 'undo' } })
      .node('sub', { dependsOn: ['made'], workflow: child })
      .build();
    const later = (ms: number): Promise<void> => clock.run(new Promise((done) => clock.setTimer(ms, done)));
    /** Attempts under way when the compensation was sent. */
    const beside: number[] = [];
    const live = async (store: typeof kv) => {
      const fateOf = (id: string): Fate => {
        if (id === 'compensate:made') beside.push(world.pool.busy);
        return { outcome: 'ok', durationMs: lastingMs(id), output: '{}' };
      };
      const world = await simulate(store, {
        seed: 1,
        workflows: [workflow],
        slots: 9,
        lossRate: 0,
        fateOf,
        clock,
      });
      return world.runtime;
    };

    const store = { ...kv };
    const first = await live(store);
    await clock.run(first.start(workflow, {}, { executionId: 'e' }));
    await later(1_000);
    expect((await first.get('e'))!.node_states.sub.status).toBe('running');
    const doomed = crashing(kv, commits, true);
    store.commit = (ops, guards) => doomed.commit(ops, guards);
    void first.cancel('e').catch(() => {});
    await later(2_000);
    expect(beside).toEqual([]);

    clock.forget();
    await buryOwners(kv);
    const second = await live(kv);
    await clock.run(second.recoverInterrupted());
    await later(60_000);
    expect(beside).toEqual([0]);
    expect(await second.get('e')).toMatchObject({
      status: 'cancelled',
      compensation: { completed: ['made'] },
      children: [{ status: 'cancelled' }],
    });
  },
);
