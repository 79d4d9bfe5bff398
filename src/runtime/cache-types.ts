/** What is kept of one node of a workflow. */
export interface CachedNodeDocument {
  /** null: an earlier release kept it. */
  workflow_id: string | null;
  node_id: string;
  entries: number;
  /** Those of them that are too old to be taken. */
  expired: number;
  size_bytes: number;
}

/** What steps with `cache` have left in a store. Times are ISO 8601 in UTC. */
export interface CacheDocument {
  entries: number;
  /** Those of them that are too old to be taken, and are deleted by retention and collections. */
  expired: number;
  /** Those of them that cannot be read, and are deleted likewise. */
  damaged: number;
  /** Of keys and values. */
  size_bytes: number;
  /** When the oldest and the newest were kept, as far as that is known; null when there are none. */
  oldest_at: string | null;
  newest_at: string | null;
  /** The largest first. */
  nodes: CachedNodeDocument[];
}

/** Which results are meant: all that fits every field given. */
export interface CacheFilter {
  /** true: only what is too old to be taken, or damaged. */
  expired?: boolean;
  workflowId?: string;
  nodeId?: string;
  /** Hash of a result (`metadata.cached` of a node that took it), or a beginning of it. */
  key?: string;
}

export interface ClearCacheOptions extends CacheFilter {
  /** true: only counts. */
  dryRun?: boolean;
}

/** Results that steps have left for others like them, in the store. */
export interface Cache {
  /** Counts them. Reads all of them. */
  stat(): Promise<CacheDocument>;
  /**
   * Deletes them, or those that a filter says. Executions that look for one later run their step.
   * @returns how many went, or would
   * @throws USAGE for a key that is not hexadecimal
   */
  clear(options?: ClearCacheOptions): Promise<number>;
}
