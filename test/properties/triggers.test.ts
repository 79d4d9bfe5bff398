import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEAF } from '../../src/engine/columns.js';
import { dependenciesOf } from '../../src/graph/index.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { begun, played } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';
import type { End } from '../support/trigger-oracle.js';
import {
  endsOf,
  mayBeginEarly,
  outlasts,
  triggerScripts,
  verdictOf,
  type TriggerScript,
} from '../support/trigger-scripts.js';

const ofAnyKind = triggerScripts(40);
const continuing = ofAnyKind.map((script) => ({ ...script, failureMode: 'continue' as const }));
const stopping = triggerScripts(25).map((script) => ({ ...script, failureMode: 'fail_fast' as const }));

/** How every node must end under `continue`: from its fate and the rules, dependencies first. */
function expectedEnds(script: TriggerScript): End[] {
  const ends: End[] = script.nodes.map(() => 'open');
  for (const node of script.plan.order) {
    const { outcomes, maxAttempts, condition } = script.nodes[node];
    const verdict = verdictOf(script, node, ends);
    const attempts = Array.from(
      { length: script.retries ? maxAttempts : 1 },
      (_, k) => outcomes[Math.min(k, outcomes.length - 1)],
    );
    if (verdict !== 'run') ends[node] = verdict === 'skip' ? 'skipped' : 'blocked';
    else if (condition === false) ends[node] = 'own';
    else ends[node] = condition === 'error' || attempts.every((each) => each === 'fail') ? 'failed' : 'ok';
  }
  return ends;
}

/** The execution as another process takes it up after so many commits. */
function restored(script: TriggerScript, journal: EngineDriver['journal'], nowMs: number): EngineDriver {
  const random = lcg(script.seed + 3);
  const state = replay(script.plan, journal);
  const driver = new EngineDriver(script, () => Math.floor(random() * 1e9), state);
  driver.nowMs = nowMs;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  return driver;
}

/** Walks a journal: with each node that was let through, how the others were then. */
function* letThrough(script: TriggerScript, driver: EngineDriver): Generator<[node: number, ends: End[]]> {
  const state = replay(script.plan, []);
  for (const entry of driver.journal.flat()) {
    if (entry.event.type === 'dependenciesMet') yield [entry.node, endsOf(state)];
    state.replay(entry);
  }
}

/** Cleanup has run: nothing that outlasts failures was left behind although what is known lets it run. */
function expectNothingLeft(script: TriggerScript, driver: EngineDriver): void {
  const { state } = driver.engine;
  const ends = endsOf(state);
  expect(state.workflowLeaf).toBe(ends.includes('failed') ? 'failed' : 'completed');
  expect(state.columns.counts[LEAF.running]).toBe(0);
  ends.forEach((end, node) => {
    if (end !== 'open' || !outlasts(script, node)) return;
    const ofHeld = ends.map((each): End => (each === 'open' ? 'skipped' : each));
    expect(state.columns.leaf[node]).toBe(LEAF.pending);
    expect(verdictOf(script, node, ofHeld)).not.toBe('run');
  });
}

