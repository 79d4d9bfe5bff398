import { describe, expect, it } from 'vitest';
import { membersToRestart } from '../../src/policy/group.js';

/** Members 3, 1, 4, 2 in this order; 1 depends on 2, and 3 on 1. 9 is no member. */
const members = Uint32Array.of(3, 1, 4, 2);
const dependents: Record<number, number[]> = { 2: [1, 9], 1: [3], 9: [4] };
const restarted = (strategy: Parameters<typeof membersToRestart>[0], failed: number): number[] =>
  [...membersToRestart(strategy, members, failed, (member) => dependents[member] ?? [])].sort();

describe('what starts over in a group', () => {
  it.each([
    ['one_for_one', 4, [4]],
    ['one_for_all', 4, [1, 2, 3, 4]],
    // 4 and 2 by the list; 1 depends on 2, and 3 on 1, although they are listed before.
    ['rest_for_one', 4, [1, 2, 3, 4]],
    ['rest_for_one', 3, [1, 2, 3, 4]],
  ] as const)('%s, when %i has failed', (strategy, failed, expected) => {
    expect(restarted(strategy, failed)).toEqual(expected);
  });

  it('is by the list alone where nothing depends on anything', () => {
    const by = (failed: number): number[] => [...membersToRestart('rest_for_one', members, failed, () => [])];
    expect(by(3)).toEqual([3, 1, 4, 2]);
    expect(by(4)).toEqual([4, 2]);
    expect(by(2)).toEqual([2]);
  });
});
