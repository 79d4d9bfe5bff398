import type { Workflow } from '../spec/index.js';
import type { EngineEvent } from '../engine/effects.js';

/** An execution of ours that waits in the store for a place in memory. */
export interface Waiting {
  readonly executionId: string;
  /** What to apply when its turn comes. */
  readonly events: readonly EngineEvent[];
  /** Holds the inline functions, if it has any. */
  readonly workflow: Workflow | undefined;
}

/** Executions that wait for their turn, first come, first served. What waits is an id, not a state. */
export class Backlog {
  private items: Waiting[] = [];
  private head = 0;
  private readonly ids = new Set<string>();

  get size(): number {
    return this.ids.size;
  }

  has(executionId: string): boolean {
    return this.ids.has(executionId);
  }

  push(item: Waiting): void {
    this.items.push(item);
    this.ids.add(item.executionId);
  }

  /** Takes an execution out of its turn: it is needed now. */
  remove(executionId: string): Waiting | undefined {
    if (!this.ids.delete(executionId)) return undefined;
    return this.items.find((item, index) => index >= this.head && item.executionId === executionId);
  }

  shift(): Waiting | undefined {
    while (this.head < this.items.length) {
      const item = this.items[this.head++];
      if (this.head > 1024 && this.head * 2 > this.items.length) {
        this.items = this.items.slice(this.head);
        this.head = 0;
      }
      if (this.ids.delete(item.executionId)) return item;
    }
    return undefined;
  }
}
