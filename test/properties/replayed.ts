import { expect } from 'vitest';
import { replay, type EngineDriver } from '../support/engine-driver.js';

/** The journal of a run gives, replayed, the state that the run has come to. */
export function expectReplayed(
  { engine: { state }, journal }: EngineDriver,
  plan: Parameters<typeof replay>[0],
): void {
  const again = replay(plan, journal);
  for (let node = 0; node < state.plan.nodeCount; node++) {
    expect(again.columns.row(node)).toEqual(state.columns.row(node));
    expect(again.isOutdated(node)).toBe(state.isOutdated(node));
  }
  expect(again.workflowRow).toEqual(state.workflowRow);
}
