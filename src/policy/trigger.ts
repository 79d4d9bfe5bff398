import { asksForFailure, parseDepends, type DependsExpression } from './depends.js';

/** How many of a node's dependencies have come to which end; the rest are unfinished. */
export interface TriggerCounts {
  readonly total: number;
  readonly succeeded: number;
  /** Failed for good, or cancelled. */
  readonly failed: number;
  /** Could not run because of a failure before them (Airflow: upstream_failed). */
  readonly blocked: number;
  readonly skipped: number;
}

/** run: now; wait: not certain yet; skip: its branch was not taken; block: a dependency failed. */
export type TriggerDecision = 'run' | 'wait' | 'skip' | 'block';

type Decide = (counts: TriggerCounts) => TriggerDecision;

const finished = ({ succeeded, failed, blocked, skipped }: TriggerCounts): number =>
  succeeded + failed + blocked + skipped;
const isDone = (counts: TriggerCounts): boolean => finished(counts) === counts.total;
const failures = ({ failed, blocked }: TriggerCounts): number => failed + blocked;

/**
 * When a node runs, given how its dependencies ended: Airflow's rules under their names, without the one that its
 * teardown tasks use internally. Source: apache/airflow, trigger_rule_dep.py; where its documentation says otherwise
 * (all_done_min_one_success) the code and its tests hold.
 */
const RULES = {
  all_success: (counts) => {
    if (failures(counts) > 0) return 'block';
    if (counts.skipped > 0) return 'skip';
    return isDone(counts) ? 'run' : 'wait';
  },
  all_failed: (counts) => {
    if (counts.succeeded + counts.skipped > 0) return 'skip';
    return isDone(counts) ? 'run' : 'wait';
  },
  all_done: (counts) => (isDone(counts) ? 'run' : 'wait'),
  all_done_min_one_success: (counts) => {
    if (counts.skipped > 0) return 'skip';
    if (!isDone(counts)) return 'wait';
    return counts.succeeded > 0 ? 'run' : 'block';
  },
  all_skipped: (counts) => {
    if (counts.succeeded + failures(counts) > 0) return 'skip';
    return isDone(counts) ? 'run' : 'wait';
  },
  one_success: (counts) => {
    if (counts.succeeded > 0) return 'run';
    if (!isDone(counts)) return 'wait';
    return counts.skipped === counts.total ? 'skip' : 'block';
  },
  one_failed: (counts) => {
    if (failures(counts) > 0) return 'run';
    return isDone(counts) ? 'skip' : 'wait';
  },
  one_done: (counts) => {
    if (counts.succeeded + counts.failed > 0) return 'run';
    return isDone(counts) ? 'skip' : 'wait';
  },
  none_failed: (counts) => {
    if (failures(counts) > 0) return 'block';
    return isDone(counts) ? 'run' : 'wait';
  },
  none_failed_min_one_success: (counts) => {
    if (failures(counts) > 0) return 'block';
    if (!isDone(counts)) return 'wait';
    return counts.succeeded > 0 ? 'run' : 'skip';
  },
  none_skipped: (counts) => {
    if (counts.skipped > 0) return 'skip';
    return isDone(counts) ? 'run' : 'wait';
  },
  always: () => 'run',
} satisfies Record<string, Decide>;

export type TriggerRule = keyof typeof RULES;
export const TRIGGER_RULES = Object.keys(RULES) as readonly TriggerRule[];

/**
 * What becomes of a node after one look. A mark is set as soon as it is certain, while other dependencies still run;
 * a node without dependencies runs under every rule.
 */
export function decideTrigger(counts: TriggerCounts, rule: TriggerRule = 'all_success'): TriggerDecision {
  return counts.total === 0 ? 'run' : RULES[rule](counts);
}

/** When a node runs that does not simply wait for the success of its dependencies. */
export type Trigger =
  | { readonly kind: 'rule'; readonly rule: TriggerRule }
  | { readonly kind: 'depends'; readonly text: string; readonly expression: DependsExpression };

/** The trigger that a node's fields ask for; undefined: all_success. @throws SPEC_INVALID */
export function triggerOf(fields: { trigger_rule?: TriggerRule; depends?: string }): Trigger | undefined {
  const { trigger_rule: rule = 'all_success', depends: text } = fields;
  if (text !== undefined) return { kind: 'depends', text, expression: parseDepends(text) };
  return rule === 'all_success' ? undefined : { kind: 'rule', rule };
}

const OUTLASTING: ReadonlySet<TriggerRule> = new Set<TriggerRule>([
  ...(['all_failed', 'all_done', 'all_done_min_one_success', 'one_failed'] as const),
  ...(['one_done', 'none_skipped', 'always'] as const),
]);

/**
 * Whether it is meant to let a node run after failures: such a node is not held back by fail_fast. Of expressions those
 * are that ask for Failed, Errored or Omitted, or negate anything.
 */
export function outlastsFailure(trigger: Trigger): boolean {
  return trigger.kind === 'rule' ? OUTLASTING.has(trigger.rule) : asksForFailure(trigger.expression);
}
