import { MaestroError } from '../base/errors.js';
import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import type { ObservedNode, ObservedWorkflow } from '../engine/actors.js';
import { Replicas } from '../engine/replicas.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import type { Execution, ExecutionResult } from './types.js';

/** What a handle asks of its runtime. */
export interface HandleHost {
  /** The execution, when it is (or was last) in memory here. */
  active(executionId: string): ActiveExecution | undefined;
  follow(executionId: string): AsyncIterable<ExecutionEvent>;
  steer(executionId: string, node: number, event: NodeEvent | WorkflowEvent): void;
}

/** What `start`, `resume` and `retry` return. */
export class ExecutionHandle implements Execution {
  private seen: ActiveExecution | undefined;

  constructor(
    readonly id: string,
    readonly workflowId: string,
    readonly result: Promise<ExecutionResult>,
    private readonly host: HandleHost,
  ) {}

  /** The execution left memory: its last state stays readable for as long as this handle is held. */
  keep(execution: ActiveExecution): void {
    this.seen = execution;
  }

  events(): AsyncIterable<ExecutionEvent> {
    return this.host.follow(this.id);
  }

  get actor(): ObservedWorkflow {
    const execution = this.execution();
    return this.replicas(execution).workflowActor(execution.unpublished);
  }

  node(id: string): ObservedNode {
    const execution = this.execution();
    const index = execution.definition.plan.indexOf.get(id);
    if (index === undefined)
      throw new MaestroError('NODE_NOT_FOUND', `workflow "${this.workflowId}" has no node "${id}"`);
    return this.replicas(execution).node(index, execution.unpublished);
  }

  private execution(): ActiveExecution {
    const execution = this.host.active(this.id) ?? this.seen;
    if (execution !== undefined) return (this.seen = execution);
    throw new MaestroError(
      'EXECUTION_STATE',
      `execution ${this.id} is not in memory: it waits for its turn, or has ended`,
      {
        next: 'Read it with runtime.get(id); take actor references while it runs.',
      },
    );
  }

  private replicas(execution: ActiveExecution): Replicas {
    execution.replicas ??= new Replicas(execution.engine.state, (node, event) => {
      this.host.steer(this.id, node, event);
    });
    return execution.replicas;
  }
}
