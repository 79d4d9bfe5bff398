import type { CompensateOn, FailureMode, RetryPolicy } from '../base/model.js';
import type { StepFunction } from '../base/step.js';
import type { ContractSeverity, ContractStage } from '../policy/contracts.js';
import type { GroupStrategy } from '../policy/group.js';
import type { Schedule } from '../policy/schedule.js';
import type { TriggerRule } from '../policy/trigger.js';

export const NODE_TYPES = [
  'phase',
  'custom',
  'parallel_group',
  'conditional',
  'human_review',
  'subworkflow',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** inline: the host's event loop; thread: a worker thread; process: a child process of the runtime's own. */
export const ISOLATIONS = ['inline', 'thread', 'process'] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** A workflow definition as files and the store hold it (snake case, plain JSON). */
export interface WorkflowSpec {
  workflow: WorkflowHeader;
  nodes: NodeSpec[];
  /** Dependencies as pairs. In normal form those that have a condition: the others are `dependencies` of nodes. */
  edges?: EdgeSpec[];
  /**
   * The workflows that `subworkflow` nodes run, by the hash of their definition: put here when a file is read, so that a
   * definition is whole.
   */
  subworkflows?: Record<string, WorkflowSpec>;
  /** What nodes promise each other about their outputs. */
  contracts?: ContractSpec[];
}

export interface ContractSpec {
  id: string;
  /** For people. */
  name?: string;
  version?: string;
  description?: string;
  /** blocking (default): a breach fails the attempt; warning: it is recorded. */
  severity?: ContractSeverity;
  /** How far the parties have come. Default accepted; only what is accepted or amended binds. */
  stage?: ContractStage;
  /** JSON Schema of the output of each node that promises it. */
  schema: Record<string, unknown>;
}

export interface WorkflowHeader {
  id: string;
  name: string;
  version?: string;
  metadata?: Record<string, unknown>;
  global_context?: Record<string, unknown>;
  on_failure?: FailureMode;
  /** After what end nodes with `compensate` are compensated. Default on_failure. */
  compensate?: CompensateOn;
  /** For an execution as a whole, from its start. */
  timeout_seconds?: number;
  /** Nodes of one execution that may run at once. */
  max_concurrency?: number;
  /** Of its nodes in queues that do not say so themselves: higher goes first. Default 0. */
  priority?: number;
  /** Key of the global context: executions with the same value share what others share alike, in queues. */
  fair_key?: string;
  /** Where nodes with `uses` run that do not say so themselves. Default thread. */
  isolation?: Isolation;
  /** When it starts by itself, once it is scheduled in a store whose runtime looks after schedules. */
  schedule?: ScheduleSpec;
}

export interface ScheduleSpec extends Schedule {
  /** What these executions are started with, besides `scheduled_at`. */
  context?: Record<string, unknown>;
}

export interface EdgeSpec {
  from: string;
  to: string;
  /** CEL over `outputs`, `global_context` and `node` (the one it leads to); false: `to` takes `from` for skipped. */
  condition?: string;
}

export interface NodeSpec {
  id: string;
  name: string;
  type: NodeType;
  dependencies?: string[];
  execution_mode?: 'sequential' | 'parallel' | 'conditional';
  /** When the node runs, given how its dependencies ended. Default all_success. */
  trigger_rule?: TriggerRule;
  /** The same as an expression over results: `A.Succeeded || (B.Failed && !C.Skipped)`. Names its dependencies. */
  depends?: string;
  /** CEL over `outputs`, `global_context` and `node`; false skips the node. */
  condition?: string;
  config?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  retry_policy?: Partial<RetryPolicy>;
  /** How long it is expected to take; until that is measured, what is on the longest way is begun first. */
  expected_seconds?: number;
  /** It runs again until something holds. */
  repeat?: RepeatSpec;
  /** Per attempt. */
  timeout_seconds?: number;
  /** Over all attempts and the waits between them, from the start of the first one. */
  total_timeout_seconds?: number;
  /** An attempt that sends no heartbeat for this long is taken for dead. */
  heartbeat_timeout_seconds?: number;
  /** Ids of contracts that must be verified before the node runs. */
  input_contracts?: string[];
  /** Ids of contracts that its output must fit. */
  output_contracts?: string[];
  /** `./module.js#exportName`, relative to the spec's folder: runs where `isolation` says. */
  uses?: string;
  /** Where `uses` runs. Default: the workflow's, else thread. */
  isolation?: Isolation;
  /** Only with the isolation process. */
  resources?: Resources;
  /** A limit over all executions: it starts when the queue of this name has room. */
  queue?: string;
  /** What it takes of its queue. Default 1. */
  slots?: number;
  /** In its queue: higher goes first. Default: the workflow's. */
  priority?: number;
  /** A shell command: runs as a child process. */
  run?: string;
  /** Environment variables added for `run`. */
  env?: Record<string, string>;
  /** Its result is kept, and taken by nodes that would make the same from the same. */
  cache?: CacheSpec;
  /** What undoes its effects, if it completed and the execution fails or is cancelled. Becomes a node of its own. */
  compensate?: CompensationSpec;
  /** In normal form, of such a node: the one whose effects it undoes. */
  compensates?: string;
  /** Of a `parallel_group`: ids of its members. */
  members?: string[];
  /** Of a `parallel_group`: members that may execute at once. With `map`: items that may. */
  max_concurrency?: number;
  /**
   * CEL over `outputs` and `global_context` that gives a list: the node, or what the group's members are, is done once
   * for each of its items, and its output is the list of what came of them.
   */
  map?: string;
  /** With `map`: items that may fail without failing the node. Default 0. */
  max_failed?: number;
  /** The same, as a percentage of all items. */
  max_failed_percent?: number;
  /** Of a `parallel_group`. */
  supervision?: SupervisionSpec;
  /** Of a `parallel_group`: what becomes of the others when a member failed and no restart is left. Default continue. */
  on_member_failure?: 'continue' | 'cancel';
  /** How a `human_review` is decided; it waits without a thread. */
  review?: ReviewSpec;
  /** Instead of executing anything it waits for a signal; its output is the payload. */
  wait_for?: SignalWaitSpec;
  /** Instead of executing anything it waits so long. */
  sleep?: { seconds: number };
  /**
   * Of a `subworkflow`: the file of the workflow that it runs, relative to this one; from code: the folder that its steps
   * are relative to, with a `/` at its end.
   */
  workflow?: string;
  /** Of a `subworkflow`: what the child is started with. A text that is `${CEL}` is evaluated over outputs. */
  with?: Record<string, unknown>;
  /** Of a `subworkflow`: CEL over the child's `outputs`; its value is the node's output. Default: those of final nodes. */
  output?: string;
  /** Of a `subworkflow`: which of `subworkflows` it runs; put here when a file is read. */
  definition?: string;
  /** Instead of executing anything it waits until a moment: ISO 8601 with an offset or Z. */
  wait_until?: { time: string };
}

/** A loop of bounded length: each iteration is a run of its own, with attempts anew. */
export interface RepeatSpec {
  /** CEL like `condition`; also reads `node.output` and `node.iteration`. True after an iteration: it was the last one. */
  until: string;
  /** Iterations in all, the first included. */
  max: number;
  /** Between the end of an iteration and the next. Default 0. */
  delay_seconds?: number;
  /** What becomes of the node when `max` iterations were not enough. Default fail. */
  on_exhausted?: 'fail' | 'complete';
}

/** What becomes of a group when one of its members has failed for good, after its own retries. */
export interface SupervisionSpec {
  /**
   * What starts over: the member; all members; the member and those listed after it, with what depends on one of them
   * in the group. Default one_for_one.
   */
  strategy?: GroupStrategy;
  /** Restarts of the group, one more and it has failed. Default 0. */
  max_restarts?: number;
  /** Only restarts of the last so many seconds count. Default: all. */
  within_seconds?: number;
}

export interface CacheSpec {
  /** CEL over `outputs`, `global_context` and `node`: what the result depends on, instead of all that the step is given. */
  key?: string;
  /** How long a result is taken. */
  ttl_seconds: number;
  /** Another one: earlier results are not taken. */
  version?: string;
}

/** A step like that of a node, with what holds for its attempts. `config` is the node's if there is none. */
export type CompensationSpec = Partial<
  Pick<
    NodeSpec,
    | 'name'
    | 'uses'
    | 'run'
    | 'env'
    | 'isolation'
    | 'resources'
    | 'config'
    | 'metadata'
    | 'retry_policy'
    | 'expected_seconds'
    | 'timeout_seconds'
    | 'total_timeout_seconds'
    | 'heartbeat_timeout_seconds'
  >
>;

export interface ReviewSpec {
  /** JSON Schema of the response that a decision must carry. */
  response_schema?: Record<string, unknown>;
  /** For the reviewer. */
  instructions?: string;
  /** Who should decide; for people and tools, nobody is kept from deciding. */
  assignees?: string[];
  deadline_seconds?: number;
  /** The decision taken at the deadline; without it the node fails then. */
  default?: { decision: 'approve' | 'reject'; response?: unknown };
  /** Default fail: a rejected review fails its node for good. */
  on_reject?: 'fail' | 'complete';
}

export interface SignalWaitSpec {
  signal: string;
  /** JSON Schema of the payload. */
  schema?: Record<string, unknown>;
  deadline_seconds?: number;
  /** The payload taken at the deadline; without it the node fails then. */
  default?: unknown;
}

export interface Resources {
  /** Most that the step's process may hold in V8's old generation, in MiB. */
  max_heap_mb?: number;
}

/**
 * A validated workflow, ready to start: the spec, plus what files cannot hold.
 * `definitionHash` is SHA-256 over the canonical JSON of the spec (keys sorted).
 */
export interface Workflow {
  readonly spec: WorkflowSpec;
  /** Absolute folder that `uses` and `run` are relative to. */
  readonly baseDir: string;
  readonly definitionHash: string;
  /** Inline functions by node id. Empty for workflows from files. */
  readonly functions: ReadonlyMap<string, StepFunction>;
  /** What its subworkflow nodes run, by definition hash; only those whose functions, or folder, must be known. */
  readonly subworkflows?: ReadonlyMap<string, Workflow>;
}
