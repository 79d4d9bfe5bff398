import type { Workflow } from '../runtime/index.js';

/** The workflows that an operator has registered with the service. */
export interface WorkflowCatalogue {
  get(workflowId: string): Workflow | undefined;
  list(): readonly Workflow[];
}
