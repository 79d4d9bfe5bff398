import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSettledLeaf, LEAF } from '../../src/engine/columns.js';
import type { EngineEvent } from '../../src/engine/effects.js';
import type { Entry } from '../../src/engine/entries.js';
import { ExecutionState } from '../../src/engine/execution-state.js';
import { dependenciesOf, growingPlan } from '../../src/graph/index.js';
import { exceedsTolerance } from '../../src/policy/map.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { mapScripts, type MapScript } from '../support/map-scripts.js';
import { lcg } from '../support/random-dag.js';
import { expectReplayed } from './replayed.js';

function driverOf(script: MapScript, seed = script.seed, journal?: readonly Entry[][]): EngineDriver {
  const random = lcg(seed);
  const state = journal && replay(script.plan, journal);
  const driver = new EngineDriver(script, () => Math.floor(random() * 1e9), state);
  if (journal === undefined) return driver;
  driver.nowMs = (journal.at(-1)?.at(-1)?.atMs ?? driver.nowMs) + 1;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  return driver;
}

function played(script: MapScript): EngineDriver {
  const driver = driverOf(script);
  driver.apply({ type: 'startRequested' });
  driver.play(5_000);
  return driver;
}

/** What becomes of an item in each stage, said anew: dependencies first, from the scripts alone. */
function expectedOf(script: MapScript, map: number, item: number): Map<number, 'ok' | 'skip' | 'bad'> {
  const ends = new Map<number, 'ok' | 'skip' | 'bad'>();
  const { stages } = script.plan.maps[map];
  for (const stage of stages) {
    const before = [...dependenciesOf(script.plan, stage)].flatMap((at) => ends.get(at) ?? []);
    const { outcomes, maxAttempts, condition } = script.itemScript(stage, item);
    if (before.includes('bad')) ends.set(stage, 'bad');
    else if (before.includes('skip')) ends.set(stage, 'skip');
    else if (condition === false) ends.set(stage, 'skip');
    else if (condition === 'error') ends.set(stage, 'bad');
    else ends.set(stage, outcomes[Math.min(maxAttempts, outcomes.length) - 1] === 'fail' ? 'bad' : 'ok');
  }
  return ends;
}

/** Each container as it must have ended, by what its nodes before it came to. */
function expectEnds(script: MapScript, driver: EngineDriver): void {
  const { columns, plan } = driver.engine.state;
  const growing = growingPlan(plan)!;
  script.plan.maps.forEach(({ stages, gate, group, sinks }, map) => {
    const container = group < 0 ? gate : group;
    const leaf = columns.leaf[gate];
    const before = [...dependenciesOf(script.plan, gate)];
    if (!before.every((at) => columns.leaf[at] === LEAF.completed)) {
      expect(leaf).not.toBe(LEAF.completed);
      return;
    }
    const list = script.listOf(
      gate,
      before.reduce((sum, at) => sum + columns.run[at], 0),
    );
    if ('error' in list) {
      expect(leaf).toBe(LEAF['failed.exhausted']);
      expect(columns.error.get(gate)!.code).toBe('MAP_LIST');
      return;
    }
    const ends = Array.from({ length: list.items }, (_, item) => expectedOf(script, map, item));
    const bad = ends.filter((each) => [...each.values()].includes('bad')).length;
    if (exceedsTolerance(script.maps.get(gate)!, bad, list.items)) {
      expect(leaf).toBe(LEAF['failed.exhausted']);
      expect(columns.error.get(gate)!.code).toBe('MAP_FAILED');
      if (group >= 0) expect(columns.leaf[group]).toBe(LEAF.blocked);
      return;
    }
    for (const stage of stages) expect(columns.leaf[stage]).toBe(LEAF.completed);
    expect(columns.leaf[container]).toBe(LEAF.completed);
    const valueOf = (stage: number, item: number): unknown =>
      ends[item].get(stage) === 'ok'
        ? { node: growing.itemNode(stage, item), run: columns.run[growing.itemNode(stage, item)] }
        : null;
    const results = ends.map((_, item) =>
      sinks.length === 1
        ? valueOf(sinks[0], item)
        : Object.fromEntries(sinks.map((sink) => [plan.ids[sink], valueOf(sink, item)])),
    );
    expect(JSON.parse(columns.output[container] as string)).toEqual(results);
  });
}

