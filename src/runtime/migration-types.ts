import type { NodeStatus } from '../base/model.js';
import type { DefinitionDifference, Workflow } from '../spec/index.js';

export interface MigrateOptions {
  /** true: says what would become of it, changes nothing. */
  dryRun?: boolean;
}

/** What becomes of a node that two definitions do not have alike. Document form. */
export interface NodeVerdict {
  node_id: string;
  change: 'added' | 'removed' | 'changed';
  /** null: it is not there yet. */
  status: NodeStatus | null;
  allowed: boolean;
  /** Why it is not allowed. */
  why?: string;
}

/** Of one execution and another definition. Document form. */
export interface MigrationDocument {
  execution_id: string;
  workflow_id: string;
  /** Whether it goes on under the other definition from now on. */
  migrated: boolean;
  dry_run: boolean;
  /** Whether it may. */
  allowed: boolean;
  /** What is in the way of the execution as a whole. */
  refusals: string[];
  /** Nodes that are not in both definitions alike. */
  nodes: NodeVerdict[];
  difference: DefinitionDifference;
}

export interface Migrating {
  /**
   * Lets an execution go on under another definition of its workflow: one that is paused, failed or interrupted, and that
   * nobody runs. What has begun stays as it is: such nodes must be in both, and may differ only in how they run; what has
   * failed may be changed, and starts over when it is retried. With `dryRun` it only says what would become of it.
   * @throws MIGRATION_REFUSED with every reason, EXECUTION_NOT_FOUND, STORE_CONFLICT; nothing has changed then
   */
  migrate(executionId: string, workflow: Workflow, options?: MigrateOptions): Promise<MigrationDocument>;
}
