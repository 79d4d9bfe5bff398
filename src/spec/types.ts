import type { FailureMode, RetryPolicy } from '../base/model.js';
import type { StepFunction } from '../base/step.js';

export const NODE_TYPES = ['phase', 'custom', 'parallel_group', 'conditional', 'human_review'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** A workflow definition as files and the store hold it (snake case, plain JSON). */
export interface WorkflowSpec {
  workflow: WorkflowHeader;
  nodes: NodeSpec[];
  /** Further dependencies, as pairs. */
  edges?: EdgeSpec[];
}

export interface WorkflowHeader {
  id: string;
  name: string;
  version?: string;
  metadata?: Record<string, unknown>;
  global_context?: Record<string, unknown>;
  on_failure?: FailureMode;
  /** Nodes of one execution that may run at once. */
  max_concurrency?: number;
}

export interface EdgeSpec {
  from: string;
  to: string;
  condition?: string;
}

export interface NodeSpec {
  id: string;
  name: string;
  type: NodeType;
  dependencies?: string[];
  execution_mode?: 'sequential' | 'parallel' | 'conditional';
  /** CEL over `outputs`, `global_context` and `node`; false skips the node. */
  condition?: string;
  config?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  retry_policy?: Partial<RetryPolicy>;
  /** Per attempt. */
  timeout_seconds?: number;
  /** An attempt that sends no heartbeat for this long is taken for dead. */
  heartbeat_timeout_seconds?: number;
  input_contracts?: string[];
  output_contracts?: string[];
  /** `./module.js#exportName`, relative to the spec's folder: runs on a worker thread. */
  uses?: string;
  /** A shell command: runs as a child process. */
  run?: string;
  /** Environment variables added for `run`. */
  env?: Record<string, string>;
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
}
