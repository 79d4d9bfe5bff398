import type { NodeColumns } from '../engine/columns.js';
import type { NodeRow } from '../engine/entries.js';
import { CHECKPOINT_CHUNK } from '../store/types.js';

/** Rows of nodes as checkpoints keep them, by chunk; by default of all nodes. */
export function checkpointRows(
  columns: NodeColumns,
  chunks: Iterable<number> = Array(Math.ceil(columns.nodeCount / CHECKPOINT_CHUNK)).keys(),
): ReadonlyMap<number, readonly NodeRow[]> {
  const all = new Map<number, readonly NodeRow[]>();
  for (const chunk of chunks) {
    const rows: NodeRow[] = [];
    const end = Math.min((chunk + 1) * CHECKPOINT_CHUNK, columns.nodeCount);
    for (let node = chunk * CHECKPOINT_CHUNK; node < end; node++) rows.push(columns.row(node));
    all.set(chunk, rows);
  }
  return all;
}
