import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEAF } from '../../src/engine/columns.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { edgeScripts, edgeVerdict, type EdgeScript } from '../support/edge-scripts.js';
import { begun, played } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';
import type { End } from '../support/trigger-oracle.js';
import { endsOf } from '../support/trigger-scripts.js';
import { expectReplayed } from './replayed.js';

const continuing = (size: number): fc.Arbitrary<EdgeScript> =>
  edgeScripts(size).map((script) => ({ ...script, failureMode: 'continue' as const }));
const stopping = edgeScripts(20).map((script) => ({ ...script, failureMode: 'fail_fast' as const }));

/** How every node must end under `continue`, dependencies first. */
function expectedEnds(script: EdgeScript): End[] {
  const ends: End[] = script.nodes.map(() => 'open');
  for (const node of script.plan.order) {
    const { outcomes, maxAttempts, condition } = script.nodes[node];
    const verdict = edgeVerdict(script, node, ends);
    const attempts = Array.from(
      { length: script.retries ? maxAttempts : 1 },
      (_, k) => outcomes[Math.min(k, outcomes.length - 1)],
    );
    if (verdict === 'skip') ends[node] = 'skipped';
    else if (verdict === 'block') ends[node] = 'blocked';
    else if (verdict === 'fail') ends[node] = 'failed';
    else if (condition === false) ends[node] = 'own';
    else ends[node] = condition === 'error' || attempts.every((each) => each === 'fail') ? 'failed' : 'ok';
  }
  return ends;
}

function restored(script: EdgeScript, journal: EngineDriver['journal'], nowMs: number): EngineDriver {
  const random = lcg(script.seed + 3);
  const driver = new EngineDriver(script, () => Math.floor(random() * 1e9), replay(script.plan, journal));
  driver.nowMs = nowMs;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  return driver;
}

describe('conditions on edges over random graphs', () => {
  it('end every node as the rules say of what it sees, whatever the order in which things end', () => {
    fc.assert(
      fc.property(continuing(40), (script) => {
        const driver = played(script);
        expect(endsOf(driver.engine.state)).toEqual(expectedEnds(script));
        expectReplayed(driver, script.plan);
      }),
      { numRuns: 300 },
    );
  });

  it('end alike after a crash at any commit, and ask about no edge twice', () => {
    fc.assert(
      fc.property(continuing(10), (script) => {
        const whole = played(script);
        for (let kept = 1; kept <= whole.journal.length; kept++) {
          const before = whole.journal.slice(0, kept);
          const after = restored(script, before, whole.nowMs);
          after.play();
          expect(endsOf(after.engine.state)).toEqual(endsOf(whole.engine.state));
          const decided = [...before, ...after.journal]
            .flat()
            .flatMap(({ node, event }) => (event.type === 'edgeEvaluated' ? `${event.from}>${node}` : []));
          expect(new Set(decided).size).toBe(decided.length);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('leave nothing running or undecided under fail_fast, nor after a crash', () => {
    fc.assert(
      fc.property(stopping, fc.nat(), (script, at) => {
        const whole = played(script);
        const kept = whole.journal.slice(0, 1 + (at % whole.journal.length));
        const after = restored(script, kept, whole.nowMs);
        after.play();
        for (const { engine } of [whole, after]) {
          const ends = endsOf(engine.state);
          expect(engine.state.workflowLeaf).toBe(ends.includes('failed') ? 'failed' : 'completed');
          expect(engine.isIdle).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('come to an end however often nodes are run again, and replay to the same', () => {
    const requests = fc.array(
      fc.record({
        steps: fc.nat({ max: 60 }),
        node: fc.nat(),
        how: fc.constantFrom('node', 'cascade', 'retry'),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(edgeScripts(25), requests, (script, asked) => {
        const driver = begun(script);
        for (const { steps, node: pick, how } of asked) {
          for (let i = 0; i < steps; i++) driver.step();
          const node = pick % script.plan.nodeCount;
          if (how === 'retry') driver.apply({ type: 'retryRequested' });
          else driver.apply({ type: 'rerunRequested', node, cascade: how === 'cascade' });
        }
        driver.play();
        const { state } = driver.engine;
        expect(['completed', 'failed']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);
        expectReplayed(driver, script.plan);
      }),
      { numRuns: 300 },
    );
  });
});
