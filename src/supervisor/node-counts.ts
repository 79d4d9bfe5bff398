import { LEAF, type NodeColumns } from '../engine/columns.js';
import type { NodeCounts } from '../store/types.js';

/** Nodes of the definition by status: items of maps are left out. */
export function nodeCounts({ counts: all, itemCounts }: NodeColumns): NodeCounts {
  const counts = all.map((count, leaf) => count - itemCounts[leaf]);
  return {
    completed: counts[LEAF.completed],
    failed: counts[LEAF['failed.exhausted']] + counts[LEAF['failed.retrying']],
    skipped: counts[LEAF.skipped],
    blocked: counts[LEAF.blocked],
    cancelled: counts[LEAF.cancelled],
    running: counts[LEAF.running],
  };
}
