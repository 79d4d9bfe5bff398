import type { GroupPolicy } from '../policy/group.js';
import type { NodeSpec } from './types.js';

/** What only a `parallel_group` can have. */
export const GROUP_KEYS = ['members', 'max_concurrency', 'supervision', 'on_member_failure'] as const;

/** How a `parallel_group` of a checked workflow is run. */
export function groupPolicyOf({ max_concurrency, supervision, on_member_failure }: NodeSpec): GroupPolicy {
  return {
    maxConcurrency: max_concurrency ?? Infinity,
    strategy: supervision?.strategy ?? 'one_for_one',
    intensity: {
      maxRestarts: supervision?.max_restarts ?? 0,
      withinMs: (supervision?.within_seconds ?? Infinity) * 1000,
    },
    onMemberFailure: on_member_failure ?? 'continue',
  };
}
