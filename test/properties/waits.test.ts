import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NODE_LEAVES } from '../../machines/events.js';
import type { EngineEvent } from '../../src/engine/effects.js';
import type { Entry } from '../../src/engine/entries.js';
import { LEAF } from '../../src/engine/columns.js';
import type { WaitPlan } from '../../src/policy/wait.js';
import { EngineDriver, replay, type NodeScript, type Script } from '../support/engine-driver.js';
import { dagArbitrary, lcg } from '../support/random-dag.js';

const NAMES = ['a', 'b', 'c'];

const plans: fc.Arbitrary<WaitPlan> = fc.oneof(
  fc
    .constantFrom(...NAMES)
    .map((signal): WaitPlan => ({ kind: 'signal', signal, deadlineSeconds: null, fallback: null })),
  fc
    .constantFrom('fail' as const, 'complete' as const)
    .map((onReject): WaitPlan => ({ kind: 'review', deadlineSeconds: null, fallback: null, onReject })),
  fc.nat({ max: 100 }).map((seconds): WaitPlan => ({ kind: 'time', seconds })),
  fc.constant<WaitPlan>({ kind: 'child' }),
  fc.nat({ max: 2000 }).map((seconds): WaitPlan => ({ kind: 'time', atMs: seconds * 1000 })),
);

const nodeScript: fc.Arbitrary<NodeScript> = fc.record(
  {
    outcomes: fc.constantFrom(['ok' as const], ['ok' as const], ['fail' as const, 'ok' as const]),
    maxAttempts: fc.integer({ min: 1, max: 2 }),
    wait: fc.option(plans, { nil: undefined, freq: 2 }),
    condition: fc.option(fc.constantFrom(true, false), { nil: undefined, freq: 8 }),
  },
  { requiredKeys: ['outcomes', 'maxAttempts'] },
);

interface WaitScript extends Script {
  seed: number;
  signals: (EngineEvent & { type: 'signalReceived' })[];
}

/** As many signals of each name as there are nodes that wait for it, and some more. */
const scripts: fc.Arbitrary<WaitScript> = dagArbitrary(60)
  .chain(({ plan }) =>
    fc.record({
      plan: fc.constant(plan),
      nodes: fc.array(nodeScript, { minLength: plan.nodeCount, maxLength: plan.nodeCount }),
      failureMode: fc.constant('continue' as const),
      linear: fc.boolean(),
      retries: fc.constant(true),
      concurrency: fc.constantFrom(1, 2, 1000),
      more: fc.array(fc.constantFrom(...NAMES), { maxLength: 3 }),
      seed: fc.integer(),
    }),
  )
  .map(({ more, ...script }) => {
    const names = [
      ...script.nodes.flatMap(({ wait }) => (wait?.kind === 'signal' ? [wait.signal] : [])),
      ...more,
    ];
    const signals = names.map((name, k) => {
      return { type: 'signalReceived' as const, name, payload: JSON.stringify(k), id: `s${k}` };
    });
    return { ...script, concurrency: script.linear ? 1 : script.concurrency, signals };
  });

function driverOf(script: WaitScript, seed: number, journal?: readonly Entry[][]): EngineDriver {
  const random = lcg(seed);
  const state = journal && replay(script.plan, journal);
  return new EngineDriver(script, () => Math.floor(random() * 1e9), state);
}

/** Signals arrive at any moment, also before anything waits for them. */
function played(script: WaitScript): EngineDriver {
  const driver = driverOf(script, script.seed);
  driver.apply({ type: 'startRequested' });
  driver.pending.push(...script.signals.map((event) => ({ event })));
  driver.play();
  return driver;
}

/** A life after a crash: reviewers ask what is open, senders send everything again. */
function playedOn(script: WaitScript, journal: readonly Entry[][], seed: number): EngineDriver {
  const driver = driverOf(script, seed, journal);
  driver.nowMs = (journal.at(-1)?.at(-1)?.atMs ?? driver.nowMs) + 1;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  for (const [node, { kind }] of driver.engine.state.columns.waits)
    if (kind === 'review') driver.decide(node);
  driver.pending.push(...script.signals.map((event) => ({ event })));
  driver.play();
  return driver;
}

const leaves = (driver: EngineDriver): string[] =>
  [...driver.engine.state.columns.leaf].map((leaf) => NODE_LEAVES[leaf]);

/** Payloads by signal name, in the order in which they came, and in which nodes took them. */
function traffic(entries: readonly Entry[]): Record<'came' | 'taken', Record<string, string[]>> {
  const came: Record<string, string[]> = {};
  const taken: Record<string, string[]> = {};
  const waiting = new Map<number, string>();
  entries.forEach(({ node, event }, at) => {
    if (event.type === 'signalReceived') (came[event.name] ??= []).push(event.payload);
    if (event.type === 'waitStarted' && event.signal !== null) waiting.set(node, event.signal);
    if (event.type !== 'waitEnded' || event.by !== 'signal') return;
    const next = entries[at + 1].event;
    if (next.type === 'attemptSucceeded') (taken[waiting.get(node)!] ??= []).push(next.output as string);
  });
  return { came, taken };
}

