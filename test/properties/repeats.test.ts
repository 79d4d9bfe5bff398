import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NODE_LEAVES } from '../../machines/events.js';
import { LEAF } from '../../src/engine/columns.js';
import type { Entry } from '../../src/engine/entries.js';
import { EngineDriver, replay, type NodeScript, type Script } from '../support/engine-driver.js';
import { dagArbitrary, lcg } from '../support/random-dag.js';

const repeats: fc.Arbitrary<NodeScript['repeat']> = fc.record(
  {
    until: fc.constant('true'),
    max: fc.integer({ min: 1, max: 5 }),
    endsAt: fc.integer({ min: 1, max: 7 }),
    delaySeconds: fc.constantFrom(0, 0, 3),
    onExhausted: fc.constantFrom('fail' as const, 'complete' as const),
    verdict: fc.option(fc.constant('error' as const), { nil: undefined, freq: 6 }),
  },
  { requiredKeys: ['until', 'max', 'endsAt', 'delaySeconds', 'onExhausted'] },
);

const nodeScript: fc.Arbitrary<NodeScript> = fc.record(
  {
    outcomes: fc.constantFrom(
      ['ok' as const],
      ['ok' as const],
      ['fail' as const, 'ok' as const],
      ['lost' as const, 'ok' as const],
    ),
    maxAttempts: fc.integer({ min: 1, max: 2 }),
    repeat: fc.option(repeats, { nil: undefined, freq: 2 }),
    condition: fc.option(fc.constantFrom(true, false), { nil: undefined, freq: 8 }),
  },
  { requiredKeys: ['outcomes', 'maxAttempts'] },
);

type RepeatScript = Script & { seed: number };

const scriptsOf = (failureMode: Script['failureMode']): fc.Arbitrary<RepeatScript> =>
  dagArbitrary(40)
    .chain(({ plan }) =>
      fc.record({
        plan: fc.constant(plan),
        nodes: fc.array(nodeScript, { minLength: plan.nodeCount, maxLength: plan.nodeCount }),
        failureMode: fc.constant(failureMode),
        linear: fc.boolean(),
        retries: fc.constant(true),
        concurrency: fc.constantFrom(1, 2, 1000),
        seed: fc.integer(),
      }),
    )
    .map((script) => (script.linear ? { ...script, concurrency: 1 } : script));

function driverOf(script: RepeatScript, seed: number, journal?: readonly Entry[][]): EngineDriver {
  const random = lcg(seed);
  const state = journal && replay(script.plan, journal);
  return new EngineDriver(script, () => Math.floor(random() * 1e9), state);
}

function played(script: RepeatScript): EngineDriver {
  const driver = driverOf(script, script.seed);
  driver.apply({ type: 'startRequested' });
  driver.play();
  return driver;
}

/** A life after a crash. */
function playedOn(script: RepeatScript, journal: readonly Entry[][], seed: number): EngineDriver {
  const driver = driverOf(script, seed, journal);
  driver.nowMs = (journal.at(-1)?.at(-1)?.atMs ?? driver.nowMs) + 1;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  driver.play();
  return driver;
}

const leaves = (driver: EngineDriver): string[] =>
  [...driver.engine.state.columns.leaf].map((leaf) => NODE_LEAVES[leaf]);

/** The iterations that each node begins, or has recorded, until its loop is over, and how that ends. */
function expected(script: RepeatScript, node: number): { iterations: number; leaf: string } {
  const { repeat, maxAttempts, outcomes } = script.nodes[node];
  const fails = outcomes[0] === 'fail' && maxAttempts === 1;
  if (fails) return { iterations: 1, leaf: 'failed.exhausted' };
  if (repeat === undefined) return { iterations: 1, leaf: 'completed' };
  const { endsAt, max, verdict, onExhausted } = repeat;
  if (endsAt <= max)
    return { iterations: endsAt, leaf: verdict === 'error' ? 'failed.exhausted' : 'completed' };
  return { iterations: max, leaf: onExhausted === 'fail' ? 'failed.exhausted' : 'completed' };
}

