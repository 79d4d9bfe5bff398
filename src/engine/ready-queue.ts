import { Heap } from '../base/heap.js';

/** Nodes that may start, in the order they should. */
export interface ReadyQueue {
  readonly size: number;
  push(node: number): void;
  /** The next node, left in place; -1 when empty. */
  peek(): number;
  pop(): number;
  clear(): void;
}

/** First in, first out; amortised O(1). */
export class FifoQueue implements ReadyQueue {
  private items: number[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  push(node: number): void {
    this.items.push(node);
  }

  peek(): number {
    return this.head < this.items.length ? this.items[this.head] : -1;
  }

  pop(): number {
    const node = this.peek();
    if (node < 0) return node;
    this.head++;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return node;
  }

  clear(): void {
    this.items = [];
    this.head = 0;
  }
}

/** Smallest rank first; of equal ones, as items of a map have, the smaller index. */
export class RankQueue implements ReadyQueue {
  private readonly heap: Heap<number>;

  constructor(plan: { readonly rank: Uint32Array }) {
    this.heap = new Heap((a, b) => {
      const { rank } = plan;
      return rank[a] < rank[b] || (rank[a] === rank[b] && a < b);
    });
  }

  get size(): number {
    return this.heap.size;
  }

  push(node: number): void {
    this.heap.push(node);
  }

  peek(): number {
    return this.heap.peek() ?? -1;
  }

  pop(): number {
    return this.heap.pop() ?? -1;
  }

  clear(): void {
    this.heap.clear();
  }
}

/** Highest rank first; among equals first in, first out. Ranks are those of what a node is an instance of. */
export class PriorityQueue implements ReadyQueue {
  private readonly heap: Heap<{ readonly node: number; readonly rank: number; readonly arrival: number }>;
  private arrivals = 0;

  constructor(
    private readonly ranks: Float64Array,
    private readonly stageOf: (node: number) => number,
  ) {
    this.heap = new Heap((a, b) => a.rank > b.rank || (a.rank === b.rank && a.arrival < b.arrival));
  }

  get size(): number {
    return this.heap.size;
  }

  push(node: number): void {
    this.heap.push({ node, rank: this.ranks[this.stageOf(node)] ?? 0, arrival: this.arrivals++ });
  }

  peek(): number {
    return this.heap.peek()?.node ?? -1;
  }

  pop(): number {
    return this.heap.pop()?.node ?? -1;
  }

  clear(): void {
    this.heap.clear();
  }
}
