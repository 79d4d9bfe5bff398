import { LEAF, statusOfLeaf } from '../engine/columns.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { growingPlan } from '../graph/index.js';

/** Failed items that a document names. */
const FAILED_NAMED = 20;

/** How far a map is, in the metadata of its stages. */
export interface MapDocument {
  /** How many items the list has. */
  readonly items: number;
  /** Items in this stage by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The first that failed for good. */
  readonly failed?: readonly { readonly node_id: string; readonly error: string }[];
}

/** Says of a stage of a map how its items are. Costs its items. */
export function mapDocument({ plan, columns }: ExecutionState, stage: number): { map?: MapDocument } {
  const map = plan.mapOf.get(stage);
  const growing = growingPlan(plan);
  const expansion = map === undefined ? undefined : growing?.expansionOf(map);
  if (map === undefined || growing === undefined || expansion === undefined) return {};
  const statuses: Record<string, number> = {};
  const failed: { node_id: string; error: string }[] = [];
  for (const node of growing.itemNodes(map)) {
    const item = node - growing.fixedCount;
    if (growing.itemStages[item] !== stage || growing.itemNumbers[item] >= expansion.items) continue;
    const leaf = columns.leaf[node];
    const status = statusOfLeaf(leaf);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (leaf !== LEAF['failed.exhausted'] || failed.length === FAILED_NAMED) continue;
    failed.push({ node_id: growing.ids[node], error: columns.error.get(node)?.message ?? '' });
  }
  return { map: { items: expansion.items, statuses, ...(failed.length > 0 && { failed }) } };
}
