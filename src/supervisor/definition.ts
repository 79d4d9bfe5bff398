import type { ExecutionMode, RetryPolicy } from '../base/model.js';
import type { EngineDefinition } from '../engine/definition.js';
import { dependenciesOf, stageOf, type Plan } from '../graph/index.js';
import { compileCondition, type CompiledCondition } from '../policy/condition.js';
import type { Contracts } from '../policy/contracts.js';
import type { GroupPolicy } from '../policy/group.js';
import type { MapPolicy } from '../policy/map.js';
import { compileList, type CompiledList } from '../policy/map-list.js';
import type { RepeatPolicy } from '../policy/repeat.js';
import { normalizeRetryPolicy } from '../policy/retry.js';
import { triggerOf, type Trigger } from '../policy/trigger.js';
import { compileValue, type CompiledValue } from '../policy/value-expression.js';
import type { WaitPlan } from '../policy/wait.js';
import { hasStep, kindOfStep, resolveStep, STEP_KINDS, type StepRef } from '../pool/index.js';
import {
  contractsOf,
  edgeConditionsOf,
  groupPolicyOf,
  isWaitNode,
  mapPolicyOf,
  planOf,
  repeatPolicyOf,
  waitPlanOf,
  type NodeSpec,
  type Workflow,
} from '../spec/index.js';
import { Estimates } from './estimates.js';
import { QueuePlan } from './queue-plan.js';

/** Told of the nodes whose outputs an attempt is given. */
export interface InputVisitor {
  visit(input: number): void;
}

/**
 * A workflow compiled for running: its plan, and per node, on first use, its step, condition and retry policy.
 * Shared by all executions of the workflow.
 */
export class Definition {
  readonly plan: Plan;
  private readonly steps: (StepRef | undefined)[];
  private readonly modules = new Map<string, StepRef>();
  /** Kinds of steps, as indices into STEP_KINDS plus one; 0: not asked for yet. */
  private readonly kinds: Uint8Array;
  private readonly configs: (string | undefined)[];
  private readonly policies: (RetryPolicy | undefined)[];
  /** By their source: many nodes and edges may have the same one. */
  private readonly conditions = new Map<string, CompiledCondition>();
  private readonly cacheKeys = new Map<string, CompiledValue>();
  /** What `forEngine` gave last: for linear mode or not, with retries or not. */
  private readonly engines: (EngineDefinition | undefined)[] = [];
  private readonly keys: (string | undefined)[];
  readonly estimates: Estimates;
  /** Of the nodes that wait instead of executing something. */
  readonly waits: ReadonlyMap<number, WaitPlan>;
  private readonly groups: ReadonlyMap<number, GroupPolicy>;
  /** Of the nodes that run again until something holds. */
  readonly repeats: ReadonlyMap<number, RepeatPolicy>;
  private readonly hasTotalTimeouts: boolean;
  /** Whether the results of any node are kept for others like it. */
  readonly hasCaches: boolean;
  private readonly maps: ReadonlyMap<number, MapPolicy>;
  private readonly lists = new Map<number, CompiledList>();
  private readonly shared = new Map<number, readonly number[]>();
  /** Of the nodes that do not simply wait for the success of their dependencies. */
  readonly triggers: ReadonlyMap<number, Trigger>;
  /** By the node that compensates: the one whose effects it undoes. */
  readonly compensations: ReadonlyMap<number, number>;
  /** By the node an edge leads to, then by the one it comes from. */
  readonly edgeConditions: ReadonlyMap<number, ReadonlyMap<number, string>>;
  /** null: the workflow has none. */
  readonly contracts: Contracts | null;
  /** null: no node is in one. */
  readonly queues: QueuePlan | null;

  constructor(readonly workflow: Workflow) {
    this.plan = planOf(workflow.spec);
    const { nodeCount } = this.plan;
    this.steps = new Array<StepRef | undefined>(nodeCount);
    this.kinds = new Uint8Array(nodeCount);
    this.configs = new Array<string | undefined>(nodeCount);
    this.policies = new Array<RetryPolicy | undefined>(nodeCount);
    this.keys = new Array<string | undefined>(nodeCount);
    this.estimates = new Estimates(this.plan, (node) => {
      const { expected_seconds, sleep } = this.nodeSpec(node);
      return expected_seconds ?? sleep?.seconds;
    });
    this.waits = waitsOf(workflow);
    this.groups = groupsOf(workflow, this.plan);
    this.hasCaches = workflow.spec.nodes.some(({ cache }) => cache !== undefined);
    this.hasTotalTimeouts = workflow.spec.nodes.some((node) => node.total_timeout_seconds !== undefined);
    this.maps = mapsOf(workflow, this.plan);
    this.triggers = triggersOf(workflow);
    this.edgeConditions = edgeConditionsOf(workflow.spec, this.plan);
    this.repeats = repeatsOf(workflow);
    this.contracts = contractsOf(workflow.spec);
    this.compensations = compensationsOf(workflow, this.plan);
    this.queues = workflow.spec.nodes.some(({ queue }) => queue !== undefined)
      ? new QueuePlan(workflow.spec, STEP_KINDS.length, (node) => this.kindOf(node))
      : null;
  }

