import type { MapPolicy } from '../policy/map.js';
import type { NodeSpec } from './types.js';

/** What only a node with `map` can have. */
export const MAP_KEYS = ['max_failed', 'max_failed_percent'] as const;

/** How a node with `map` of a checked workflow is run. */
export function mapPolicyOf({ max_concurrency, max_failed, max_failed_percent }: NodeSpec): MapPolicy {
  return {
    maxConcurrency: max_concurrency ?? Infinity,
    maxFailed: max_failed ?? (max_failed_percent === undefined ? 0 : Infinity),
    maxFailedPercent: max_failed_percent ?? 100,
  };
}
