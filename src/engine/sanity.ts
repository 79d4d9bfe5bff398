import { invariant } from '../base/assert.js';
import { outlastsFailure } from '../policy/trigger.js';
import { LEAF } from './columns.js';
import type { ExecutionEngine } from './execution-engine.js';
import { Readiness } from './readiness.js';

/**
 * Checks every invariant of an engine that can be seen from its state alone. For tests and debugging: O(nodes + edges).
 * @throws MaestroError INVARIANT
 */
export function checkInvariants(engine: ExecutionEngine): void {
  const { columns, plan } = engine.state;
  const { definition } = engine;
  const fresh = new Readiness(definition, columns);
  fresh.recount();
  const counts = new Int32Array(columns.counts.length);
  const itemCounts = new Int32Array(columns.counts.length);
  invariant(columns.nodeCount === plan.nodeCount, 'the columns did not grow with the plan');
  invariant(engine.readiness.unfinished.length === plan.nodeCount, 'the counters did not grow with the plan');
  for (let node = 0; node < plan.nodeCount; node++) {
    counts[columns.leaf[node]]++;
    if (node >= plan.fixedCount) itemCounts[columns.leaf[node]]++;
    const found = engine.readiness.countsOf(node);
    for (const [name, count] of Object.entries(fresh.countsOf(node)))
      invariant(
        found[name as keyof typeof found] === count,
        `what ${name} before "${plan.ids[node]}" is miscounted`,
      );
    // What a rerun without its dependents left keeps its result while its dependencies run again.
    // So does, and runs on, what depends on a restarted member of a group from outside.
    // And so does what has begun because fail_fast held its dependencies back, once they run.
    const trigger = definition.triggers.get(node);
    const outlasts =
      definition.failureMode === 'fail_fast' && trigger !== undefined && outlastsFailure(trigger);
    const isKept = engine.state.isOutdated(node) || outlasts || definition.compensations.has(node);
    const begun = (columns.leaf[node] === LEAF.running || columns.leaf[node] === LEAF.completed) && !isKept;
    invariant(!begun || fresh.decide(node) === 'run', `"${plan.ids[node]}" began before its dependencies`);
  }
  invariant(
    counts.every((count, leaf) => count === columns.counts[leaf]),
    'nodes per state are miscounted',
  );
  invariant(
    itemCounts.every((count, leaf) => count === columns.itemCounts.at(leaf)),
    'items per state are miscounted',
  );
  for (const node of columns.waits.keys())
    invariant(columns.leaf[node] === LEAF.running, `"${plan.ids[node]}" waits and does not run`);
}
