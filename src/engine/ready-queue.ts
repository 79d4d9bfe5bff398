import { grown } from '../base/grown.js';
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
  private readonly heap: Heap<number>;
  /** When each node came last, by node: it stands in line once only. */
  private arrivals: Uint32Array;
  private count = 0;

  constructor(ranks: Float64Array, stageOf: (node: number) => number) {
    this.arrivals = new Uint32Array(ranks.length);
    const rankOf = (node: number): number => ranks[node < ranks.length ? node : stageOf(node)] ?? 0;
    this.heap = new Heap((a, b) => {
      const first = rankOf(a);
      const second = rankOf(b);
      return first > second || (first === second && this.arrivals[a] < this.arrivals[b]);
    });
  }

  get size(): number {
    return this.heap.size;
  }

  push(node: number): void {
    if (node >= this.arrivals.length)
      this.arrivals = grown(this.arrivals, Math.max(node + 1, this.arrivals.length * 2));
    this.arrivals[node] = this.count++;
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
