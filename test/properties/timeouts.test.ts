import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LEAF } from '../../src/engine/columns.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { played, scriptOver } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';
import { expectReplayed } from './replayed.js';

/** Retries take a second each in these scripts, so that some of these limits are met. */
const scripts = scriptOver(30).chain((script) =>
  fc.record({
    limits: fc.array(fc.option(fc.constantFrom(0.5, 1.5, 30)), { minLength: 1, maxLength: 30 }),
    timeoutSeconds: fc.option(fc.constantFrom(1, 5, 60), { nil: undefined, freq: 2 }),
    script: fc.constant(script),
  }),
);

it('deadlines over random graphs end nodes for good and once, and leave nothing open, also after a crash', () => {
  fc.assert(
    fc.property(scripts, fc.nat(), ({ limits, timeoutSeconds, script: given }, at) => {
      const nodes = given.nodes.map((node, k) => {
        return { ...node, totalTimeoutSeconds: limits[k % limits.length] ?? undefined };
      });
      const script = { ...given, nodes, timeoutSeconds };
      const whole = played(script);
      expectReplayed(whole, script.plan);
      const kept = whole.journal.slice(0, 1 + (at % whole.journal.length));
      const random = lcg(script.seed + 1);
      const after = new EngineDriver(script, () => Math.floor(random() * 1e9), replay(script.plan, kept));
      after.nowMs = whole.nowMs;
      after.engine.recover(after.nowMs);
      for (const event of after.engine.overdue(after.nowMs)) after.apply(event);
      after.turn();
      after.play();
      for (const { engine, journal } of [whole, after]) {
        const { state } = engine;
        expect(['completed', 'failed']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);
        const over = journal.flat().filter(({ event }) => event.type === 'timedOut');
        expect(new Set(over.map(({ node }) => node)).size).toBe(over.length);
        for (const { node } of over) expect(state.columns.leaf[node]).toBe(LEAF['failed.exhausted']);
        for (const { event } of journal.flat())
          if (event.type === 'abandoned') expect(event.error.code).toBe('WORKFLOW_TIMEOUT');
      }
    }),
    { numRuns: 300 },
  );
});
