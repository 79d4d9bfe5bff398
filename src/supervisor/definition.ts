import type { ExecutionMode, RetryPolicy } from '../base/model.js';
import type { EngineDefinition } from '../engine/definition.js';
import type { Plan } from '../graph/index.js';
import { compileCondition, type CompiledCondition } from '../policy/condition.js';
import { normalizeRetryPolicy } from '../policy/retry.js';
import type { WaitPlan } from '../policy/wait.js';
import { resolveStep, type StepRef } from '../pool/index.js';
import { isWaitNode, planOf, waitPlanOf, type NodeSpec, type Workflow } from '../spec/index.js';

/** Steps of one kind share room in the pool, so they wait in one line. */
const LANES: readonly StepRef['kind'][] = ['inline', 'module', 'command'];

/**
 * A workflow compiled for running: its plan, and per node, on first use, its step, condition and retry policy.
 * Shared by all executions of the workflow.
 */
export class Definition {
  readonly plan: Plan;
  private readonly steps: (StepRef | undefined)[];
  private readonly configs: (string | undefined)[];
  private readonly policies: (RetryPolicy | undefined)[];
  private readonly conditions = new Map<number, CompiledCondition>();
  private readonly quotedIds: (string | undefined)[];
  /** Of the nodes that wait instead of executing something. */
  readonly waits: ReadonlyMap<number, WaitPlan>;

  constructor(readonly workflow: Workflow) {
    this.plan = planOf(workflow.spec);
    const { nodeCount } = this.plan;
    this.steps = new Array<StepRef | undefined>(nodeCount);
    this.configs = new Array<string | undefined>(nodeCount);
    this.policies = new Array<RetryPolicy | undefined>(nodeCount);
    this.quotedIds = new Array<string | undefined>(nodeCount);
    this.waits = waitsOf(workflow);
  }

  nodeSpec(node: number): NodeSpec {
    return this.workflow.spec.nodes[node];
  }

  stepOf(node: number): StepRef {
    return (this.steps[node] ??= resolveStep(this.nodeSpec(node), this.workflow));
  }

  /** The node's config as JSON text. */
  configOf(node: number): string {
    return (this.configs[node] ??= JSON.stringify(this.nodeSpec(node).config ?? {}));
  }

  /** The node's id as JSON text: a key in the documents that steps are given. */
  quotedId(node: number): string {
    return (this.quotedIds[node] ??= JSON.stringify(this.plan.ids[node]));
  }

  policyOf(node: number): RetryPolicy {
    return (this.policies[node] ??= normalizeRetryPolicy(this.nodeSpec(node).retry_policy));
  }

  conditionOf(node: number): CompiledCondition {
    let condition = this.conditions.get(node);
    if (condition === undefined) {
      condition = compileCondition(this.nodeSpec(node).condition ?? 'true');
      this.conditions.set(node, condition);
    }
    return condition;
  }

  /** What the engine needs, for an execution with these options. In linear mode all nodes share one lane: order. */
  forEngine(mode: ExecutionMode, retries: boolean): EngineDefinition {
    const { spec } = this.workflow;
    const linear = mode === 'linear';
    return {
      plan: this.plan,
      failureMode: spec.workflow.on_failure ?? 'fail_fast',
      retryPolicyOf: (node) => (retries ? this.policyOf(node) : null),
      waitOf: (node) => this.waits.get(node) ?? null,
      hasWaits: this.waits.size > 0,
      hasCondition: (node) => spec.nodes[node].condition !== undefined,
      laneOf: (node) => (linear ? 0 : LANES.indexOf(this.kindOf(node))),
      laneCount: linear ? 1 : LANES.length,
      startOrder: linear ? 'topological' : 'ready',
    };
  }

  /** The kind of step without resolving it: executions whose functions are not known here can still be ended. */
  private kindOf(node: number): StepRef['kind'] {
    const { id, uses, run } = this.nodeSpec(node);
    if (this.workflow.functions.has(id)) return 'inline';
    if (uses !== undefined) return 'module';
    return run === undefined ? 'inline' : 'command';
  }
}

function waitsOf({ spec }: Workflow): Map<number, WaitPlan> {
  const waits = new Map<number, WaitPlan>();
  spec.nodes.forEach((node, index) => {
    const plan = isWaitNode(node) ? waitPlanOf(node) : null;
    if (plan !== null) waits.set(index, plan);
  });
  return waits;
}
