import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NODE_LEAVES } from '../../machines/events.js';
import { isSettledLeaf, LEAF } from '../../src/engine/columns.js';
import { EngineDriver, replay, type Script } from '../support/engine-driver.js';
import { begun, played, scriptArbitrary } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';

function leaves(state: { columns: { leaf: Uint8Array } }): string[] {
  return [...state.columns.leaf].map((leaf) => NODE_LEAVES[leaf]);
}

function dependencies(script: Script, node: number): number[] {
  const { dependencyOffsets, dependencies } = script.plan;
  return [...dependencies.slice(dependencyOffsets[node], dependencyOffsets[node + 1])];
}

describe('the engine over random graphs', () => {
  it('starts no node before its dependencies have completed, and respects the limit', () => {
    fc.assert(
      fc.property(scriptArbitrary, (script) => {
        const driver = played(script);
        const completed = new Set<number>();
        for (const { node, event } of driver.journal.flat()) {
          if (event.type === 'attemptSucceeded') completed.add(node);
          if (event.type !== 'attemptStarted') continue;
          for (const dependency of dependencies(script, node)) expect(completed.has(dependency)).toBe(true);
        }
        expect(driver.maxRunning).toBeLessThanOrEqual(script.concurrency);
      }),
      { numRuns: 150 },
    );
  });

  it('ends: every node settles, or stays where a stopped workflow leaves it', () => {
    fc.assert(
      fc.property(scriptArbitrary, (script) => {
        const driver = played(script);
        const { state } = driver.engine;
        const failed = state.columns.counts[LEAF['failed.exhausted']];
        expect(state.workflowLeaf).toBe(failed > 0 ? 'failed' : 'completed');
        if (failed === 0 || script.failureMode === 'continue') {
          expect([...state.columns.leaf].every(isSettledLeaf)).toBe(true);
        }
        expect(state.columns.counts[LEAF.running]).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('reaches at most one terminal state per node and run', () => {
    fc.assert(
      fc.property(scriptArbitrary, (script) => {
        const driver = played(script);
        const ends = new Map<number, number>();
        for (const { node, event } of driver.journal.flat()) {
          const terminal =
            event.type === 'attemptSucceeded' ||
            event.type === 'conditionNotMet' ||
            (event.type === 'attemptFailed' && event.retryAtMs === undefined);
          if (node >= 0 && terminal) ends.set(node, (ends.get(node) ?? 0) + 1);
        }
        for (const count of ends.values()) expect(count).toBe(1);
      }),
      { numRuns: 100 },
    );
  });

  it('starts nodes in topological order in linear mode', () => {
    fc.assert(
      fc.property(scriptArbitrary, (given) => {
        const script = { ...given, linear: true, concurrency: 1 };
        const driver = played(script);
        const ranks = driver.starts.map((node) => script.plan.rank[node]);
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
      }),
      { numRuns: 100 },
    );
  });

  it('replays from its journal to the live state', () => {
    fc.assert(
      fc.property(scriptArbitrary, (script) => {
        const driver = played(script);
        const again = replay(script.plan, driver.journal);
        for (let node = 0; node < script.plan.nodeCount; node++) {
          expect(again.columns.row(node)).toEqual(driver.engine.state.columns.row(node));
        }
        expect(again.workflowRow).toEqual(driver.engine.state.workflowRow);
      }),
      { numRuns: 100 },
    );
  });

  it('ends alike after a crash at any commit', () => {
    fc.assert(
      fc.property(scriptArbitrary, fc.nat(), (given, at) => {
        // Under fail_fast, which nodes ran before the first failure depends on timing; so does a scripted loss.
        const nodes = given.nodes.map((node) => ({
          ...node,
          outcomes: node.outcomes.filter((o) => o !== 'lost').concat('ok'),
        }));
        const script = { ...given, nodes, failureMode: 'continue' as const };
        const whole = played(script);
        const survived = whole.journal.slice(0, 1 + (at % whole.journal.length));
        const random = lcg(script.seed + 1);
        const restored = new EngineDriver(
          script,
          () => Math.floor(random() * 1e9),
          replay(script.plan, survived),
        );
        restored.engine.recover(restored.nowMs);
        restored.turn();
        restored.play();
        expect(leaves(restored.engine.state)).toEqual(leaves(whole.engine.state));
        expect(restored.engine.state.columns.output).toEqual(whole.engine.state.columns.output);
        expect(restored.engine.state.workflowLeaf).toBe(whole.engine.state.workflowLeaf);
        // What had ended before the crash did not run again.
        const ended = new Set(
          survived
            .flat()
            .filter(({ event }) => event.type === 'attemptSucceeded')
            .map(({ node }) => node),
        );
        for (const node of restored.starts) expect(ended.has(node)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it('completes what failed after a retry, and keeps what was completed', () => {
    fc.assert(
      fc.property(scriptArbitrary, (given) => {
        const nodes = given.nodes.map((node) => ({
          ...node,
          condition: node.condition === 'error' ? true : node.condition,
        }));
        const script = { ...given, nodes };
        const driver = played(script);
        if (driver.engine.state.workflowLeaf !== 'failed') return;
        const kept = [...driver.engine.state.columns.leaf].flatMap((leaf, node) =>
          leaf === LEAF.completed ? [node] : [],
        );
        const repaired = { ...script, nodes: nodes.map((node) => ({ ...node, outcomes: ['ok' as const] })) };
        const random = lcg(script.seed + 2);
        const again = new EngineDriver(
          repaired,
          () => Math.floor(random() * 1e9),
          replay(script.plan, driver.journal),
        );
        again.engine.recover(again.nowMs);
        again.apply({ type: 'retryRequested' });
        again.play();
        expect(again.engine.state.workflowLeaf).toBe('completed');
        for (const node of again.starts) expect(kept).not.toContain(node);
        const { counts, nodeCount } = again.engine.state.columns;
        expect(counts[LEAF.completed] + counts[LEAF.skipped]).toBe(nodeCount);
      }),
      { numRuns: 150 },
    );
  });

  it('stays cancelled, whatever arrives late', () => {
    fc.assert(
      fc.property(scriptArbitrary, fc.nat({ max: 60 }), (script, steps) => {
        const driver = begun(script);
        for (let i = 0; i < steps; i++) driver.step();
        if (driver.engine.state.workflowLeaf !== 'running') return;
        driver.apply({ type: 'cancelRequested' });
        const before = driver.journal.length;
        driver.play();
        expect(driver.journal.length).toBe(before);
        expect(driver.engine.state.workflowLeaf).toBe('cancelled');
        const { counts } = driver.engine.state.columns;
        for (const leaf of ['pending', 'ready', 'running', 'failed.retrying'] as const)
          expect(counts[LEAF[leaf]]).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('starts nothing while paused and goes on after resume', () => {
    fc.assert(
      fc.property(scriptArbitrary, fc.nat({ max: 60 }), (script, steps) => {
        const driver = begun(script);
        for (let i = 0; i < steps; i++) driver.step();
        if (driver.engine.state.workflowLeaf !== 'running') return;
        driver.apply({ type: 'pauseRequested' });
        const started = driver.starts.length;
        driver.play();
        expect(driver.starts.length).toBe(started);
        expect(driver.engine.state.workflowLeaf).toBe('paused');
        driver.apply({ type: 'resumeRequested' });
        driver.play();
        expect(['completed', 'failed']).toContain(driver.engine.state.workflowLeaf);
      }),
      { numRuns: 100 },
    );
  });
});
