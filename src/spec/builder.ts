import { resolve } from 'node:path';
import { MaestroError } from '../base/errors.js';
import type { CompensateOn, FailureMode } from '../base/model.js';
import type { StepFunction } from '../base/step.js';
import { parseDepends, tasksOf } from '../policy/depends.js';
import type { TriggerRule } from '../policy/trigger.js';
import { compilePlan, cycleError, generations, type Plan } from '../graph/index.js';
import { readyUnder, type NodeEnds } from './ready.js';
import { compensateSpec, type CompensateOptions, type ResourceOptions } from './builder-steps.js';
import { mapFields, type MapOptions, type MapOutput } from './builder-maps.js';
import { groupSpec, type GroupOptions, type GroupOutput } from './builder-groups.js';
import type { NodeExecutor } from './builder-executors.js';
import { repeatSpec, type RepeatOptions } from './builder-repeats.js';
import { retryPolicy, type RetryOptions } from './builder-retry.js';
import { definitionsOf, subworkflowFields, withFolders } from './builder-subworkflows.js';
import { waitFields } from './builder-waits.js';
import type {
  ContractSpec,
  EdgeSpec,
  Isolation,
  NodeSpec,
  NodeType,
  ScheduleSpec,
  Workflow,
  WorkflowHeader,
  WorkflowSpec,
} from './types.js';
import { compact } from './compact.js';
import { compensationId } from './draft.js';
import { copyJson } from './copy-json.js';
import { workflowFromSpec } from './workflow.js';

export interface WorkflowDefinition {
  /** Letters, digits and . _ : @ + -, at most 255. */
  id: string;
  /** For people. Default: the id. */
  name?: string;
  version?: string;
  metadata?: Record<string, unknown>;
  /** Values every node can read; what an execution is started with is laid over it. */
  globalContext?: Record<string, unknown>;
  /** Default fail_fast. */
  onFailure?: FailureMode;
  /** After what end nodes with `compensate` are compensated. Default on_failure. */
  compensate?: CompensateOn;
  /** For an execution as a whole. */
  timeoutSeconds?: number;
  /** Nodes of one execution that may run at once. */
  maxConcurrency?: number;
  /** Of its nodes in queues that do not say so themselves: higher goes first. Default 0. */
  priority?: number;
  /** Key of the global context: in queues, each value of it has an equal share. */
  fairKey?: string;
  /** Where nodes with `uses` run that do not say so themselves. Default thread. */
  isolation?: Isolation;
  /** When it starts by itself, once `runtime.schedules.add` was given it. */
  schedule?: ScheduleSpec;
  /** What nodes promise each other about their outputs: they name these in `outputContracts` and `inputContracts`. */
  contracts?: readonly ContractSpec[];
}

interface CommonOptions<Dependency extends string, Condition extends string | undefined> {
  /** For people. Default: the id. */
  name?: string;
  /** Default custom. */
  type?: NodeType;
  dependsOn?: readonly Dependency[];
  executionMode?: NodeSpec['execution_mode'];
  /** CEL over `outputs`, `global_context` and `node`; false skips the node, which then has no output. */
  condition?: Condition;
  config?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  retry?: RetryOptions;
  /** How long it is expected to take: what is on the longest way to the end is begun first. */
  expectedSeconds?: number;
  /** It runs again until something holds; each iteration has attempts anew. */
  repeat?: RepeatOptions;
  /** Per attempt. */
  timeoutSeconds?: number;
  /** Over all attempts and the waits between them. */
  totalTimeoutSeconds?: number;
  /** An attempt that sends no heartbeat for this long is taken for dead. */
  heartbeatTimeoutSeconds?: number;
  /** Its result is kept, and taken by nodes that would make the same from the same. */
  cache?: { key?: string; ttlSeconds: number; version?: string };
  /** What undoes its effects, if it completed and the execution fails or is cancelled. */
  compensate?: CompensateOptions;
  /** Where `uses` runs: in this event loop, on a worker thread, in a child process. Default: the workflow's. */
  isolation?: Isolation;
  /** Limits of one step; only with the isolation process. */
  resources?: ResourceOptions;
  /** It starts when the queue of this name has room, over all executions: see `createRuntime({ queues })`. */
  queue?: string;
  /** What it takes of its queue. Default 1. */
  slots?: number;
  /** In its queue: higher goes first. Default: the workflow's. */
  priority?: number;
  /** Contracts that must be verified before it runs. */
  inputContracts?: readonly string[];
  /** Contracts that its output must fit. */
  outputContracts?: readonly string[];
}

