import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSettledLeaf, LEAF } from '../../src/engine/columns.js';
import type { EngineEvent } from '../../src/engine/effects.js';
import type { Entry } from '../../src/engine/entries.js';
import { dependenciesOf, dependentsOf } from '../../src/graph/index.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { expectReplayed } from './replayed.js';
import { groupScripts, type GroupScript } from '../support/group-scripts.js';
import { lcg } from '../support/random-dag.js';

function driverOf(script: GroupScript, seed = script.seed, journal?: readonly Entry[][]): EngineDriver {
  const random = lcg(seed);
  const state = journal && replay(script.plan, journal);
  const driver = new EngineDriver(script, () => Math.floor(random() * 1e9), state);
  if (journal === undefined) return driver;
  driver.nowMs = (journal.at(-1)?.at(-1)?.atMs ?? driver.nowMs) + 1;
  driver.engine.recover(driver.nowMs);
  driver.turn();
  for (const [node, { kind }] of driver.engine.state.columns.waits)
    if (kind === 'review') driver.decide(node);
  return driver;
}

function played(script: GroupScript): EngineDriver {
  const driver = driverOf(script);
  driver.apply({ type: 'startRequested' });
  driver.play(5_000);
  return driver;
}

type Status = 'none' | 'open' | 'completed' | 'skipped' | 'failed' | 'cancelled';

/**
 * Walks a journal with nothing of the engine but its plan, and says what each restart took along. Dependencies come
 * first, members respect the limit of their group, and what starts over is what the strategy names.
 */
class Judge {
  readonly status: Status[];
  readonly restarts = new Map<number, number[]>();

  constructor(private readonly script: GroupScript) {
    this.status = new Array<Status>(script.plan.nodeCount).fill('none');
  }

  take(journal: readonly (readonly Entry[])[]): this {
    for (const entries of journal)
      entries.forEach((entry, at) => {
        if (entry.event.type === 'groupRestarted') this.restarted(entry, entries.slice(at + 1));
        if (entry.event.type === 'retryRequested') this.restarts.clear();
        if (entry.event.type === 'rerunRequested' && entry.node < 0) this.restarts.clear();
        if (entry.node >= 0) this.move(entry, entries[at + 1]);
      });
    return this;
  }

  private move({ node, event }: Entry, next: Entry | undefined): void {
    const { type } = event;
    const { plan, groups } = this.script;
    switch (type) {
      case 'attemptStarted':
      case 'waitStarted': {
        const allowed = plan.groups.has(node) ? ['completed', 'skipped'] : ['completed'];
        for (const dependency of dependenciesOf(plan, node))
          expect(allowed).toContain(this.status[dependency]);
        this.status[node] = 'open';
        const group = plan.groupOf.get(node);
        // A condition that cannot be evaluated charges an attempt that never executes.
        const { event: then } = next ?? {};
        const neverRan = then?.type === 'attemptFailed' && then.error.code === 'CONDITION_FAILED';
        if (group === undefined || type === 'waitStarted' || neverRan) return;
        const executing = [...plan.groups.get(group)!].filter(
          (at) => this.status[at] === 'open' && this.script.nodes[at].wait === undefined,
        );
        expect(executing.length).toBeLessThanOrEqual(groups.get(group)!.maxConcurrency);
        return;
      }
      case 'attemptSucceeded':
        this.status[node] = 'completed';
        return;
      case 'attemptFailed':
        this.status[node] = 'retryAtMs' in event && event.retryAtMs !== undefined ? 'none' : 'failed';
        return;
      case 'conditionNotMet':
        this.status[node] = 'skipped';
        return;
      case 'cancelRequested':
        this.status[node] = 'cancelled';
        return;
      case 'recovered':
      case 'rerunRequested':
        this.status[node] = 'none';
        return;
      default:
    }
  }

  private restarted(entry: Entry, next: readonly Entry[]): void {
    if (entry.event.type !== 'groupRestarted') return;
    const { group, node } = entry.event;
    const { plan, groups } = this.script;
    const { strategy, intensity } = groups.get(group)!;
    expect(this.status[node]).toBe('failed');
    const times = [...(this.restarts.get(group) ?? []), entry.atMs];
    this.restarts.set(group, times);
    const recent = times.filter((atMs) => entry.atMs - atMs <= intensity.withinMs);
    expect(recent.length).toBeLessThanOrEqual(intensity.maxRestarts);

    const again = new Set<number>();
    const until = next.findIndex(({ event }) => !['cancelRequested', 'rerunRequested'].includes(event.type));
    for (const { node: at, event } of until < 0 ? next : next.slice(0, until))
      if (event.type === 'rerunRequested') again.add(at);
    const members = [...plan.groups.get(group)!];
    const named = namedBy(strategy, members, node, (at) => [...dependentsOf(plan, at)]);
    for (const member of members) {
      const begun = !['none', 'cancelled'].includes(this.status[member]);
      if (named.has(member) && begun) expect(again.has(member)).toBe(true);
      if (!named.has(member) && this.status[member] === 'completed') expect(again.has(member)).toBe(false);
    }
    for (const at of again) {
      if (named.has(at)) continue;
      // Not named: only what had begun, or could, on a result that is made again.
      expect(['none', 'open']).toContain(this.status[at]);
      expect(dependenciesOf(plan, at).some((dependency) => again.has(dependency))).toBe(true);
    }
  }
}

/** OTP's words, as a list: said anew, by closure. */
function namedBy(
  strategy: string,
  members: readonly number[],
  failed: number,
  dependents: (at: number) => readonly number[],
): Set<number> {
  if (strategy === 'one_for_one') return new Set([failed]);
  if (strategy === 'one_for_all') return new Set(members);
  const named = new Set(members.slice(members.indexOf(failed)));
  for (let size = 0; size !== named.size;) {
    size = named.size;
    for (const at of [...named])
      for (const dependent of dependents(at)) if (members.includes(dependent)) named.add(dependent);
  }
  return named;
}

