import { compact } from './compact.js';
import type { NodeSpec } from './types.js';

/** What says that a node, or what a group's members are, is done once for each item of a list. */
export interface MapOptions<Mapped extends string | undefined> {
  /** CEL over `outputs` and `global_context` that gives the list: `outputs.files.items`. Steps get `item` and `index`. */
  map?: Mapped;
  /** Items that may execute at once. */
  maxConcurrency?: number;
  /** Items that may fail without failing the node; null stands for them. One more, and the rest is cancelled. Default 0. */
  maxFailed?: number;
  /** The same, as a percentage of all items. */
  maxFailedPercent?: number;
}

/** In the order of the items: what came of each; null for one that failed or was skipped; very large ones are only named. */
export type MapOutput<Output> = (Awaited<Output> | null | { output_of: string })[];

/** The part of a node's document that says so. */
export function mapFields({
  map,
  maxConcurrency,
  maxFailed,
  maxFailedPercent,
}: MapOptions<string | undefined>): Pick<
  NodeSpec,
  'map' | 'max_concurrency' | 'max_failed' | 'max_failed_percent'
> {
  return compact({
    map,
    max_concurrency: maxConcurrency,
    max_failed: maxFailed,
    max_failed_percent: maxFailedPercent,
  });
}
