import { NODE_STATUSES, type ExecutionMode, type NodeStatus, type WorkflowStatus } from '../base/model.js';
import type { FaultKind } from './fault-plan.js';
import type { LongRetries } from './retry-budget.js';
import type { StoryLine } from './story.js';
import type { FailureCause, SurpriseKind } from './verdict.js';

/** What a simulation found: the same for the same workflow, options and seeds, byte for byte. */
export interface SimulationReport {
  workflow_id: string;
  workflow_name: string;
  nodes: number;
  /** `run` is less than `wanted` when it was interrupted. */
  seeds: { first: number; wanted: number; run: number };
  faults: FaultKind[];
  /** How often each kind of fault happened. */
  struck: Record<FaultKind, number>;
  workers: number;
  mode: ExecutionMode;
  retries: boolean;
  /** Nodes of which nothing was declared or known, so that it was generated. */
  generated: { durations: number; outputs: number };
  /** How many executions ended how; `open`: they did not. */
  ends: Record<Exclude<WorkflowStatus, 'pending' | 'running' | 'paused'> | 'open', number>;
  /** Nodes that failed for a reason, by reason. */
  expected_failures: Partial<Record<FailureCause, number>>;
  surprises: SurpriseGroup[];
  /** Nodes that never ran. null: too few seeds to say so. */
  unreachable: UnreachableNode[] | null;
  long_retries: LongRetries[];
  /** Of the executions that completed; null: none did. */
  makespan_seconds: Makespans | null;
  /** The nodes that most often are on the chain that the last node to end waited for; shares of completed executions. */
  critical_nodes: { node_id: string; share: number }[];
  /** What happened, when there is only one seed. */
  story?: StoryLine[];
}

/** The same surprise in any number of seeds. */
export interface SurpriseGroup {
  kind: SurpriseKind;
  node_id: string | null;
  /** Of the first of them. */
  message: string;
  executions: number;
  /** The first few. */
  seeds: number[];
}

export interface UnreachableNode {
  node_id: string;
  /** The dependency that never ran either; null: it is this node itself that is not reached. */
  after: string | null;
  condition: string | null;
  /** In how many executions it ended how. */
  ends: Partial<Record<NodeStatus, number>>;
}

export interface Makespan {
  seconds: number;
  seed: number;
}

export type Makespans = { executions: number } & Record<'min' | 'p50' | 'p95' | 'max', Makespan>;

/** The counts that are not 0, in the order of the model. */
export function countedEnds(counts: ReadonlyMap<NodeStatus, number>): Partial<Record<NodeStatus, number>> {
  return Object.fromEntries(
    NODE_STATUSES.flatMap((status) => (counts.has(status) ? [[status, counts.get(status)!]] : [])),
  );
}

/** @returns null when there are none */
export function makespansOf(all: readonly Makespan[]): Makespans | null {
  if (all.length === 0) return null;
  const sorted = [...all].sort((a, b) => a.seconds - b.seconds || a.seed - b.seed);
  // Nearest rank: each of them was really seen.
  const at = (share: number): Makespan => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return { executions: all.length, min: at(0), p50: at(0.5), p95: at(0.95), max: at(1) };
}