/** Each node ran as often as its loop says, and its dependents waited for the last iteration. */
function expectLoops(script: RepeatScript, driver: EngineDriver, entries: readonly Entry[]): void {
  const { columns } = driver.engine.state;
  const ended = new Map<number, number>();
  const due = new Map<number, number>();
  for (const { node, event, atMs } of entries) {
    if (event.type === 'attemptStarted') expect(atMs).toBeGreaterThanOrEqual(due.get(node) ?? 0);
    if (event.type !== 'iterationEnded') continue;
    ended.set(node, (ended.get(node) ?? 0) + 1);
    due.set(node, event.nextAtMs ?? 0);
  }
  const { dependencyOffsets, dependencies } = script.plan;
  const done = new Set<number>();
  for (const { node, event } of entries) {
    if (event.type === 'attemptSucceeded') done.add(node);
    if (event.type !== 'attemptStarted') continue;
    for (let k = dependencyOffsets[node]; k < dependencyOffsets[node + 1]; k++)
      expect(done.has(dependencies[k]) || columns.leaf[dependencies[k]] === LEAF.skipped).toBe(true);
  }
  for (let node = 0; node < script.plan.nodeCount; node++) {
    const leaf = NODE_LEAVES[columns.leaf[node]];
    if (leaf !== 'completed' && leaf !== 'failed.exhausted') continue;
    const { iterations, leaf: end } = expected(script, node);
    expect(leaf).toBe(end);
    expect(columns.iterationOf(node)).toBe(iterations);
    expect(ended.get(node) ?? 0).toBe(iterations - 1);
    expect(columns.run[node]).toBe(iterations - 1);
  }
}

describe('loops over random graphs', () => {
  it('run as often as they say, and dependents wait for the last iteration', () => {
    fc.assert(
      fc.property(scriptsOf('continue'), (script) => {
        const driver = played(script);
        expectLoops(script, driver, driver.journal.flat());
        expect(driver.maxRunning).toBeLessThanOrEqual(script.concurrency);
        expect(['completed', 'failed']).toContain(driver.engine.state.workflowLeaf);
        expect(driver.engine.state.columns.wakeAtMs.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('go on after a crash at any commit: no iteration is counted twice, none is left out', () => {
    fc.assert(
      fc.property(scriptsOf('continue'), fc.nat(), fc.nat(), (script, first, second) => {
        const whole = played(script);
        let journal = whole.journal.slice(0, 1 + (first % whole.journal.length));
        const once = playedOn(script, journal, script.seed + 1);
        journal = [...journal, ...once.journal.slice(0, second % (once.journal.length + 1))];
        const again = playedOn(script, journal, script.seed + 2);
        expect(leaves(again)).toEqual(leaves(whole));
        expectLoops(script, again, [...journal, ...again.journal].flat());
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('replay from the journal to the live state, at any moment', () => {
    fc.assert(
      fc.property(scriptsOf('fail_fast'), fc.nat({ max: 120 }), (script, steps) => {
        const driver = driverOf(script, script.seed);
        driver.apply({ type: 'startRequested' });
        for (let i = 0; i < steps; i++) driver.step();
        const { state } = driver.engine;
        const again = replay(script.plan, driver.journal);
        for (let node = 0; node < script.plan.nodeCount; node++)
          expect(again.columns.row(node)).toEqual(state.columns.row(node));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('come to rest when cancelled, paused or halted at any moment, and go on where they were', () => {
    fc.assert(
      fc.property(
        scriptsOf('fail_fast'),
        fc.nat({ max: 80 }),
        fc.constantFrom('cancel', 'pause', 'fail'),
        (script, steps, what) => {
          const driver = driverOf(script, script.seed);
          driver.apply({ type: 'startRequested' });
          for (let i = 0; i < steps; i++) driver.step();
          const { state } = driver.engine;
          if (what === 'pause' && state.workflowLeaf === 'running') {
            driver.apply({ type: 'pauseRequested' });
            driver.play();
            expect(driver.engine.isIdle).toBe(true);
            expect(state.workflowLeaf).toBe('paused');
            driver.apply({ type: 'resumeRequested' });
          }
          if (what === 'cancel' && state.workflowLeaf === 'running')
            driver.apply({ type: 'cancelRequested' });
          driver.play();
          expect(['completed', 'failed', 'cancelled']).toContain(state.workflowLeaf);
          expect(state.columns.counts[LEAF.running]).toBe(0);
          if (state.workflowLeaf === 'cancelled') expect(state.columns.counts[LEAF.ready]).toBe(0);
          // A retry takes loops that were held back on from the iteration they were at; what failed begins anew.
          const before = Array.from(state.columns.leaf, (leaf, node) =>
            leaf === LEAF.ready ? state.columns.iterationOf(node) : leaf === LEAF['failed.exhausted'] ? 1 : 0,
          );
          if (state.workflowLeaf !== 'failed') return;
          driver.apply({ type: 'retryRequested' });
          before.forEach((iteration, node) => {
            if (iteration > 0) expect(state.columns.iterationOf(node)).toBe(iteration);
          });
          driver.play();
          expect(state.workflowLeaf).toBe('failed');
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
