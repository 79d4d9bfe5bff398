import { LEAF, type NodeColumns } from '../engine/columns.js';
import type { NodeCounts } from '../store/types.js';

/** Nodes of the definition by status: items of maps are left out. */
export function nodeCounts(columns: NodeColumns): NodeCounts {
  return {
    completed: columns.countIn(LEAF.completed),
    failed: columns.countIn(LEAF['failed.exhausted']) + columns.countIn(LEAF['failed.retrying']),
    skipped: columns.countIn(LEAF.skipped),
    blocked: columns.countIn(LEAF.blocked),
    cancelled: columns.countIn(LEAF.cancelled),
    running: columns.countIn(LEAF.running),
  };
}
