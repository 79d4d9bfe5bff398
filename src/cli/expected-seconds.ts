import type { WorkflowSpec } from '../runtime/index.js';

/** Tasks imported from recordings: they last `config.seconds`. */
const RECORDED_STEP = 'maestro:sleep#';

/**
 * How long each node is expected to take, when that is known of all of them: tasks of recorded workflows say it.
 * Undefined otherwise, also when they are to take no time at all.
 */
export function expectedSeconds(spec: WorkflowSpec): ReadonlyMap<string, number> | undefined {
  const seconds = new Map<string, number>();
  let total = 0;
  for (const { id, uses, config } of spec.nodes) {
    const declared = config?.seconds;
    if (uses?.startsWith(RECORDED_STEP) !== true || typeof declared !== 'number') return undefined;
    seconds.set(id, declared);
    total += declared;
  }
  return total > 0 ? seconds : undefined;
}