  /** The same over the plan of one execution, which maps may have grown. */
  over(plan: Plan): Definition {
    if (plan === this.plan) return this;
    const queues = this.queues === null ? null : this.queues.over(plan);
    return Object.create(this, { plan: { value: plan }, queues: { value: queues } }) as Definition;
  }

  /** Of an item of a map: its stage's. */
  nodeSpec(node: number): NodeSpec {
    return this.workflow.spec.nodes[stageOf(this.plan, node)];
  }

  stepOf(given: number): StepRef {
    const { isolation } = this.workflow.spec.workflow;
    const node = stageOf(this.plan, given);
    return (this.steps[node] ??= resolveStep(this.nodeSpec(node), this.workflow, isolation, this.modules));
  }

  /** Whether what the node executes is known here. */
  canExecute(node: number): boolean {
    return hasStep(this.nodeSpec(node), this.workflow.functions);
  }

  /** The node's config as JSON text. */
  configOf(given: number): string {
    const node = stageOf(this.plan, given);
    return (this.configs[node] ??= JSON.stringify(this.nodeSpec(node).config ?? {}));
  }

  /**
   * The node's id as a key, with its colon, in the JSON texts of documents that steps are given. An item goes by the id of
   * its stage.
   */
  keyOf(given: number): string {
    const node = stageOf(this.plan, given);
    return (this.keys[node] ??= `${JSON.stringify(this.plan.ids[node])}:`);
  }

  policyOf(given: number): RetryPolicy {
    const node = stageOf(this.plan, given);
    return (this.policies[node] ??= normalizeRetryPolicy(this.nodeSpec(node).retry_policy));
  }

  /** The condition of a node; with `from`, that on the edge from there. */
  conditionOf(node: number, from?: number): CompiledCondition {
    const own = from === undefined ? this.conditionText(node) : this.edgeConditions.get(node)?.get(from);
    return this.compiled(own ?? 'true', node >= this.plan.fixedCount);
  }

  /** What ends the loop of a node that repeats. */
  untilOf(node: number): CompiledCondition {
    return this.compiled(this.repeats.get(node)!.until);
  }

  private compiled(source: string, hasItem = false): CompiledCondition {
    let condition = this.conditions.get(source);
    if (condition === undefined) {
      condition = compileCondition(source, { hasItem });
      this.conditions.set(source, condition);
    }
    return condition;
  }

  /** What a `cache.key` compiles to. */
  cacheKeyOf(source: string): CompiledValue {
    let key = this.cacheKeys.get(source);
    if (key === undefined) this.cacheKeys.set(source, (key = compileValue(source)));
    return key;
  }

  /** Source of the node's condition. That of a stage of a map is asked of each item. */
  conditionText(node: number): string | undefined {
    if (this.maps.size > 0 && this.plan.mapOf.has(node)) return undefined;
    return this.nodeSpec(node).condition;
  }

  /** What a map goes over; by its position in the plan. */
  listOf(map: number): CompiledList {
    let list = this.lists.get(map);
    if (list === undefined) {
      const { group, gate } = this.plan.maps[map];
      this.lists.set(map, (list = compileList(this.nodeSpec(group < 0 ? gate : group).map ?? '[]')));
    }
    return list;
  }

  /**
   * What every item of a stage is given: what the stage depends on outside of its map, but for what the list is made
   * of, which would travel with each item.
   */
  private sharedInputs(stage: number): readonly number[] {
    let shared = this.shared.get(stage);
    if (shared === undefined) {
      const map = this.plan.mapOf.get(stage)!;
      const { references } = this.listOf(map);
      shared = [...dependenciesOf(this.plan, stage)].filter(
        (node) =>
          this.plan.mapOf.get(node) !== map &&
          references !== 'all' &&
          !references.includes(this.plan.ids[node]),
      );
      this.shared.set(stage, shared);
    }
    return shared;
  }

