import type { ExecutionEvent } from '../runtime/index.js';

/**
 * The runtime's live events on their way to whoever shows them. Holds them back until somebody does: an execution
 * begins before its id is known.
 */
export class EventFeed {
  readonly #held: ExecutionEvent[] = [];
  #show: ((event: ExecutionEvent) => void) | undefined;

  /** What createRuntime takes as `onEvent`. */
  readonly push = (event: ExecutionEvent): void => {
    if (this.#show === undefined) this.#held.push(event);
    else this.#show(event);
  };

  /** Gives everything held back to `show`, and all that follows. */
  flowTo(show: (event: ExecutionEvent) => void): void {
    this.#show = show;
    for (const event of this.#held.splice(0)) show(event);
  }
}
