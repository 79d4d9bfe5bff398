import { grown } from '../base/grown.js';
import { RareMap } from '../base/rare-map.js';
import { stageOf } from '../graph/index.js';
import type { EngineDefinition } from './definition.js';
import { FifoQueue, PriorityQueue, RankQueue, type ReadyQueue } from './ready-queue.js';

/**
 * The nodes that may start, by lane; the last lane is of nodes that wait without a thread. In topological order all
 * share one. A node stands in line once only, however often it is told to.
 */
export class Lanes {
  /** Made when something stands in them: most executions use one or two. */
  private readonly queues: (ReadyQueue | undefined)[];
  private inLine: Uint8Array;
  /** Nodes that stand aside until their group has room, by group and lane. They count as in line. */
  private readonly aside = new RareMap<number, ReadyQueue[]>();

  constructor(private readonly definition: EngineDefinition) {
    const { plan, laneCount, startOrder } = definition;
    this.inLine = new Uint8Array(plan.nodeCount);
    const lanes = startOrder === 'topological' ? 1 : laneCount + 1;
    this.queues = new Array<ReadyQueue | undefined>(lanes).fill(undefined);
  }

  /** The plan has grown. */
  grow(): void {
    this.inLine = grown(this.inLine, this.definition.plan.nodeCount);
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
    this.queue(this.isWait(node) ? this.ofWaits : this.definition.laneOf(node)).push(node);
  }

  /** The next node of a lane, left in place; -1 when there is none. */
  peek(lane: number): number {
    return this.queues[lane]?.peek() ?? -1;
  }

  sizeOf(lane: number): number {
    return this.queues[lane]?.size ?? 0;
  }

  pop(lane: number): void {
    const node = this.queue(lane).pop();
    if (node >= 0) this.inLine[node] = 0;
  }

  /** The next node of a lane stands aside until its group is called up. */
  setAside(lane: number, group: number): void {
    let queues = this.aside.get(group);
    if (queues === undefined) this.aside.set(group, (queues = this.queues.map(() => this.newAside())));
    queues[lane].push(this.queue(lane).pop());
  }

  private queue(lane: number): ReadyQueue {
    return (this.queues[lane] ??= this.newQueue());
  }

  private newQueue(): ReadyQueue {
    const { plan, ranks, startOrder } = this.definition;
    if (startOrder === 'topological') return new RankQueue(plan);
    return ranks === null ? new FifoQueue() : new PriorityQueue(ranks, (node) => stageOf(plan, node));
  }

  /** In topological order what comes first must not stand behind what waits for it. */
  private newAside(): ReadyQueue {
    const { plan, startOrder } = this.definition;
    return startOrder === 'topological' ? new RankQueue(plan) : new FifoQueue();
  }

  /** The first of a group that stands aside in each lane comes back into line. */
  callUp(group: number): void {
    this.aside.get(group)?.forEach((queue, lane) => {
      if (queue.size > 0) this.queue(lane).push(queue.pop());
    });
  }

  clear(): void {
    this.aside.clear();
    for (const queue of this.queues) queue?.clear();
    this.inLine.fill(0);
  }
}
