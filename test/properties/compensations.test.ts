import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LEAF } from '../../src/engine/columns.js';
import { compilePlan } from '../../src/graph/index.js';
import { EngineDriver, replay, type Script } from '../support/engine-driver.js';
import { scriptOver } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';
import { expectReplayed } from './replayed.js';

/** Random graphs in which some nodes have a compensation, which may fail. */
const scripts = scriptOver(20).chain((script) =>
  fc.record({
    picks: fc.array(fc.boolean(), { minLength: script.plan.nodeCount, maxLength: script.plan.nodeCount }),
    compensateOn: fc.constantFrom('on_failure' as const, 'on_cancel' as const, 'always' as const),
    script: fc.constant(script),
    requests: fc.array(
      fc.record({
        steps: fc.nat({ max: 40 }),
        node: fc.nat(),
        how: fc.constantFrom('cancel', 'compensate', 'retry', 'rerun', 'cascade', 'pause'),
      }),
      { maxLength: 4 },
    ),
    at: fc.nat(),
  }),
);

function withCompensations({ plan, nodes, ...script }: Script, picks: readonly boolean[]): Script {
  const count = plan.nodeCount;
  const targets = [...plan.ids.keys()].filter((node) => picks[node]);
  const given = plan.ids.map((id, node) => {
    const dependencies = plan.dependencies.subarray(
      plan.dependencyOffsets[node],
      plan.dependencyOffsets[node + 1],
    );
    return { id, dependencies: [...dependencies].map((at) => plan.ids[at]) };
  });
  const added = targets.map((node) => ({
    id: `compensate:${plan.ids[node]}`,
    dependencies: [plan.ids[node]],
  }));
  return {
    ...script,
    plan: compilePlan([...given, ...added]),
    nodes: [
      ...nodes,
      ...targets.map((node) => ({
        outcomes: [node % 4 === 0 ? ('fail' as const) : ('ok' as const)],
        maxAttempts: 2,
      })),
    ],
    compensations: new Map(targets.map((node, k) => [count + k, node])),
  };
}

it('compensations over random graphs run after an end that asks for them, one at a time, whatever is asked meanwhile', () => {
  fc.assert(
    fc.property(scripts, ({ script: given, picks, compensateOn, requests, at }) => {
      const script = { ...withCompensations(given, picks), compensateOn };
      const random = lcg(given.seed);
      const driver = new EngineDriver(script, () => Math.floor(random() * 1e9));
      driver.apply({ type: 'startRequested' });
      for (const { steps, node, how } of requests) {
        for (let i = 0; i < steps; i++) driver.step();
        const pick = node % script.plan.nodeCount;
        if (how === 'cancel' || how === 'compensate')
          driver.apply({ type: 'cancelRequested', compensate: how === 'compensate' });
        else if (how === 'pause') {
          driver.apply({ type: 'pauseRequested' });
          driver.apply({ type: 'resumeRequested' });
        } else if (how !== 'retry')
          driver.apply({ type: 'rerunRequested', node: pick, cascade: how === 'cascade' });
        else if (!['running', 'paused', 'completed'].includes(driver.engine.state.workflowLeaf))
          driver.apply({ type: 'retryRequested' });
      }
      driver.play();
      expectReplayed(driver, script.plan);
      const kept = driver.journal.slice(0, 1 + (at % driver.journal.length));
      const after = new EngineDriver(script, () => Math.floor(random() * 1e9), replay(script.plan, kept));
      after.nowMs = driver.nowMs;
      after.engine.recover(after.nowMs);
      after.turn();
      if (after.engine.state.workflowLeaf === 'paused') after.apply({ type: 'resumeRequested' });
      after.play();
      for (const { engine } of [driver, after]) {
        const { columns, workflowLeaf } = engine.state;
        expect(['completed', 'failed', 'cancelled']).toContain(workflowLeaf);
        expect(engine.isIdle).toBe(true);
        for (const [node, target] of script.compensations!) {
          if (columns.leaf[node] === LEAF.completed) expect(columns.leaf[target]).toBe(LEAF.completed);
          if (workflowLeaf === 'completed') expect(columns.leaf[node]).not.toBe(LEAF.pending);
        }
        if (workflowLeaf === 'failed' && compensateOn !== 'on_cancel')
          for (const [node, target] of script.compensations!)
            if (columns.leaf[target] === LEAF.completed) expect(columns.leaf[node]).not.toBe(LEAF.pending);
      }
      let running = 0;
      for (const { node, event } of driver.journal.flat()) {
        if (!script.compensations!.has(node)) continue;
        if (event.type === 'attemptStarted') expect(++running).toBe(1);
        if (['attemptSucceeded', 'attemptFailed', 'recovered', 'cancelRequested'].includes(event.type))
          running = Math.max(0, running - 1);
      }
    }),
    { numRuns: 400 },
  );
});
