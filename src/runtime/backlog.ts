import type { Workflow } from '../spec/index.js';
import type { EngineEvent } from '../engine/effects.js';
import type { ExecutionRecord } from '../store/types.js';

/** An execution of ours that waits in the store for a place in memory. */
export interface Waiting {
  readonly executionId: string;
  /** What to apply when its turn comes. */
  readonly events: readonly EngineEvent[];
  /** Holds the inline functions, if it has any. */
  readonly workflow: Workflow | undefined;
}

/** One that need not wait. */
export interface Arriving extends Waiting {
  /** What it was taken over with just now: need not be read. */
  readonly record?: ExecutionRecord;
}

/** Executions that wait for their turn, first come, first served. What waits is an id, not a state. */
export class Backlog {
  private items: Waiting[] = [];
  private head = 0;
  /** What waits now; an item of the line that is not in here was taken out of its turn. */
  private readonly waiting = new Map<string, Waiting>();

  get size(): number {
    return this.waiting.size;
  }

  has(executionId: string): boolean {
    return this.waiting.has(executionId);
  }

  push(item: Waiting): void {
    this.items.push(item);
    this.waiting.set(item.executionId, item);
  }

  /** Takes an execution out of its turn: it is needed now. */
  remove(executionId: string): Waiting | undefined {
    const item = this.waiting.get(executionId);
    this.waiting.delete(executionId);
    return item;
  }

  shift(): Waiting | undefined {
    while (this.head < this.items.length) {
      const item = this.items[this.head++];
      if (this.head > 1024 && this.head * 2 > this.items.length) {
        this.items = this.items.slice(this.head);
        this.head = 0;
      }
      // The same execution may have been taken out and have come again since.
      if (this.waiting.get(item.executionId) !== item) continue;
      this.waiting.delete(item.executionId);
      return item;
    }
    return undefined;
  }
}
