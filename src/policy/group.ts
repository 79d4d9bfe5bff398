import type { RestartIntensity } from './restart-intensity.js';

/** The most restarts of a group that can be asked for. */
export const MAX_GROUP_RESTARTS = 1000;

/** How a parallel group is run. Strategies are named as in OTP's supervisors. */
export interface GroupPolicy {
  /** Members that may execute at once; Infinity: as many as may anyway. */
  readonly maxConcurrency: number;
  /** What starts over when a member has failed for good. */
  readonly strategy: GroupStrategy;
  /** Once more restarts than these were needed, the group has failed. */
  readonly intensity: RestartIntensity;
  /** What becomes of the other members when one has failed and there is no restart left. */
  readonly onMemberFailure: 'continue' | 'cancel';
}

export type GroupStrategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/**
 * The members that start over because one failed: it, all of them, or it and those listed after it, with every member
 * that depends on one of these.
 * @param members in their order
 * @param dependentsOf the nodes that depend on a member directly
 */
export function membersToRestart(
  strategy: GroupStrategy,
  members: Uint32Array,
  failed: number,
  dependentsOf: (member: number) => Iterable<number>,
): ReadonlySet<number> {
  if (strategy === 'one_for_one') return new Set([failed]);
  if (strategy === 'one_for_all') return new Set(members);
  const after = new Set(members.subarray(members.indexOf(failed)));
  const others = new Set(members.subarray(0, members.indexOf(failed)));
  // What is added on the way is visited, too.
  for (const member of after)
    for (const dependent of dependentsOf(member)) if (others.has(dependent)) after.add(dependent);
  return after;
}
