import { mapScenario } from './map-scenario.mjs';
import { migrationScenario } from './migration-scenario.mjs';
import { contractsScenario } from './scenario-contracts.mjs';
import { loopScenarios } from './scenarios-loops.mjs';
import { subworkflowScenario } from './subworkflow-scenario.mjs';
import { wideScenario } from './wide-scenario.mjs';

const HOUR_SECONDS = 3600;

/** Version 2: what waits, what runs again alone, groups that start over. */
export function scenariosOfTwo(defineWorkflow, isWriting, tools) {
  const { start, resumed, number, held, gate, done } = tools;
  const waiting = {
    id: 'waiting',
    workflow: defineWorkflow({ id: 'waiting' })
      .node('before', number(1))
      .node('answer', { dependsOn: ['before'], waitFor: { signal: 'go' } })
      .node('review', { dependsOn: ['before'], review: { instructions: 'look' } })
      .node('nap', { dependsOn: ['before'], sleepSeconds: HOUR_SECONDS, condition: 'outputs.before.n > 1' })
      .node('last', { dependsOn: ['answer', 'review'], ...number(2) })
      .build(),
    async write(runtime) {
      void start(runtime, waiting).catch(() => {});
      while ((await runtime.reviews()).reviews.length === 0)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await runtime.review('waiting', 'review', { comment: 'not yet', reviewer: 'somebody' });
    },
    async goOn(runtime) {
      await runtime.signal('waiting', 'go', { n: 7 });
      await runtime.review('waiting', 'review', { decision: 'approve' });
      return resumed(runtime, 'waiting');
    },
    ends: {
      status: 'completed',
      before: done(1),
      answer: done(7),
      review: { status: 'completed', attempts: 1 },
      nap: { status: 'skipped', attempts: 0 },
      last: done(2),
    },
  };
  const answered = {
    id: 'answered',
    workflow: defineWorkflow({ id: 'answered' })
      .node('answer', { waitFor: { signal: 'go' } })
      .node('nap', { sleepSeconds: 0.02 })
      .build(),
    async write(runtime) {
      const { result } = await runtime.start(answered.workflow, {}, { executionId: 'answered' });
      await runtime.signal('answered', 'go', { n: 8 }, { signalId: 'one' });
      await result;
    },
    ends: { status: 'completed', answer: done(8), nap: { status: 'completed', attempts: 1 } },
  };
  const rerun = {
    id: 'rerun',
    workflow: defineWorkflow({ id: 'rerun' })
      .node('a', number(1))
      .node('b', { dependsOn: ['a'], ...number(2) })
      .build(),
    async write(runtime) {
      await start(runtime, rerun);
      await (
        await runtime.rerun('rerun', 'a', { cascade: true })
      ).result;
    },
    ends: { status: 'completed', a: done(1), b: done(2) },
  };
  const forked = {
    id: 'forked',
    workflow: rerun.workflow,
    write: async (runtime) => (await runtime.fork('rerun', { from: ['b'], executionId: 'forked' })).result,
    ends: { status: 'completed', a: done(1), b: done(2) },
  };
  let runs = 0;
  const rerunning = {
    id: 'rerunning',
    workflow: defineWorkflow({ id: 'rerunning' })
      .node('a', number(1))
      .node('b', {
        dependsOn: ['a'],
        execute: (context) => (isWriting && runs++ > 0 ? held('rerunning', 2).execute(context) : { n: 2 }),
      })
      .build(),
    async write(runtime) {
      await start(runtime, rerunning);
      await runtime.rerun('rerunning', 'b');
      await gate('rerunning').reached;
    },
    goOn: (runtime) => resumed(runtime, 'rerunning'),
    ends: { status: 'completed', a: done(1), b: done(2) },
  };
  let tries = 0;
  const group = {
    id: 'group',
    workflow: defineWorkflow({ id: 'group' })
      .node('x', {
        retry: { maxAttempts: 1 },
        execute: () => {
          if (tries++ === 0) throw new Error('once');
          return { n: 1 };
        },
      })
      .node('y', number(2))
      .group('both', { members: ['x', 'y'], strategy: 'one_for_all', maxRestarts: 1 })
      .build(),
    write: start,
    ends: { status: 'completed', x: done(1), y: done(2), both: { status: 'completed', attempts: 1 } },
  };
  const edges = {
    id: 'edges',
    workflow: defineWorkflow({ id: 'edges' })
      .node('a', number(1))
      .node('held', held('edges', 2))
      .node('b', { dependsOn: ['a', 'held'], ...number(3) })
      .node('c', { dependsOn: ['a', 'held'], ...number(4) })
      .edge('a', 'b', { condition: 'outputs.a.n == 1' })
      .edge('a', 'c', { condition: 'outputs.a.n > 1' })
      .build(),
    async write(runtime) {
      void start(runtime, edges).catch(() => {});
      await gate('edges').reached;
      const isOpen = ({ taken }) => taken === null;
      while ((await runtime.get('edges')).node_states.c.metadata.edges.some(isOpen))
        await new Promise((resolve) => setTimeout(resolve, 5));
    },
    goOn: (runtime) => resumed(runtime, 'edges'),
    ends: {
      status: 'completed',
      a: done(1),
      held: done(2),
      b: done(3),
      c: { status: 'skipped', attempts: 0 },
    },
  };
  let isLate = true;
  const late = {
    id: 'late',
    workflow: defineWorkflow({ id: 'late' })
      .node('a', {
        totalTimeoutSeconds: 0.05,
        execute: ({ signal }) =>
          isWriting && isLate
            ? new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
            : { n: 1 },
      })
      .build(),
    async write(runtime) {
      await start(runtime, late);
      isLate = false;
      await (
        await runtime.retry('late', { workflow: late.workflow })
      ).result;
    },
    ends: { status: 'completed', a: done(1) },
  };
  const cached = {
    id: 'cached',
    workflow: defineWorkflow({ id: 'cached' })
      .node('a', { ...number(1), cache: { ttlSeconds: 1e6, key: '1' } })
      .build(),
    async write(runtime) {
      await (
        await runtime.start(cached.workflow, {}, { executionId: 'cached-before' })
      ).result;
      await runtime.delete('cached-before');
      await start(runtime, cached);
    },
    ends: { status: 'completed', a: done(1) },
  };
  const undoing = {
    id: 'undoing',
    workflow: defineWorkflow({ id: 'undoing' })
      .node('a', { ...number(1), compensate: held('undoing', 3) })
      .node('b', { dependsOn: ['a'], ...number(2), compensate: number(4) })
      .node('bad', {
        dependsOn: ['b'],
        execute: () => {
          throw new Error('never well');
        },
      })
      .build(),
    async write(runtime) {
      void start(runtime, undoing).catch(() => {});
      await gate('undoing').reached;
    },
    goOn: (runtime) => resumed(runtime, 'undoing'),
    ends: {
      status: 'failed',
      a: done(1),
      b: done(2),
      bad: { status: 'failed', attempts: 1 },
      'compensate:a': done(3),
      'compensate:b': done(4),
    },
  };
  const { looped, looping } = loopScenarios(defineWorkflow, isWriting, tools);
  return {
    atRest: [
      answered,
      rerun,
      forked,
      group,
      looped,
      late,
      cached,
      contractsScenario(defineWorkflow, start),
      migrationScenario({ defineWorkflow, number, done }),
      wideScenario({ defineWorkflow, start, number, done }),
    ],
    held: [
      rerunning,
      edges,
      looping,
      undoing,
      mapScenario({ defineWorkflow, isWriting, ...tools }),
      subworkflowScenario({ defineWorkflow, ...tools }),
    ],
    waiting: [waiting],
  };
}
