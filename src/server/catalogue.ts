import { MaestroError, type Workflow } from '../runtime/index.js';

/** The workflows that an operator has registered with the service: what clients may start. */
export class WorkflowCatalogue {
  private readonly workflows = new Map<string, Workflow>();

  /** @throws CONFIG_CONFLICT when two have one id */
  constructor(workflows: readonly Workflow[]) {
    for (const workflow of workflows) {
      const { id } = workflow.spec.workflow;
      if (this.workflows.has(id)) {
        throw new MaestroError(
          'CONFIG_CONFLICT',
          `two registered workflows have the id ${JSON.stringify(id)}`,
        );
      }
      this.workflows.set(id, workflow);
    }
  }

  get(workflowId: string): Workflow | undefined {
    return this.workflows.get(workflowId);
  }

  list(): readonly Workflow[] {
    return [...this.workflows.values()];
  }
}
