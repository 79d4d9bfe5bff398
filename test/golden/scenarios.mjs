/*
 * What a golden store holds: executions left at every kind of place. `write` brings one there, with the build that wrote the
 * store; `goOn` is what this release does with it then, and `ends` how it must end: status of the execution and, by node,
 * status, attempts and output.
 */

import { scenariosOfTwo } from './scenarios-of-two.mjs';

const never = () => new Promise(() => {});
const done = (n, attempts = 1) => ({ status: 'completed', attempts, output: { n } });
const LARGE = 'x'.repeat(70_000);
/** More entries than there are between two checkpoints: two for each attempt. */
const OFTEN = 2_100;

/** Of a document what every release shows alike. */
export function briefly({
  status,
  error,
  node_states: states,
  node_outputs: outputs,
  global_context: context,
}) {
  const nodes = Object.values(states).map(({ node_id, status: state, attempt_count, error_message }) => {
    const output = outputs[node_id];
    const shown = typeof output === 'string' ? `${output.length} characters` : output;
    return [node_id, { status: state, attempts: attempt_count, output: shown, error: error_message }];
  });
  return { status, error: error?.message ?? null, nodes: Object.fromEntries(nodes), context };
}

/** @param isWriting false: what was held goes on, what failed succeeds */
function scenariosOfOne(defineWorkflow, isWriting) {
  const gates = new Map();
  const gate = (name) => {
    if (!gates.has(name)) {
      const made = {};
      made.reached = new Promise((resolve) => (made.reach = resolve));
      made.opened = new Promise((resolve) => (made.open = resolve));
      gates.set(name, made);
    }
    return gates.get(name);
  };
  const number = (n) => ({ execute: () => ({ n }) });
  /** Says that it runs, and goes on when its gate opens. */
  const gated = (name, n) => ({
    execute: async () => {
      gate(name).reach();
      if (isWriting) await gate(name).opened;
      return { n };
    },
  });
  const held = (name, n) => ({
    execute: async () => {
      gate(name).reach();
      if (isWriting) await never();
      return { n };
    },
  });
  const failsAt = (n, fails) => ({
    execute: ({ attempt }) => {
      if (isWriting && fails(attempt)) throw new Error(`attempt ${attempt} fails`);
      return { n };
    },
  });
  const start = async (runtime, { id, workflow }) =>
    (await runtime.start(workflow, { of: id }, { executionId: id })).result;
  /** To its end; what was recovered may be there already. */
  const resumed = async (runtime, id) => {
    try {
      await (
        await runtime.resume(id)
      ).result;
    } catch (error) {
      if (error.code !== 'EXECUTION_STATE') throw error;
    }
  };

  const completed = {
    id: 'completed',
    workflow: defineWorkflow({ id: 'completed' })
      .node('a', number(1))
      .node('b', { dependsOn: ['a'], ...number(2) })
      .node('skipped', { dependsOn: ['a'], condition: 'outputs.a.n > 1', ...number(3) })
      .node('command', { dependsOn: ['a'], run: `echo hello; echo '{"n": 4}'` })
      .build(),
    write: start,
    ends: {
      status: 'completed',
      a: done(1),
      b: done(2),
      skipped: { status: 'skipped', attempts: 0 },
      command: done(4),
    },
  };
  const failed = {
    id: 'failed',
    workflow: defineWorkflow({ id: 'failed', onFailure: 'continue' })
      .node('good', number(1))
      .node('bad', { retry: { maxAttempts: 2, delaySeconds: 0.01 }, ...failsAt(2, () => true) })
      .node('under', { dependsOn: ['bad'], ...number(3) })
      .build(),
    write: start,
    ends: {
      status: 'failed',
      good: done(1),
      bad: { status: 'failed', attempts: 2 },
      under: { status: 'blocked', attempts: 0 },
    },
  };
  let isFirst = true;
  const retried = {
    id: 'retried',
    workflow: defineWorkflow({ id: 'retried', onFailure: 'continue' })
      .node('bad', { retry: { maxAttempts: 1 }, ...failsAt(1, () => isFirst) })
      .node('under', { dependsOn: ['bad'], ...number(2) })
      .build(),
    async write(runtime) {
      await start(runtime, retried);
      isFirst = false;
      await (
        await runtime.retry('retried', { workflow: retried.workflow })
      ).result;
    },
    ends: { status: 'completed', bad: done(1), under: done(2) },
  };
  const again = {
    ...failed,
    id: 'failed-again',
    goOn: async (runtime) => (await runtime.retry('failed-again')).result,
    ends: { status: 'completed', good: done(1), bad: done(2), under: done(3) },
  };
  const paused = {
    id: 'paused',
    workflow: defineWorkflow({ id: 'paused' })
      .node('first', gated('paused', 1))
      .node('second', { dependsOn: ['first'], ...number(2) })
      .build(),
    async write(runtime) {
      const result = start(runtime, paused);
      await gate('paused').reached;
      await runtime.pause('paused');
      gate('paused').open();
      await result;
    },
    goOn: (runtime) => resumed(runtime, 'paused'),
    ends: { status: 'completed', first: done(1), second: done(2) },
  };
  const wentOn = {
    id: 'went-on',
    workflow: defineWorkflow({ id: 'went-on' })
      .node('first', gated('went-on', 1))
      .node('second', { dependsOn: ['first'], ...number(2) })
      .build(),
    async write(runtime) {
      const result = start(runtime, wentOn);
      await gate('went-on').reached;
      await runtime.pause('went-on');
      gate('went-on').open();
      await result;
      await (
        await runtime.resume('went-on', { workflow: wentOn.workflow })
      ).result;
    },
    ends: { status: 'completed', first: done(1), second: done(2) },
  };
  const cancelled = {
    id: 'cancelled',
    workflow: defineWorkflow({ id: 'cancelled' })
      .node('first', gated('cancelled', 1))
      .node('second', { dependsOn: ['first'], ...number(2) })
      .build(),
    async write(runtime) {
      const result = start(runtime, cancelled);
      await gate('cancelled').reached;
      await runtime.cancel('cancelled', 'for the golden store');
      gate('cancelled').open();
      await result;
    },
    ends: {
      status: 'cancelled',
      first: { status: 'cancelled', attempts: 1 },
      second: { status: 'cancelled', attempts: 0 },
    },
  };
  const large = {
    id: 'large',
    workflow: defineWorkflow({ id: 'large' })
      .node('big', { execute: () => LARGE })
      .build(),
    write: start,
    ends: {
      status: 'completed',
      big: { status: 'completed', attempts: 1, output: `${LARGE.length} characters` },
    },
  };
  const interrupted = {
    id: 'interrupted',
    workflow: defineWorkflow({ id: 'interrupted' })
      .node('first', number(1))
      .node('held', { dependsOn: ['first'], ...held('interrupted', 2) })
      .node('flaky', {
        retry: { maxAttempts: 2, delaySeconds: 60 },
        ...failsAt(3, (attempt) => attempt === 1),
      })
      .node('last', { dependsOn: ['held', 'flaky'], ...number(4) })
      .build(),
    async write(runtime) {
      void start(runtime, interrupted).catch(() => {});
      await gate('interrupted').reached;
    },
    goOn: (runtime) => resumed(runtime, 'interrupted'),
    ends: { status: 'completed', first: done(1), held: done(2), flaky: done(3, 2), last: done(4) },
  };
  const checkpointed = {
    id: 'checkpointed',
    workflow: defineWorkflow({ id: 'checkpointed' })
      .node('often', {
        retry: { maxAttempts: OFTEN, delaySeconds: 0 },
        ...failsAt(1, (attempt) => attempt < OFTEN),
      })
      .node('held', { dependsOn: ['often'], ...held('checkpointed', 2) })
      .build(),
    async write(runtime) {
      void start(runtime, checkpointed).catch(() => {});
      await gate('checkpointed').reached;
    },
    goOn: (runtime) => resumed(runtime, 'checkpointed'),
    ends: { status: 'completed', often: done(1, OFTEN), held: done(2) },
  };
  const pending = {
    id: 'pending',
    workflow: defineWorkflow({ id: 'pending' }).node('only', number(1)).build(),
    write: (runtime) => runtime.start(pending.workflow, { of: 'pending' }, { executionId: 'pending' }),
    goOn: (runtime) => resumed(runtime, 'pending'),
    ends: { status: 'completed', only: done(1) },
  };
  const abandoned = {
    id: 'abandoned',
    workflow: defineWorkflow({ id: 'abandoned' }).node('held', held('abandoned', 1)).build(),
    async write(runtime) {
      void start(runtime, abandoned).catch(() => {});
      await gate('abandoned').reached;
    },
    goOn: async (runtime) => (await runtime.retry('abandoned')).result,
    ends: { status: 'completed', held: done(1) },
  };
  return {
    abandoned,
    atRest: [completed, failed, again, retried, paused, wentOn, cancelled, large],
    held: [interrupted, checkpointed],
    pending,
    tools: { start, resumed, number, held, gate, done },
  };
}

/**
 * The scenarios of a format, in the order in which they are written.
 * @param defineWorkflow of the build at hand
 */
export function scenarios(defineWorkflow, format, isWriting) {
  const one = scenariosOfOne(defineWorkflow, isWriting);
  const { abandoned, pending } = one;
  const two = format < 2 ? {} : scenariosOfTwo(defineWorkflow, isWriting, one.tools);
  const { atRest = [], held = [], waiting = [] } = two;
  const holding = [...one.held, ...held];
  const all = [abandoned, ...one.atRest, ...atRest, ...waiting, ...holding, pending];
  return { abandoned, atRest: [...one.atRest, ...atRest, ...waiting], holding, pending, all };
}