function expectDeliveredOnce(entries: readonly Entry[]): void {
  const { came, taken } = traffic(entries);
  for (const [name, payloads] of Object.entries(came)) {
    expect(new Set(payloads).size).toBe(payloads.length);
    // First come first served: what was taken is the beginning of what came.
    expect(payloads.slice(0, taken[name]?.length ?? 0)).toEqual(taken[name] ?? []);
  }
}

describe('waits over random graphs', () => {
  it('start after their dependencies, take no slot, and deliver each signal once, in order', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const driver = played(script);
        const entries = driver.journal.flat();
        expectDeliveredOnce(entries);
        const { dependencyOffsets, dependencies, rank } = script.plan;
        const completed = new Set<number>();
        const ranks: number[] = [];
        for (const { node, event } of entries) {
          if (event.type === 'attemptSucceeded') completed.add(node);
          if (event.type !== 'attemptStarted' && event.type !== 'waitStarted') continue;
          if (ranks.at(-1) !== rank[node]) ranks.push(rank[node]);
          for (let k = dependencyOffsets[node]; k < dependencyOffsets[node + 1]; k++)
            expect(completed.has(dependencies[k])).toBe(true);
        }
        if (script.linear) expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
        expect(driver.maxRunning).toBeLessThanOrEqual(script.concurrency);
        expect(['completed', 'failed']).toContain(driver.engine.state.workflowLeaf);
        expect(driver.engine.state.columns.waits.size).toBe(0);
        expect(driver.engine.state.columns.wakeAtMs.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('go on after a crash at any commit: asked once, charged once, each signal taken once', () => {
    fc.assert(
      fc.property(scripts, fc.nat(), fc.nat(), (script, first, second) => {
        const whole = played(script);
        let journal = whole.journal.slice(0, 1 + (first % whole.journal.length));
        const once = playedOn(script, journal, script.seed + 1);
        journal = [...journal, ...once.journal.slice(0, second % (once.journal.length + 1))];
        const again = playedOn(script, journal, script.seed + 2);
        const entries = [...journal, ...again.journal].flat();
        expect(leaves(again)).toEqual(leaves(whole));
        expectDeliveredOnce(entries);
        const asked = new Map<number, number>();
        for (const { node, event } of entries)
          if (event.type === 'waitStarted') asked.set(node, (asked.get(node) ?? 0) + 1);
        for (const [node, times] of asked) {
          const { wait, outcomes, maxAttempts } = script.nodes[node];
          // A child that fails is tried again.
          const attempts = wait?.kind === 'child' && outcomes[0] === 'fail' ? maxAttempts : 1;
          expect(times).toBe(attempts);
          expect(again.engine.state.columns.attempt[node]).toBe(attempts);
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('replay from the journal to the live state, signals that nobody took included', () => {
    fc.assert(
      fc.property(scripts, fc.nat({ max: 80 }), (script, steps) => {
        const driver = driverOf(script, script.seed);
        driver.apply({ type: 'startRequested' });
        driver.pending.push(...script.signals.map((event) => ({ event })));
        for (let i = 0; i < steps; i++) driver.step();
        const { state } = driver.engine;
        const again = replay(script.plan, driver.journal);
        for (let node = 0; node < script.plan.nodeCount; node++)
          expect(again.columns.row(node)).toEqual(state.columns.row(node));
        expect(again.workflowRow).toEqual(state.workflowRow);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('end when they are cancelled, elapse while paused, and are withdrawn when the workflow fails fast', () => {
    fc.assert(
      fc.property(
        scripts,
        fc.nat({ max: 60 }),
        fc.constantFrom('cancel', 'pause', 'fail'),
        (given, steps, what) => {
          const script = {
            ...given,
            failureMode: what === 'fail' ? ('fail_fast' as const) : given.failureMode,
          };
          const driver = driverOf(script, script.seed);
          driver.apply({ type: 'startRequested' });
          driver.pending.push(...script.signals.map((event) => ({ event })));
          for (let i = 0; i < steps; i++) driver.step();
          const { state } = driver.engine;
          if (state.workflowLeaf !== 'running') return;
          if (what === 'pause') {
            driver.apply({ type: 'pauseRequested' });
            const waiting = state.columns.waits.size;
            driver.play();
            expect(driver.engine.isIdle).toBe(true);
            expect(state.columns.waits.size).toBeLessThanOrEqual(waiting);
            driver.apply({ type: 'resumeRequested' });
          }
          if (what === 'cancel') driver.apply({ type: 'cancelRequested' });
          driver.play();
          expect(state.workflowLeaf).not.toBe('running');
          expect(state.columns.counts[LEAF.running]).toBe(0);
          expect(state.columns.waits.size).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