/** When a node runs that does not simply wait for the success of its dependencies: it may run without some outputs. */
export type TriggerOptions =
  | {
      /** Airflow's rules. */
      triggerRule: TriggerRule;
      depends?: never;
    }
  | {
      /** Argo's language: `a.Succeeded || b.Failed`. `dependsOn` names the nodes in it, or is left out. */
      depends: string;
      triggerRule?: never;
    };

export type NodeOptions<
  Inputs,
  Dependency extends string,
  Output,
  Condition extends string | undefined,
  Mapped extends string | undefined = string | undefined,
> = CommonOptions<Dependency, Condition> &
  MapOptions<Mapped> &
  (
    | ({ triggerRule?: never; depends?: never } & NodeExecutor<Inputs, Output>)
    | (TriggerOptions & NodeExecutor<Partial<Inputs>, Output>)
  );

/** A node with a condition may be skipped and then has no output. */
type OutputOf<Output, Condition, Mapped> = Mapped extends string
  ? MapOutput<Output>
  : Condition extends string
    ? Awaited<Output> | undefined
    : Awaited<Output>;

/**
 * Starts a workflow in code. The types of outputs flow along `dependsOn`. For graphs whose ids are only known at
 * run time: `defineWorkflow<Record<string, unknown>>({ id })`.
 */
export function defineWorkflow<Outputs extends object = Record<never, never>>(
  definition: WorkflowDefinition,
): WorkflowBuilder<Outputs> {
  return new WorkflowBuilder<Outputs>(definition);
}

/** Collects nodes and edges; `build` validates the whole. Each call changes and returns this builder. */
export class WorkflowBuilder<Outputs extends object> {
  readonly #header: WorkflowHeader;
  readonly #contracts: readonly ContractSpec[] | undefined;
  readonly #nodes = new Map<string, NodeSpec & { dependencies: string[] }>();
  readonly #dependents = new Map<string, string[]>();
  readonly #functions = new Map<string, StepFunction>();
  readonly #children = new Map<string, Workflow>();
  readonly #conditions: EdgeSpec[] = [];

