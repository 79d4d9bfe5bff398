import type { Workflow } from '../spec/types.js';

export interface RerunOptions {
  /** Whether what depends on the node, directly or not, runs again after it. Default true. */
  cascade?: boolean;
  /** Needed when it has inline functions; its structure must match the stored one. */
  workflow?: Workflow;
}

export interface ForkOptions {
  /** Ids of the nodes to begin from: these and all that depends on them run; what was done besides is kept. */
  from: readonly string[];
  /** Laid over the context of the execution that is forked. */
  context?: Record<string, unknown>;
  /** Default: a new UUID version 7. */
  executionId?: string;
  /** Needed when it has inline functions; its structure must match the stored one. */
  workflow?: Workflow;
}
