import { MaestroError } from '../base/errors.js';
import { isWorkflowStatusEnded, WORKFLOW_STATUSES, type WorkflowStatus } from '../base/model.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';

/** Past this many stored executions users are warned. */
export const MANY_EXECUTIONS = 1000;

export type EndedStatus = Extract<WorkflowStatus, 'completed' | 'failed' | 'cancelled'>;

export const ENDED_STATUSES = WORKFLOW_STATUSES.filter(isWorkflowStatusEnded) as readonly EndedStatus[];

/** What may go. Of the conditions given all must hold; a rule without any lets nothing go. */
export interface RetentionRule {
  /** Ended at least this long ago, in milliseconds. */
  readonly olderThanMs?: number;
  /** Not among this many newest by creation, of the statuses the rule is for. */
  readonly keep?: number;
}

/** Which ended executions may be deleted. One that has not ended never is. */
export interface RetentionPolicy extends RetentionRule {
  /** Rules of their own for some statuses; the common rule is then for the others. */
  readonly perStatus?: Readonly<Partial<Record<EndedStatus, RetentionRule>>>;
}

/** Retention as a running runtime applies it. */
export interface RetentionOptions extends RetentionPolicy {
  /**
   * Time between two passes in milliseconds; by default the shortest `olderThanMs` of the rules (0 for one that has only
   * `keep`), but at least a second and at most a minute. The first pass follows the opening.
   */
  readonly everyMs?: number;
}

interface RuleFor {
  readonly statuses: readonly EndedStatus[];
  readonly rule: RetentionRule;
}

const PAGE = 200;
const SHORTEST_EVERY_MS = 1_000;
const LONGEST_EVERY_MS = 60_000;

/** The rules of a policy with the statuses each is for. @throws CONFIG_CONFLICT for a number that makes no sense */
export function retentionRules(policy: RetentionPolicy): RuleFor[] {
  const own = Object.entries(policy.perStatus ?? {}) as [EndedStatus, RetentionRule][];
  const common = ENDED_STATUSES.filter((status) => policy.perStatus?.[status] === undefined);
  const rules = [
    ...own.map(([status, rule]) => ({ statuses: [status], rule })),
    { statuses: common, rule: policy },
  ];
  for (const { statuses, rule } of rules) {
    for (const status of statuses) {
      if (!ENDED_STATUSES.includes(status)) throw nonsense('perStatus', status, ENDED_STATUSES.join(', '));
    }
    if (rule.olderThanMs !== undefined && !(rule.olderThanMs >= 0))
      throw nonsense('olderThanMs', rule.olderThanMs, 'a number of milliseconds, 0 or more');
    if (rule.keep !== undefined && !(Number.isSafeInteger(rule.keep) && rule.keep >= 0))
      throw nonsense('keep', rule.keep, 'a whole number, 0 or more');
  }
  return rules.filter(
    ({ statuses, rule }) =>
      statuses.length > 0 && (rule.olderThanMs !== undefined || rule.keep !== undefined),
  );
}

/** What is kept beyond the policy grows with the time between passes: it follows from how short things are kept. */
export function defaultEveryMs(policy: RetentionPolicy): number {
  const ages = retentionRules(policy).map(({ rule }) => rule.olderThanMs ?? 0);
  return Math.min(Math.max(Math.min(...ages), SHORTEST_EVERY_MS), LONGEST_EVERY_MS);
}

function nonsense(name: string, value: unknown, expected: string): MaestroError {
  return new MaestroError('CONFIG_CONFLICT', `retention ${name} is ${String(value)}; it must be ${expected}`);
}

/**
 * Records that a policy lets go, each once. Reads the index of creation only from where the rule begins: an
 * execution is created before it ends, so what is created too late for `olderThanMs` is never looked at.
 */
export async function* expired(
  store: ExecutionStore,
  policy: RetentionPolicy,
  nowMs: number,
): AsyncGenerator<ExecutionRecord> {
  for (const { statuses, rule } of retentionRules(policy)) {
    const cutoffMs = rule.olderThanMs === undefined ? Infinity : nowMs - rule.olderThanMs;
    const createdToMs = cutoffMs === Infinity ? undefined : cutoffMs + 1;
    let after: string | undefined;
    if (rule.keep !== undefined && rule.keep > 0) {
      after = await store.cursorAfter({ status: statuses }, rule.keep);
      if (after === undefined) continue;
    }
    do {
      const page = await store.list({ status: statuses, createdToMs, limit: PAGE, after });
      for (const record of page.records) {
        if ((record.endedAtMs ?? record.updatedAtMs) <= cutoffMs) yield record;
      }
      after = page.next;
    } while (after !== undefined);
  }
}
