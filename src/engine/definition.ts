import type { FailureMode, RetryPolicy } from '../base/model.js';
import type { Plan } from '../graph/plan.js';
import type { GroupPolicy } from '../policy/group.js';
import type { WaitPlan } from '../policy/wait.js';

/** What the engine must know of a workflow: its plan, and per node only what decisions depend on. */
export interface EngineDefinition {
  readonly plan: Plan;
  readonly failureMode: FailureMode;
  /** null: one attempt. */
  retryPolicyOf(node: number): RetryPolicy | null;
  hasCondition(node: number): boolean;
  /** What a node waits for; null when it executes something. */
  waitOf(node: number): WaitPlan | null;
  /** Whether any node waits. */
  readonly hasWaits: boolean;
  /** By the group's node: one for each group of the plan. */
  readonly groups: ReadonlyMap<number, GroupPolicy>;
  /** Nodes of different lanes never wait for each other's room (inline, threads, processes). */
  laneOf(node: number): number;
  readonly laneCount: number;
  /** ready: in the order in which nodes became ready; topological: strictly by plan order (linear mode). */
  readonly startOrder: 'ready' | 'topological';
}
