import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSettledLeaf, LEAF } from '../../src/engine/columns.js';
import { planRerun } from '../../src/engine/rerun.js';
import { dependenciesOf, descendants } from '../../src/graph/index.js';
import { EngineDriver, replay, type Script } from '../support/engine-driver.js';
import { expectReplayed } from './replayed.js';
import { drive, played, scriptArbitrary } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';

/** The execution as another process would take it up. */
function restored(script: Script & { seed: number }, journal: EngineDriver['journal']): EngineDriver {
  const random = lcg(script.seed + 3);
  const state = replay(script.plan, journal);
  const driver = new EngineDriver(script, () => Math.floor(random() * 1e9), state);
  driver.engine.recover(driver.nowMs);
  driver.turn();
  return driver;
}

/** Walks a journal: no attempt may start while one of its dependencies is without a result. */
function assertOrder({ plan }: Script, journal: EngineDriver['journal']): void {
  const completed = new Set<number>();
  for (const { node, event } of journal.flat()) {
    if (event.type === 'attemptSucceeded') completed.add(node);
    if (event.type === 'rerunRequested' && node >= 0) completed.delete(node);
    if (event.type === 'attemptStarted')
      for (const dependency of dependenciesOf(plan, node)) expect(completed.has(dependency)).toBe(true);
  }
}

const requests = fc.array(fc.record({ steps: fc.nat({ max: 80 }), node: fc.nat(), cascade: fc.boolean() }), {
  minLength: 1,
  maxLength: 5,
});

describe('one node again, over random graphs', () => {
  it('starts nothing but the node and what depends on it, and keeps every other result', () => {
    fc.assert(
      fc.property(scriptArbitrary, fc.nat(), fc.boolean(), (script, choice, cascade) => {
        const { plan } = script;
        const before = restored(script, played(script).journal);
        const { columns } = before.engine.state;
        const node = choice % plan.nodeCount;
        const rows = Array.from({ length: plan.nodeCount }, (_, at) => columns.row(at));
        const planned = planRerun(before.engine.definition, columns, node, cascade);
        before.apply({ type: 'rerunRequested', node, cascade });
        before.play();
        if ('why' in planned) {
          expect(before.journal).toEqual([]);
          return;
        }
        const below = new Set(descendants(plan, node));
        const wasBlocked = (at: number): boolean => rows[at].leaf === LEAF.blocked;
        const stands = rows.some(
          ({ leaf }, at) => leaf === LEAF['failed.exhausted'] && !planned.again.includes(at),
        );
        // Once no failure stands, what fail_fast had held back goes on as well.
        const wasHeldBack = (at: number): boolean => !stands && !isSettledLeaf(rows[at].leaf);
        for (const started of before.starts) {
          if (started === node || wasHeldBack(started)) continue;
          expect(below.has(started) && (cascade || wasBlocked(started))).toBe(true);
        }
        for (const [at, row] of rows.entries()) {
          const startsOver = at === node || (cascade && below.has(at) && row.leaf !== LEAF.pending);
          if (startsOver && !wasBlocked(at)) expect(columns.run[at]).toBe(row.run + 1);
          else if (!below.has(at) && !wasHeldBack(at)) expect(columns.row(at)).toEqual(row);
          else if (row.leaf === LEAF.completed) expect(columns.output[at]).toBe(row.output);
        }
        assertOrder(script, [...played(script).journal, ...before.journal]);
        expect(['completed', 'failed']).toContain(before.engine.state.workflowLeaf);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the order of dependencies and comes to an end, whenever and however often it is asked', () => {
    fc.assert(
      fc.property(scriptArbitrary, requests, fc.nat(), (script, reruns, at) => {
        const driver = drive(script);
        driver.apply({ type: 'startRequested' });
        for (const { steps, node, cascade } of reruns) {
          for (let i = 0; i < steps; i++) driver.step();
          driver.apply({ type: 'rerunRequested', node: node % script.plan.nodeCount, cascade });
        }
        driver.play();
        assertOrder(script, driver.journal);
        const { state } = driver.engine;
        expect(['completed', 'failed']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);

        expectReplayed(driver, script.plan);

        const survived = driver.journal.slice(0, 1 + (at % driver.journal.length));
        const after = restored(script, survived);
        after.play();
        assertOrder(script, [...survived, ...after.journal]);
        expect(['completed', 'failed']).toContain(after.engine.state.workflowLeaf);
      }),
      { numRuns: 200 },
    );
  });

  it('gives every run of a node a number of its own, and one end', () => {
    fc.assert(
      fc.property(scriptArbitrary, requests, (script, reruns) => {
        const driver = drive(script);
        driver.apply({ type: 'startRequested' });
        for (const { node, cascade } of reruns) {
          driver.play();
          driver.apply({ type: 'rerunRequested', node: node % script.plan.nodeCount, cascade });
        }
        driver.play();
        const runs = new Map<number, number>();
        const ended = new Set<string>();
        for (const { node, event } of driver.journal.flat()) {
          const run = runs.get(node) ?? 0;
          if (event.type === 'rerunRequested' && node >= 0) runs.set(node, run + 1);
          if (event.type !== 'attemptSucceeded') continue;
          expect(JSON.parse(event.output as string)).toEqual({ node, run });
          expect(ended.has(`${node}/${run}`)).toBe(false);
          ended.add(`${node}/${run}`);
        }
      }),
      { numRuns: 100 },
    );
  });
});