/**
 * No node succeeds twice in a run, items of a map execute within its limit and while its list stands, an item goes by
 * its own stages, and a result is made of nothing that was done for another list.
 */
function expectOrder(script: MapScript, driver: EngineDriver, journal: readonly (readonly Entry[])[]): void {
  const { plan } = driver.engine.state;
  const runs = new Map<number, number>();
  const done = new Set<string>();
  const completed = new Set<number>();
  const running = new Set<number>();
  /** By gate: the list that stands. */
  const lists = new Map<number, string>();
  const madeFor = new Map<number, string>();
  const gateOf = (node: number): number =>
    plan.maps[plan.mapOf.get(plan.itemStages[node - plan.fixedCount])!].gate;
  const entries = journal.flat();
  for (const [at, { node, event }] of entries.entries()) {
    if (event.type === 'mapExpanded') lists.set(event.node, event.digest);
    if (node < 0) continue;
    running.delete(node);
    if (event.type === 'rerunRequested') {
      lists.delete(node);
      runs.set(node, (runs.get(node) ?? 0) + 1);
      completed.delete(node);
    }
    if (event.type === 'attemptStarted') {
      // A condition that cannot be evaluated charges an attempt that never executes.
      const then = entries[at + 1]?.event;
      const neverRan = then?.type === 'attemptFailed' && then.error.code === 'CONDITION_FAILED';
      if (node < plan.fixedCount || neverRan) continue;
      running.add(node);
      expect(lists.has(gateOf(node))).toBe(true);
      for (const before of dependenciesOf(plan, node)) expect(completed).toContain(before);
      const map = plan.mapOf.get(plan.itemStages[node - plan.fixedCount])!;
      const beside = [...running].filter(
        (at) => plan.mapOf.get(plan.itemStages[at - plan.fixedCount]) === map,
      );
      const { maxConcurrency } = script.maps.get(plan.maps[map].gate)!;
      expect(beside.length).toBeLessThanOrEqual(maxConcurrency);
    }
    if (event.type !== 'attemptSucceeded') continue;
    const key = `${node}/${runs.get(node) ?? 0}`;
    expect(done).not.toContain(key);
    done.add(key);
    completed.add(node);
    if (node >= plan.fixedCount) madeFor.set(node, lists.get(gateOf(node))!);
    const map = plan.maps.findIndex(({ gate }) => gate === node);
    if (map < 0) continue;
    for (const item of growingPlan(plan)!.itemNodes(map)) {
      const isListed = plan.itemNumbers[item - plan.fixedCount] < growingPlan(plan)!.expansionOf(map)!.items;
      if (completed.has(item) && isListed) expect(madeFor.get(item)).toBe(lists.get(node));
    }
  }
}

/** A workflow that completes has nothing left, whatever its maps have put up with. */
function expectWhole({ engine: { state } }: EngineDriver): void {
  if (state.workflowLeaf !== 'completed') return;
  for (let node = 0; node < state.plan.fixedCount; node++)
    expect([LEAF.completed, LEAF.skipped]).toContain(state.columns.leaf[node]);
}

