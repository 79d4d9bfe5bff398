import type { CompensateOn, FailureMode, RetryPolicy } from '../base/model.js';
import type { Plan } from '../graph/plan.js';
import type { Contracts } from '../policy/contracts.js';
import type { GroupPolicy } from '../policy/group.js';
import type { MapPolicy } from '../policy/map.js';
import type { RepeatPolicy } from '../policy/repeat.js';
import type { Trigger } from '../policy/trigger.js';
import type { WaitPlan } from '../policy/wait.js';

/** What says when nodes run, given how others ended. */
export interface TriggerDefinition {
  readonly plan: Plan;
  /** Of the nodes that do not simply wait for the success of their dependencies; never of groups. */
  readonly triggers: ReadonlyMap<number, Trigger>;
  /** Sources of the conditions on edges, by the node an edge leads to, then by the one it comes from. */
  readonly edgeConditions: ReadonlyMap<number, ReadonlyMap<number, string>>;
  /** By the node that compensates: the one whose effects it undoes. No dependency lets it run. */
  readonly compensations: ReadonlyMap<number, number>;
  /** Source of a node's condition; undefined: it has none. */
  conditionText(node: number): string | undefined;
}

/** What the engine must know of a workflow: its plan, and per node only what decisions depend on. */
export interface EngineDefinition extends TriggerDefinition {
  readonly failureMode: FailureMode;
  /** After what end completed nodes are compensated without being asked to. */
  readonly compensateOn: CompensateOn;
  /** null: one attempt. */
  retryPolicyOf(node: number): RetryPolicy | null;
  /** Seconds that a node may take over all its attempts; null: as long as it likes. */
  totalTimeoutOf(node: number): number | null;
  /** Whether any node has such a limit. */
  readonly hasTotalTimeouts: boolean;
  /** Seconds that an execution may take; null: as long as it likes. */
  readonly timeoutSeconds: number | null;
  /** What a node waits for; null when it executes something. */
  waitOf(node: number): WaitPlan | null;
  /** Whether any node waits. */
  readonly hasWaits: boolean;
  /** Of the nodes that run again until something holds. */
  readonly repeats: ReadonlyMap<number, RepeatPolicy>;
  /** By the group's node: one for each group of the plan. */
  readonly groups: ReadonlyMap<number, GroupPolicy>;
  /** null: the workflow has none. */
  readonly contracts: Contracts | null;
  /** By the gate: one for each map of the plan. */
  readonly maps: ReadonlyMap<number, MapPolicy>;
  /** Nodes of different lanes never wait for each other's room (inline, threads, processes). */
  laneOf(node: number): number;
  readonly laneCount: number;
  /**
   * In the order `ready`: whoever has the highest goes first, and among equals who became ready first; null: all are
   * equal. By node; nodes beyond its end have none.
   */
  readonly ranks: Float64Array | null;
  /** ready: in the order in which nodes became ready; topological: strictly by plan order (linear mode). */
  readonly startOrder: 'ready' | 'topological';
}
