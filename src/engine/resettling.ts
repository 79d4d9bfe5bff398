import { DEPENDENCIES_MET } from '../../machines/events.js';
import type { EngineDefinition } from './definition.js';
import { LEAF } from './columns.js';
import type { ExecutionState } from './execution-state.js';
import { Readiness } from './readiness.js';
import { waitsToStart } from './rerun.js';

/**
 * The definition of an execution has changed, and nobody runs it: what was decided about nodes that have changed, and
 * have not begun, is open again, and so is what was blocked and is not any more. Recorded as entries. O(nodes + edges)
 */
export function resettle(
  definition: EngineDefinition,
  state: ExecutionState,
  changed: ReadonlySet<number>,
  atMs: number,
): void {
  const { leaf, edges } = state.columns;
  const readiness = new Readiness(definition, state.columns);
  // Dependencies first: whether they still block is known when a node is looked at.
  for (const node of state.plan.order) {
    readiness.recountOf(node);
    const isChanged = changed.has(node);
    if (leaf[node] === LEAF.blocked && (isChanged || readiness.decide(node) !== 'block'))
      state.sendNode(node, { type: 'dependencyRestored' }, atMs);
    if (!isChanged) continue;
    // What was known of the edges to it may be about other conditions. Only what is ready leads to a new run.
    if (leaf[node] === LEAF.pending && edges.into(node) !== undefined)
      state.sendNode(node, DEPENDENCIES_MET, atMs);
    if (waitsToStart(leaf[node])) state.sendNode(node, { type: 'rerunRequested' }, atMs);
  }
}
