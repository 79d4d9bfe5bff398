import type { WorkflowSpec } from '../runtime/index.js';

/**
 * How long each node is expected to take, when that is declared of all of them, as it is of recorded workflows.
 * Undefined otherwise, also when they are to take no time at all.
 */
export function expectedSeconds(spec: WorkflowSpec): ReadonlyMap<string, number> | undefined {
  const seconds = new Map<string, number>();
  let total = 0;
  for (const { id, expected_seconds: declared } of spec.nodes) {
    if (declared === undefined) return undefined;
    seconds.set(id, declared);
    total += declared;
  }
  return total > 0 ? seconds : undefined;
}
