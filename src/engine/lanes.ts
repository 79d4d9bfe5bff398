import type { EngineDefinition } from './definition.js';
import { FifoQueue, RankQueue, type ReadyQueue } from './ready-queue.js';

/**
 * The nodes that may start, by lane; the last lane is of nodes that wait without a thread. In topological order all
 * share one. A node stands in line once only, however often it is told to.
 */
export class Lanes {
  private readonly queues: readonly ReadyQueue[];
  private readonly inLine: Uint8Array;

  constructor(private readonly definition: EngineDefinition) {
    const { plan, laneCount, startOrder } = definition;
    this.inLine = new Uint8Array(plan.nodeCount);
    this.queues =
      startOrder === 'topological'
        ? [new RankQueue(plan.rank)]
        : Array.from({ length: laneCount + 1 }, () => new FifoQueue());
  }

  get ofWaits(): number {
    return this.queues.length - 1;
  }

  isWait(node: number): boolean {
    return this.definition.hasWaits && this.definition.waitOf(node) !== null;
  }

  push(node: number): void {
    if (this.inLine[node] === 1) return;
    this.inLine[node] = 1;
    this.queues[this.isWait(node) ? this.ofWaits : this.definition.laneOf(node)].push(node);
  }

  /** The next node of a lane, left in place; -1 when there is none. */
  peek(lane: number): number {
    return this.queues[lane].peek();
  }

  pop(lane: number): void {
    const node = this.queues[lane].pop();
    if (node >= 0) this.inLine[node] = 0;
  }

  clear(): void {
    for (const queue of this.queues) queue.clear();
    this.inLine.fill(0);
  }
}