  constructor(definition: WorkflowDefinition) {
    this.#contracts = definition.contracts;
    this.#header = compact({
      id: definition.id,
      name: definition.name ?? definition.id,
      version: definition.version,
      metadata: definition.metadata,
      global_context: definition.globalContext,
      on_failure: definition.onFailure,
      timeout_seconds: definition.timeoutSeconds,
      compensate: definition.compensate,
      max_concurrency: definition.maxConcurrency,
      priority: definition.priority,
      fair_key: definition.fairKey,
      isolation: definition.isolation,
      schedule: definition.schedule,
    });
  }

  get id(): string {
    return this.#header.id;
  }

  get name(): string {
    return this.#header.name;
  }

  /** Ids of the nodes, in the order they were added. */
  get nodes(): string[] {
    return [...this.#nodes.keys()];
  }

  get edges(): { from: string; to: string }[] {
    return [...this.#nodes.values()].flatMap((node) =>
      node.dependencies.map((from) => ({ from, to: node.id })),
    );
  }

  /** Adds a node. @throws SPEC_INVALID for an id that is taken, CYCLE if its dependencies close a cycle */
  node<
    const Id extends string,
    Dependency extends keyof Outputs & string = never,
    Output = unknown,
    const Condition extends string | undefined = undefined,
    const Mapped extends string | undefined = undefined,
  >(
    id: Id,
    options: NodeOptions<Pick<Outputs, Dependency>, Dependency, Output, Condition, Mapped>,
  ): WorkflowBuilder<Outputs & Record<Id, OutputOf<Output, Condition, Mapped>>> {
    const { dependsOn = [], depends } = options;
    const named =
      dependsOn.length === 0 && depends !== undefined ? tasksOf(parseDepends(depends)) : dependsOn;
    this.#add(nodeSpec(id, options), [...new Set<string>(named)]);
    if (options.execute !== undefined) this.#functions.set(id, options.execute);
    const { compensate } = options;
    if (compensate?.execute !== undefined) this.#functions.set(compensationId(id), compensate.execute);
    if (options.workflow !== undefined) this.#children.set(id, options.workflow);
    return this;
  }

  /**
   * Holds nodes together that were added before: its output has theirs by id. @throws SPEC_INVALID, CYCLE
   */
  group<
    const Id extends string,
    const Member extends keyof Outputs & string,
    Dependency extends keyof Outputs & string = never,
    const Mapped extends string | undefined = undefined,
  >(
    id: Id,
    options: GroupOptions<Member, Dependency, Mapped>,
  ): WorkflowBuilder<
    Outputs & Record<Id, Mapped extends string ? MapOutput<unknown> : GroupOutput<Outputs, Member>>
  > {
    const { members } = options;
    for (const member of members) this.#get(member);
    this.#add(groupSpec(id, options), []);
    for (const member of members) this.#link(member, id);
    for (const from of new Set<string>(options.dependsOn)) this.edge(from as Dependency, id as never);
    return this;
  }

  /**
   * Makes `to` depend on `from`; with a condition (CEL), only if that holds once `from` has completed: otherwise `to`
   * takes it for skipped. @throws SPEC_INVALID for an unknown node, CYCLE if it closes a cycle
   */
  edge(from: keyof Outputs & string, to: keyof Outputs & string, options: { condition?: string } = {}): this {
    for (const id of [from, to]) this.#get(id);
    const { condition } = options;
    if (condition !== undefined) this.#conditions.push({ from, to, condition });
    const node = this.#get(to);
    if (node.dependencies.includes(from)) return this;
    // What a group depends on its members do.
    const ends = node.members ?? [to];
    for (const end of ends) this.#refuseCycle(from, end);
    node.dependencies.push(from);
    for (const end of ends) this.#link(from, end);
    return this;
  }

  /** Direct dependencies of a node. @throws SPEC_INVALID */
  predecessors(id: keyof Outputs & string): string[] {
    return [...this.#get(id).dependencies];
  }

  /** Direct dependents of a node. @throws SPEC_INVALID */
  successors(id: keyof Outputs & string): string[] {
    this.#get(id);
    return [...(this.#dependents.get(id) ?? [])];
  }

  /** Groups of nodes: each group's dependencies are all in earlier groups. @throws SPEC_INVALID */
  executionOrder(): string[][] {
    const plan = this.#plan();
    return generations(plan).map((group) => group.map((index) => plan.ids[index]));
  }

  /** Nodes that their trigger lets run once others have completed, or ended so. @see readyUnder @throws SPEC_INVALID */
  readyNodes(ends: NodeEnds = []): string[] {
    return readyUnder(this.#plan(), [...this.#nodes.values()], ends);
  }

  /** The definition as files hold it. Functions are not part of it. */
  toSpec(): WorkflowSpec {
    return copyJson(this.#spec()) as WorkflowSpec;
  }

  /** Validates everything. @throws SPEC_INVALID, with every problem in `problems` */
  build(options: { baseDir?: string } = {}): Workflow {
    const baseDir = resolve(options.baseDir ?? '.');
    const spec = withFolders(this.#spec(), this.#children, baseDir);
    return workflowFromSpec(spec, { baseDir, functions: this.#functions, subworkflows: this.#children });
  }

  #spec(): WorkflowSpec {
    const edges = this.#conditions;
    return {
      workflow: this.#header,
      nodes: [...this.#nodes.values()],
      ...(this.#contracts !== undefined && { contracts: [...this.#contracts] }),
      ...definitionsOf(this.#children),
      ...(edges.length > 0 && { edges }),
    };
  }

  #add(spec: NodeSpec, dependencies: string[]): void {
    const { id } = spec;
    if (this.#nodes.has(id))
      throw new MaestroError('SPEC_INVALID', `the workflow already has a node ${JSON.stringify(id)}`);
    for (const from of dependencies) this.#refuseCycle(from, id);
    this.#nodes.set(id, { ...spec, dependencies });
    for (const from of dependencies) this.#link(from, id);
  }

  #plan(): Plan {
    return compilePlan([...this.#nodes.values()]);
  }

  #get(id: string): NodeSpec & { dependencies: string[] } {
    const node = this.#nodes.get(id);
    if (node !== undefined) return node;
    throw new MaestroError('SPEC_INVALID', `the workflow has no node ${JSON.stringify(id)}: add it first`);
  }

  #link(from: string, to: string): void {
    const dependents = this.#dependents.get(from);
    if (dependents === undefined) this.#dependents.set(from, [to]);
    else dependents.push(to);
  }

  /** An edge closes a cycle when its start is reached from its end already. */
  #refuseCycle(from: string, to: string): void {
    const cameFrom = new Map<string, string>();
    const queue = [to];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (at === from) throw cycleError([from, ...pathTo(cameFrom, from, to)]);
      for (const next of this.#dependents.get(at) ?? []) {
        if (cameFrom.has(next)) continue;
        cameFrom.set(next, at);
        queue.push(next);
      }
    }
  }
}

/** The nodes from `to` to `from`, along the edges that were followed. */
function pathTo(cameFrom: ReadonlyMap<string, string>, from: string, to: string): string[] {
  const path = [from];
  for (let at = from; at !== to;) {
    at = cameFrom.get(at) ?? to;
    path.push(at);
  }
  return path.reverse();
}

function typeOf({ review, workflow }: { review?: unknown; workflow?: unknown }): NodeType {
  if (workflow !== undefined) return 'subworkflow';
  return review === undefined ? 'custom' : 'human_review';
}

function nodeSpec<Inputs, Output>(
  id: string,
  options: NodeOptions<Inputs, string, Output, string | undefined>,
): NodeSpec {
  return compact({
    id,
    name: options.name ?? id,
    type: options.type ?? typeOf(options),
    trigger_rule: options.triggerRule,
    depends: options.depends,
    execution_mode: options.executionMode,
    condition: options.condition,
    config: options.config,
    metadata: options.metadata,
    retry_policy: options.retry === undefined ? undefined : retryPolicy(options.retry),
    expected_seconds: options.expectedSeconds,
    repeat: options.repeat && repeatSpec(options.repeat),
    timeout_seconds: options.timeoutSeconds,
    total_timeout_seconds: options.totalTimeoutSeconds,
    heartbeat_timeout_seconds: options.heartbeatTimeoutSeconds,
    isolation: options.isolation,
    resources: options.resources && compact({ max_heap_mb: options.resources.maxHeapMb }),
    queue: options.queue,
    slots: options.slots,
    priority: options.priority,
    input_contracts: options.inputContracts && [...options.inputContracts],
    output_contracts: options.outputContracts && [...options.outputContracts],
    ...mapFields(options),
    uses: options.uses,
    run: options.run,
    env: options.env,
    cache:
      options.cache &&
      compact({
        key: options.cache.key,
        ttl_seconds: options.cache.ttlSeconds,
        version: options.cache.version,
      }),
    compensate: options.compensate && compensateSpec(options.compensate),
    ...waitFields(options),
    ...subworkflowFields(options),
  });
}
