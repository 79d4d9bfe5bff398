import type { Ending } from '../../machines/events.js';
import { toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { ActiveExecution } from './active-execution.js';

/** Resolves when no child of an execution, or child of a child, runs any more. */
export type ChildrenStopped = (executionId: string) => Promise<void>;

/**
 * What is undone must not be in use any more: nothing of an execution that compensates starts before all of its children
 * have stopped. It has no attempts meanwhile, so it takes none of the room that their own compensations need.
 */
export class ChildGate {
  /** Endings of executions whose children have stopped: none come after that. */
  private readonly open = new WeakSet<Ending>();
  private readonly errors = new WeakMap<Ending, ErrorDocument>();

  constructor(
    private readonly childrenStopped: ChildrenStopped,
    /** What held an execution back does so no more. */
    private readonly released: (execution: ActiveExecution) => void,
  ) {}

  /** Whether nothing of this execution may start yet. */
  holds(execution: ActiveExecution): boolean {
    const { compensations, workflow } = execution.definition;
    if (compensations.size === 0 || workflow.spec.subworkflows === undefined) return false;
    const ending = endingOf(execution);
    if (ending === null || this.open.has(ending) || this.errors.has(ending)) return false;
    if (!execution.awaitsChildren) this.ask(execution, ending);
    return true;
  }

  /** Why it cannot be said whether the children have stopped: an attempt fails of it, and the one after it asks again. */
  takeError(execution: ActiveExecution): ErrorDocument | undefined {
    const ending = endingOf(execution);
    if (ending === null) return undefined;
    const error = this.errors.get(ending);
    this.errors.delete(ending);
    return error;
  }

  private ask(execution: ActiveExecution, ending: Ending): void {
    execution.awaitsChildren = true;
    const over = (): void => {
      execution.awaitsChildren = false;
      if (!execution.released) this.released(execution);
    };
    this.childrenStopped(execution.id).then(
      () => {
        this.open.add(ending);
        over();
      },
      (error: unknown) => {
        this.errors.set(ending, toErrorDocument(error));
        over();
      },
    );
  }
}

function endingOf({ engine }: ActiveExecution): Ending | null {
  return engine.state.workflowContext.compensating;
}
