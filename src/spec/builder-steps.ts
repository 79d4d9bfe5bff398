import type { StepContext } from '../base/step.js';
import { retryPolicy, type RetryOptions } from './builder-retry.js';
import { compact } from './compact.js';
import type { CompensationSpec, Isolation } from './types.js';

export interface ResourceOptions {
  /** Most that the step's process may hold in V8's old generation, in MiB. */
  maxHeapMb?: number;
}

/**
 * A step that undoes what a node did: like a node's own. It is given the inputs of its node, and among them, by the id of
 * the node, its output.
 */
export type CompensateOptions = {
  /** For people. */
  name?: string;
  /** Default: the node's. */
  config?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  retry?: RetryOptions;
  /** Per attempt. */
  timeoutSeconds?: number;
  /** Over all attempts and the waits between them. */
  totalTimeoutSeconds?: number;
  heartbeatTimeoutSeconds?: number;
  isolation?: Isolation;
  resources?: ResourceOptions;
} & (
  | {
      execute: (context: StepContext<Record<string, unknown>>) => unknown;
      uses?: never;
      run?: never;
      env?: never;
    }
  | { uses: string; execute?: never; run?: never; env?: never }
  | { run: string; env?: Record<string, string>; execute?: never; uses?: never }
);

export function compensateSpec(options: CompensateOptions): CompensationSpec {
  return compact({
    name: options.name,
    uses: options.uses,
    run: options.run,
    env: options.env,
    isolation: options.isolation,
    resources: options.resources && compact({ max_heap_mb: options.resources.maxHeapMb }),
    config: options.config,
    metadata: options.metadata,
    retry_policy: options.retry && retryPolicy(options.retry),
    timeout_seconds: options.timeoutSeconds,
    total_timeout_seconds: options.totalTimeoutSeconds,
    heartbeat_timeout_seconds: options.heartbeatTimeoutSeconds,
  });
}