describe('trigger rules over random graphs', () => {
  it('end every node as the rules say, whatever the order in which things end', () => {
    fc.assert(
      fc.property(continuing, (script) => {
        const driver = played(script);
        expect(endsOf(driver.engine.state)).toEqual(expectedEnds(script));
      }),
      { numRuns: 300 },
    );
  });

  it('let no node through before that is certain', () => {
    fc.assert(
      fc.property(continuing, (script) => {
        for (const [node, ends] of letThrough(script, played(script))) {
          const isEarly = dependenciesOf(script.plan, node).some((at) => ends[at] === 'open');
          expect(isEarly ? mayBeginEarly(script, node, ends) : verdictOf(script, node, ends) === 'run').toBe(
            true,
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  it('end alike after a crash at any commit', () => {
    const small = triggerScripts(10).map((script) => ({ ...script, failureMode: 'continue' as const }));
    fc.assert(
      fc.property(small, (script) => {
        const whole = played(script);
        for (let kept = 1; kept <= whole.journal.length; kept++) {
          const after = restored(script, whole.journal.slice(0, kept), whole.nowMs);
          after.play();
          expect(endsOf(after.engine.state)).toEqual(endsOf(whole.engine.state));
          expect(after.engine.state.workflowLeaf).toBe(whole.engine.state.workflowLeaf);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keep the topological order in linear mode, and do not get stuck', () => {
    fc.assert(
      fc.property(continuing, (given) => {
        const script = { ...given, linear: true, concurrency: 1 };
        const driver = played(script);
        const ranks = driver.starts.map((node) => script.plan.rank[node]);
        const isRetried = script.retries && script.nodes.some(({ outcomes }) => outcomes.includes('fail'));
        if (!isRetried) expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
        expect(driver.engine.state.columns.counts[LEAF.pending]).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('trigger rules under fail_fast', () => {
  it('start only what outlasts failures after one, and leave none of that behind', () => {
    fc.assert(
      fc.property(stopping, (script) => {
        const driver = played(script);
        expectNothingLeft(script, driver);
        let failed = false;
        const state = replay(script.plan, []);
        for (const entry of driver.journal.flat()) {
          const { node, event } = entry;
          const runs = event.type === 'attemptStarted' && script.nodes[node].condition !== 'error';
          if (failed && runs) expect(outlasts(script, node)).toBe(true);
          state.replay(entry);
          failed ||= endsOf(state).includes('failed');
        }
      }),
      { numRuns: 200 },
    );
  });

  it('do so after a crash at any commit, too', () => {
    fc.assert(
      fc.property(stopping, fc.nat(), (script, at) => {
        const whole = played(script);
        const after = restored(script, whole.journal.slice(0, 1 + (at % whole.journal.length)), whole.nowMs);
        after.play();
        expectNothingLeft(script, after);
      }),
      { numRuns: 300 },
    );
  });
});

describe('trigger rules and what runs again', () => {
  const requests = fc.array(
    fc.record({
      steps: fc.nat({ max: 60 }),
      node: fc.nat(),
      how: fc.constantFrom('node', 'cascade', 'retry'),
    }),
    { minLength: 1, maxLength: 4 },
  );

  /** Each node is as the rules say of its dependencies, but for results that were kept. */
  function expectConsistent(script: TriggerScript, driver: EngineDriver): void {
    const { state } = driver.engine;
    const ends = endsOf(state);
    ends.forEach((end, node) => {
      if (state.isOutdated(node)) return;
      const isOver = [...dependenciesOf(script.plan, node)].every((at) => ends[at] !== 'open');
      if (!isOver || end === 'open') return;
      const verdict = verdictOf(script, node, ends);
      if (end === 'blocked') expect(verdict).toBe('block');
      else if (end === 'skipped') expect(verdict).toBe('skip');
    });
  }

  it('come to an end as the rules say, however often that is asked, and replay to the same', () => {
    fc.assert(
      fc.property(ofAnyKind, requests, fc.nat(), (script, asked, at) => {
        const driver = begun(script);
        for (const { steps, node, how } of asked) {
          for (let i = 0; i < steps; i++) driver.step();
          if (how === 'retry') driver.apply({ type: 'retryRequested' });
          else
            driver.apply({
              type: 'rerunRequested',
              node: node % script.plan.nodeCount,
              cascade: how === 'cascade',
            });
        }
        driver.play();
        const { state } = driver.engine;
        expect(['completed', 'failed']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);
        expectConsistent(script, driver);
        const again = replay(script.plan, driver.journal);
        for (let node = 0; node < script.plan.nodeCount; node++)
          expect(again.columns.row(node)).toEqual(state.columns.row(node));
        const survived = driver.journal.slice(0, 1 + (at % driver.journal.length));
        const after = restored(script, survived, driver.nowMs);
        after.play();
        expect(['completed', 'failed']).toContain(after.engine.state.workflowLeaf);
        expectConsistent(script, after);
      }),
      { numRuns: 300 },
    );
  });

  it('reset after a retry what a rule had skipped or blocked', () => {
    fc.assert(
      fc.property(continuing, (given) => {
        // Conditions are fine, and every node succeeds in its second run.
        const nodes = given.nodes.map((node) => ({ ...node, condition: undefined, failsUntilRun: 1 }));
        const script = { ...given, nodes: nodes.map((n) => ({ ...n, outcomes: ['ok' as const] })) };
        const driver = played(script);
        if (driver.engine.state.workflowLeaf !== 'failed') return;
        driver.apply({ type: 'retryRequested' });
        driver.play();
        expectConsistent(script, driver);
        expect(driver.engine.state.columns.counts[LEAF.pending]).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
