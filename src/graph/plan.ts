/** What the compiler of plans needs to know of a node. */
export interface GraphNode {
  readonly id: string;
  readonly dependencies: readonly string[];
  /** Ids of its members, when the node is a group: see `expandGroups`. */
  readonly members?: readonly string[];
}

/**
 * A graph compiled to dense indices: node i is `ids[i]`, in the order of the spec. Adjacency is in compressed
 * rows: the dependents of i are `dependents[dependentOffsets[i] .. dependentOffsets[i + 1])`, its dependencies
 * likewise. Immutable, shared by all executions of one definition.
 */
export interface Plan {
  readonly nodeCount: number;
  readonly edgeCount: number;
  readonly ids: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly dependentOffsets: Uint32Array;
  readonly dependents: Uint32Array;
  readonly dependencyOffsets: Uint32Array;
  readonly dependencies: Uint32Array;
  /** Topological order; ties in the order of the spec. `order[k]` is a node index. */
  readonly order: Uint32Array;
  /** Position of each node in `order`. */
  readonly rank: Uint32Array;
  /** Length of the longest path from a root, in edges: nodes of one generation have no path between them. */
  readonly generation: Uint32Array;
  /** Members of each group, by the group's index. A member is in one group only. */
  readonly groups: ReadonlyMap<number, Uint32Array>;
  /** The group of each member. */
  readonly groupOf: ReadonlyMap<number, number>;
}
