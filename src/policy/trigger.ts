/** How many of a node's dependencies have come to which end; the rest are unfinished. */
export interface TriggerCounts {
  readonly total: number;
  readonly succeeded: number;
  /** Failed for good, blocked, or cancelled. */
  readonly failed: number;
  readonly skipped: number;
}

/** run: now; wait: not certain yet; skip: its branch was not taken; block: a dependency failed. */
export type TriggerDecision = 'run' | 'wait' | 'skip' | 'block';

/** When a node runs, given its dependencies. Named as in Airflow. */
export type TriggerRule = 'all_success' | 'none_failed_min_one_success';

const RULES: Readonly<Record<TriggerRule, (counts: TriggerCounts) => TriggerDecision>> = {
  all_success({ total, succeeded, failed, skipped }) {
    if (failed > 0) return 'block';
    if (skipped > 0) return 'skip';
    return succeeded === total ? 'run' : 'wait';
  },
  none_failed_min_one_success({ total, succeeded, failed, skipped }) {
    if (failed > 0) return 'block';
    if (succeeded + skipped < total) return 'wait';
    return succeeded > 0 || total === 0 ? 'run' : 'skip';
  },
};

/**
 * What becomes of a node. A mark is set as soon as it is certain, while other dependencies still run; failed
 * beats skipped. Semantics: Airflow, trigger_rule_dep.py.
 */
export function decideTrigger(counts: TriggerCounts, rule: TriggerRule = 'all_success'): TriggerDecision {
  return RULES[rule](counts);
}
