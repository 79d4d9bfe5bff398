/**
 * What a step is given. Inline functions and `uses` modules get exactly this object; commands get the plain-data
 * part as a snake-case JSON document on stdin.
 */
export interface StepContext<Inputs = Record<string, unknown>> {
  readonly workflowId: string;
  readonly executionId: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly nodeConfig: Readonly<Record<string, unknown>>;
  /** Where a node is done for each item of a list (`map`): the item, and its place in the list, from 0. */
  readonly item?: unknown;
  readonly index?: number;
  /** Outputs of the direct dependencies, by node id. A skipped dependency has none. */
  readonly dependencyOutputs: Inputs;
  /** Artifact paths of the direct dependencies, by node id. */
  readonly dependencyArtifacts: Readonly<Record<string, readonly string[]>>;
  readonly globalContext: Readonly<Record<string, unknown>>;
  /** Outputs of all nodes completed so far; fetched when called, never copied into every call. */
  allOutputs(this: void): Promise<Record<string, unknown>>;
  /** Artifact paths of all nodes completed so far; fetched when called. */
  allArtifacts(this: void): Promise<Record<string, readonly string[]>>;
  /** Counts from 1. */
  readonly attempt: number;
  /** The same for every attempt of this node in this run, also after a crash. */
  readonly idempotencyKey: string;
  /** Which iteration of its loop this is, of a node that repeats; else 1. */
  readonly iteration: number;
  /** What the iteration before gave; null in the first one, and of a node that does not repeat. */
  readonly previousOutput: unknown;
  /** Absolute folder for this node's artifacts; created by the first call. */
  artifactDir(this: void): string;
  /** Fires when the attempt is cancelled or out of time; ignoring it ends the worker after a grace period. */
  readonly signal: AbortSignal;
  /** Says that the step is alive (see heartbeat_timeout_seconds). */
  heartbeat(this: void): void;
  /** Reports progress to observers: a fraction 0..1 and, if wanted, a message. Implies a heartbeat. */
  progress(this: void, fraction: number, message?: string): void;
}

/**
 * A step. What it returns must be JSON-serialisable; nothing (undefined) counts as null. A top-level
 * `artifacts: string[]` in an object it returns is registered as the node's artifacts.
 */
export type StepFunction<Inputs = never, Output = unknown> = (
  context: StepContext<Inputs>,
) => Output | Promise<Output>;
