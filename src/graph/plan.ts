/** What the compiler of plans needs to know of a node. */
export interface GraphNode {
  readonly id: string;
  readonly dependencies: readonly string[];
  /** Ids of its members, when the node is a group: see `expandGroups`. */
  readonly members?: readonly string[];
  /** Whether it, or for a group what its members are, is done once for each item of a list. */
  readonly mapped?: boolean;
  /** Id of the node whose effects it undoes. */
  readonly compensates?: string;
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
  readonly indexOf: { get(id: string): number | undefined };
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
  /** Nodes whose effects others undo. */
  readonly compensated: ReadonlySet<number>;
  readonly maps: readonly MapUnit[];
  /** The map of each stage, as a position in `maps`. */
  readonly mapOf: ReadonlyMap<number, number>;
  /** Nodes of the definition. Those after them are items of maps: a plan of an execution grows by them. */
  readonly fixedCount: number;
  /** By item node less `fixedCount`: what it is an instance of, and which item it is for. */
  readonly itemStages: Int32Array;
  readonly itemNumbers: Int32Array;
}

/** What is done once for each item of a list: one node, or the members of a group. */
export interface MapUnit {
  /** What is done with an item, dependencies first. A stage itself executes nothing: its items do. */
  readonly stages: readonly number[];
  /** The first stage: when its turn comes, the list is evaluated. */
  readonly gate: number;
  /** The group whose members the stages are; -1: a node by itself. */
  readonly group: number;
  /** Stages that no other stage depends on: what they give is the result of an item. */
  readonly sinks: readonly number[];
}
