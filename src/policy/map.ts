/** How many items of a map may fail without the map failing. */
export interface MapPolicy {
  /** Item nodes that may execute at once. */
  readonly maxConcurrency: number;
  readonly maxFailed: number;
  /** Of all items, 0 to 100; either limit being passed is enough. */
  readonly maxFailedPercent: number;
}

/** Item nodes that one map may have: items times stages. Each takes some hundred bytes while its execution runs. */
export const MAX_MAP_NODES = 1_000_000;

/** Longest list of results, as JSON text in bytes; what would make it longer is named instead. */
export const MAX_MAP_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Whether so many failed items are more than the map puts up with. */
export function exceedsTolerance(policy: MapPolicy, failed: number, items: number): boolean {
  return failed > policy.maxFailed || failed * 100 > policy.maxFailedPercent * items;
}
