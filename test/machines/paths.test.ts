import { describe, expect, it } from 'vitest';
import { createActor, type EventObject } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { compiledNode, compiledWorkflow, nodeMachine, workflowMachine } from '../../machines/index.js';
import type { CompiledMachine } from '../../machines/index.js';
import {
  type Expectation,
  LATE,
  NODE_EVENTS,
  NODE_TABLE,
  WORKFLOW_EVENTS,
  WORKFLOW_TABLE,
} from './tables.js';

/** One step of a path as the hand-written tables name it, e.g. `running attemptFailed+retry failed.retrying`. */
const arrow = (from: string, variant: string, to: string): string => `${from} ${variant} ${to}`;

function arrowsOf(table: Expectation): string[] {
  return Object.entries(table).flatMap(([leaf, row]) =>
    Object.entries(row).map(([variant, to]) => arrow(leaf, variant, to === LATE ? leaf : to)),
  );
}

/**
 * Drives a compiled actor along every path that reaches a state, extended by every event, with the hand-written
 * table as the model; returns the arrows exercised.
 */
function drive<C, E extends EventObject>(
  compiled: CompiledMachine<C, E>,
  table: Expectation,
  events: Record<string, E>,
  paths: readonly E[][],
): Set<string> {
  const exercised = new Set<string>();
  const variantOf = (event: E): string =>
    Object.entries(events).find(([, candidate]) => JSON.stringify(candidate) === JSON.stringify(event))![0];
  for (const path of paths) {
    for (const last of Object.values(events)) {
      const actor = createActor(compiled.logic).start();
      let model = compiled.leaves[compiled.initialLeaf];
      for (const event of [...path, last]) {
        const variant = variantOf(event);
        const to = table[model][variant];
        const before = model;
        if (to !== undefined && to !== LATE) model = to;
        actor.send(event);
        expect(compiled.leaves[actor.getSnapshot().leaf], `${before} on ${variant}`).toBe(model);
        if (to !== undefined) exercised.add(arrow(before, variant, model));
      }
    }
  }
  return exercised;
}

describe('paths generated from the definitions by xstate/graph', () => {
  it('exercise every transition of the node machine and no other', () => {
    const paths = getShortestPaths(nodeMachine, {
      events: Object.values(NODE_EVENTS),
      // Runs and attempts grow without end; two of each reach every leaf in every way that matters.
      stopWhen: ({ context }) => context.run > 1 || context.attempt > 2,
      limit: 10_000,
    }).map((path) => path.steps.map((step) => step.event).filter((event) => !isInit(event)));
    expect(paths.length).toBeGreaterThan(compiledNode.leaves.length);
    const exercised = drive(compiledNode, NODE_TABLE, NODE_EVENTS, paths);
    expect([...exercised].sort()).toEqual([...new Set(arrowsOf(NODE_TABLE))].sort());
  });

  it('exercise every transition of the workflow machine and no other', () => {
    const paths = getShortestPaths(workflowMachine, { events: Object.values(WORKFLOW_EVENTS) }).map((path) =>
      path.steps.map((step) => step.event).filter((event) => !isInit(event)),
    );
    expect(paths.length).toBeGreaterThanOrEqual(compiledWorkflow.leaves.length);
    const exercised = drive(compiledWorkflow, WORKFLOW_TABLE, WORKFLOW_EVENTS, paths);
    expect([...exercised].sort()).toEqual([...new Set(arrowsOf(WORKFLOW_TABLE))].sort());
  });
});

/** Paths of xstate/graph begin with the event that starts an actor. */
function isInit(event: EventObject): boolean {
  return event.type === 'xstate.init';
}