  /**
   * Visits the nodes whose outputs an attempt is given: its dependencies; of a compensation what its node was given, and
   * what that gave.
   */
  eachInput(node: number, visitor: InputVisitor): void {
    const { fixedCount, dependencies, dependencyOffsets } = this.plan;
    const target = this.compensations.size === 0 ? undefined : this.compensations.get(node);
    if (node >= fixedCount)
      for (const input of this.sharedInputs(stageOf(this.plan, node))) visitor.visit(input);
    const of = target ?? node;
    for (let k = dependencyOffsets[of]; k < dependencyOffsets[of + 1]; k++) visitor.visit(dependencies[k]);
    if (target !== undefined) visitor.visit(target);
  }

  /** What the engine needs, for an execution with these options. In linear mode all nodes share one lane: order. */
  forEngine(mode: ExecutionMode, retries: boolean): EngineDefinition {
    const { spec } = this.workflow;
    const linear = mode === 'linear';
    const ranks = linear ? null : this.estimates.current();
    const place = Number(linear) * 2 + Number(retries);
    const known = this.engines[place];
    // Another plan is that of an execution that has maps.
    if (known !== undefined && known.plan === this.plan && known.ranks === ranks) return known;
    return (this.engines[place] = {
      plan: this.plan,
      failureMode: spec.workflow.on_failure ?? 'fail_fast',
      compensateOn: spec.workflow.compensate ?? 'on_failure',
      compensations: this.compensations,
      retryPolicyOf: (node) => (retries ? this.policyOf(node) : null),
      totalTimeoutOf: (node) => this.nodeSpec(node).total_timeout_seconds ?? null,
      hasTotalTimeouts: this.hasTotalTimeouts,
      timeoutSeconds: spec.workflow.timeout_seconds ?? null,
      waitOf: (node) => this.waits.get(node) ?? null,
      hasWaits: this.waits.size > 0,
      triggers: this.triggers,
      edgeConditions: this.edgeConditions,
      conditionText: (node) => this.conditionText(node),
      groups: this.groups,
      ranks,
      contracts: this.contracts,
      maps: this.maps,
      laneOf: (node) => (linear ? 0 : (this.queues?.laneOf(node) ?? this.kindOf(node))),
      repeats: this.repeats,
      laneCount: linear ? 1 : STEP_KINDS.length + (this.queues?.laneCount ?? 0),
      startOrder: linear ? 'topological' : 'ready',
    });
  }

  /** The kind of step, without resolving it: executions whose functions are not known here can still be ended. */
  private kindOf(given: number): number {
    const node = stageOf(this.plan, given);
    if (this.kinds[node] === 0) {
      const { functions, spec } = this.workflow;
      const kind = kindOfStep(this.nodeSpec(node), functions, spec.workflow.isolation);
      this.kinds[node] = STEP_KINDS.indexOf(kind) + 1;
    }
    return this.kinds[node] - 1;
  }
}

function groupsOf({ spec }: Workflow, plan: Plan): Map<number, GroupPolicy> {
  return new Map([...plan.groups.keys()].map((node) => [node, groupPolicyOf(spec.nodes[node])]));
}

function mapsOf({ spec }: Workflow, { maps }: Plan): Map<number, MapPolicy> {
  return new Map(
    maps.map(({ gate, group }) => [gate, mapPolicyOf(spec.nodes[group < 0 ? gate : group])] as const),
  );
}

function waitsOf({ spec }: Workflow): Map<number, WaitPlan> {
  const waits = new Map<number, WaitPlan>();
  spec.nodes.forEach((node, index) => {
    const plan = isWaitNode(node) ? waitPlanOf(node) : null;
    if (plan !== null) waits.set(index, plan);
  });
  return waits;
}

function repeatsOf({ spec }: Workflow): Map<number, RepeatPolicy> {
  const repeats = new Map<number, RepeatPolicy>();
  spec.nodes.forEach((node, index) => {
    const policy = repeatPolicyOf(node);
    if (policy !== null) repeats.set(index, policy);
  });
  return repeats;
}

function compensationsOf({ spec }: Workflow, plan: Plan): Map<number, number> {
  const compensations = new Map<number, number>();
  spec.nodes.forEach(({ compensates }, index) => {
    if (compensates !== undefined) compensations.set(index, plan.indexOf.get(compensates)!);
  });
  return compensations;
}

function triggersOf({ spec }: Workflow): Map<number, Trigger> {
  const triggers = new Map<number, Trigger>();
  spec.nodes.forEach((node, index) => {
    const trigger = triggerOf(node);
    if (trigger !== undefined) triggers.set(index, trigger);
  });
  return triggers;
}