describe('parallel groups over random graphs', () => {
  it('keep order, limits and strategies, and every workflow ends', () => {
    fc.assert(
      fc.property(groupScripts(), (script) => {
        const driver = played(script);
        new Judge(script).take(driver.journal);
        const { state } = driver.engine;
        const { counts } = state.columns;
        expect(['completed', 'failed']).toContain(state.workflowLeaf);
        expect(counts[LEAF.running]).toBe(0);
        if (script.failureMode === 'continue' || state.workflowLeaf === 'completed')
          expect([...state.columns.leaf].every(isSettledLeaf)).toBe(true);
        expect(driver.maxRunning).toBeLessThanOrEqual(script.concurrency);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it('end as their members did, and give their outputs', () => {
    fc.assert(
      fc.property(groupScripts({ failureMode: 'continue' }), (script) => {
        const { columns } = played(script).engine.state;
        for (const [group, policy] of script.groups) {
          const members = [...script.plan.groups.get(group)!];
          const leaves = members.map((at) => columns.leaf[at]);
          const isIn = (...wanted: number[]): boolean => leaves.some((leaf) => wanted.includes(leaf));
          const failed = isIn(LEAF['failed.exhausted'], LEAF.cancelled, LEAF.blocked);
          if (failed) expect(columns.leaf[group]).toBe(LEAF.blocked);
          else expect(columns.leaf[group]).toBe(isIn(LEAF.completed) ? LEAF.completed : LEAF.skipped);
          if (policy.onMemberFailure === 'continue') expect(isIn(LEAF.cancelled)).toBe(false);
          if (columns.leaf[group] !== LEAF.completed) continue;
          const expected = Object.fromEntries(
            members.flatMap((at) =>
              columns.leaf[at] === LEAF.completed
                ? [[script.plan.ids[at], JSON.parse(columns.output[at] as string) as unknown]]
                : [],
            ),
          );
          expect(JSON.parse(columns.output[group] as string)).toEqual(expected);
        }
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  it('complete when there are restarts enough, whoever fails how often before', () => {
    const policy = { intensity: { maxRestarts: 1000, withinMs: Infinity } };
    fc.assert(
      fc.property(groupScripts({ failureMode: 'fail_fast', policy }), (given) => {
        const nodes = given.nodes.map((node, at) => ({
          ...node,
          condition: undefined,
          wait: node.wait?.kind === 'review' ? undefined : node.wait,
          failsUntilRun: given.plan.groupOf.has(at) ? Math.min(2, node.failsUntilRun ?? 0) : 0,
          outcomes: ['ok' as const],
        }));
        const driver = played({ ...given, nodes });
        expect(driver.engine.state.workflowLeaf).toBe('completed');
        new Judge(given).take(driver.journal);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('replay to the live state, and go on after a crash at any commit, also in the middle of restarts', () => {
    fc.assert(
      fc.property(groupScripts(), fc.nat(), (script, at) => {
        const driver = played(script);
        expectReplayed(driver, script.plan);
        const survived = driver.journal.slice(0, 1 + (at % driver.journal.length));
        const after = driverOf(script, script.seed + 1, survived);
        after.play(5_000);
        new Judge(script).take([...survived, ...after.journal]);
        expect(['completed', 'failed']).toContain(after.engine.state.workflowLeaf);
      }),
      { numRuns: 250 },
    );
  }, 60_000);

  it('keep order and limits through pauses, cancellations, retries and reruns at any moment', () => {
    const requests = fc.array(
      fc.record({
        steps: fc.nat({ max: 60 }),
        node: fc.nat(),
        kind: fc.constantFrom('pause', 'resume', 'cancel', 'cancel node', 'retry', 'rerun', 'cascade'),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(groupScripts(), requests, fc.nat(), (script, asked, at) => {
        const driver = driverOf(script);
        driver.apply({ type: 'startRequested' });
        for (const { steps, node: choice, kind } of asked) {
          for (let i = 0; i < steps; i++) driver.step();
          const node = choice % script.plan.nodeCount;
          const events: Record<typeof kind, EngineEvent> = {
            pause: { type: 'pauseRequested' },
            resume: { type: 'resumeRequested' },
            cancel: { type: 'cancelRequested' },
            'cancel node': { type: 'nodeCancelRequested', node },
            retry: { type: 'retryRequested' },
            rerun: { type: 'rerunRequested', node, cascade: false },
            cascade: { type: 'rerunRequested', node, cascade: true },
          };
          // The runtime refuses to retry what has not failed.
          const canRetry = ['failed', 'cancelled'].includes(driver.engine.state.workflowLeaf);
          if (kind !== 'retry' || canRetry) driver.apply(events[kind]);
        }
        driver.play(5_000);
        driver.apply({ type: 'resumeRequested' });
        driver.play(5_000);
        new Judge(script).take(driver.journal);
        const { state } = driver.engine;
        expect(['completed', 'failed', 'cancelled']).toContain(state.workflowLeaf);
        expect(state.columns.counts[LEAF.running]).toBe(0);
        const again = replay(script.plan, driver.journal);
        expect(again.workflowRow).toEqual(state.workflowRow);
        const survived = driver.journal.slice(0, 1 + (at % driver.journal.length));
        const after = driverOf(script, script.seed + 1, survived);
        after.apply({ type: 'resumeRequested' });
        after.play(5_000);
        new Judge(script).take([...survived, ...after.journal]);
        expect(['completed', 'failed', 'cancelled']).toContain(after.engine.state.workflowLeaf);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