describe('maps over random graphs', () => {
  it('give every result in order, exactly once, and fail beyond their tolerance only', () => {
    fc.assert(
      fc.property(mapScripts({ failureMode: 'continue' }), (script) => {
        const driver = played(script);
        expectEnds(script, driver);
        expectOrder(script, driver, driver.journal);
        const { state } = driver.engine;
        const fixed = [...state.columns.leaf].slice(0, state.plan.fixedCount);
        expect(fixed.every(isSettledLeaf)).toBe(true);
        const failed = fixed.some((leaf) => leaf === LEAF['failed.exhausted'] || leaf === LEAF.cancelled);
        expect(state.workflowLeaf).toBe(failed ? 'failed' : 'completed');
        expect(driver.maxRunning).toBeLessThanOrEqual(script.concurrency);
      }),
      { numRuns: 400 },
    );
  }, 60_000);

  it('come to the same after a crash at any commit', () => {
    fc.assert(
      fc.property(mapScripts({ failureMode: 'continue' }), (script) => {
        const whole = played(script);
        expectReplayed(whole, script.plan);
        const { plan, columns } = whole.engine.state;
        for (let at = 1; at < whole.journal.length; at++) {
          const survived = whole.journal.slice(0, at);
          const after = driverOf(script, script.seed + at, survived);
          after.play(5_000);
          expectEnds(script, after);
          expectOrder(script, after, [...survived, ...after.journal]);
          const again = after.engine.state.columns;
          for (let node = 0; node < plan.fixedCount; node++) {
            expect(again.leaf[node]).toBe(columns.leaf[node]);
            expect(typeof again.output[node]).toBe(typeof columns.output[node]);
          }
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  it('are in a checkpoint whole', () => {
    fc.assert(
      fc.property(mapScripts(), fc.nat(), (script, at) => {
        const driver = driverOf(script);
        driver.apply({ type: 'startRequested' });
        for (let steps = at % 60; steps > 0; steps--) driver.step();
        const { state } = driver.engine;
        const stored = JSON.parse(JSON.stringify(state.workflowRow)) as typeof state.workflowRow;
        const again = new ExecutionState(script.plan);
        again.workflowRow = stored;
        for (let node = 0; node < state.columns.nodeCount; node++)
          again.columns.setRow(node, state.columns.row(node));
        expect(again.workflowRow).toEqual(state.workflowRow);
        expect(again.plan.ids).toEqual(state.plan.ids);
        expect([...again.plan.order]).toEqual([...state.plan.order]);
        expect([...again.columns.counts]).toEqual([...state.columns.counts]);
        const fixed = ({ columns }: ExecutionState): number[] =>
          Array.from(columns.counts, (_, leaf) => columns.countIn(leaf));
        expect(fixed(again)).toEqual(fixed(state));
        for (let node = 0; node < state.plan.nodeCount; node++) {
          expect([...dependenciesOf(again.plan, node)]).toEqual([...dependenciesOf(state.plan, node)]);
          expect(again.plan.indexOf.get(again.plan.ids[node])).toBe(node);
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('end under pauses, cancellations, retries and reruns at any moment, and after a crash', () => {
    const requests = fc.array(
      fc.record({
        steps: fc.nat({ max: 40 }),
        node: fc.nat(),
        kind: fc.constantFrom('pause', 'resume', 'cancel', 'cancel node', 'retry', 'rerun', 'cascade'),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(mapScripts(), requests, fc.nat(), (script, asked, at) => {
        const driver = driverOf(script);
        driver.apply({ type: 'startRequested' });
        for (const { steps, node: choice, kind } of asked) {
          for (let i = 0; i < steps; i++) driver.step();
          const node = choice % driver.engine.state.plan.nodeCount;
          const events: Record<typeof kind, EngineEvent> = {
            pause: { type: 'pauseRequested' },
            resume: { type: 'resumeRequested' },
            cancel: { type: 'cancelRequested' },
            'cancel node': { type: 'nodeCancelRequested', node },
            retry: { type: 'retryRequested' },
            rerun: { type: 'rerunRequested', node, cascade: false },
            cascade: { type: 'rerunRequested', node, cascade: true },
          };
          const canRetry = ['failed', 'cancelled'].includes(driver.engine.state.workflowLeaf);
          if (kind !== 'retry' || canRetry) driver.apply(events[kind]);
        }
        driver.play(5_000);
        driver.apply({ type: 'resumeRequested' });
        driver.play(5_000);
        const { state } = driver.engine;
        expect(['completed', 'failed', 'cancelled']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);
        expectWhole(driver);
        expectOrder(script, driver, driver.journal);
        expectReplayed(driver, script.plan);
        const survived = driver.journal.slice(0, 1 + (at % driver.journal.length));
        const after = driverOf(script, script.seed + 1, survived);
        after.apply({ type: 'resumeRequested' });
        after.play(5_000);
        expect(['completed', 'failed', 'cancelled']).toContain(after.engine.state.workflowLeaf);
        // What is retried comes to an end as well, with the items that a list still has.
        if (after.engine.state.workflowLeaf !== 'completed') {
          after.apply({ type: 'retryRequested' });
          after.play(5_000);
          expect(['completed', 'failed']).toContain(after.engine.state.workflowLeaf);
        }
        expectWhole(after);
        expectOrder(script, after, [...survived, ...after.journal]);
      }),
      { numRuns: 500 },
    );
  }, 120_000);
});
