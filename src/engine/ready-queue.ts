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

/** Smallest rank first: a binary heap. */
export class RankQueue implements ReadyQueue {
  private heap: number[] = [];

  constructor(private readonly rank: Uint32Array) {}

  get size(): number {
    return this.heap.length;
  }

  push(node: number): void {
    const { heap, rank } = this;
    let child = heap.length;
    heap.push(node);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (rank[heap[parent]] <= rank[node]) break;
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = node;
  }

  peek(): number {
    return this.heap.length > 0 ? this.heap[0] : -1;
  }

  pop(): number {
    const { heap, rank } = this;
    const top = this.peek();
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && rank[heap[child + 1]] < rank[heap[child]]) child++;
      if (rank[heap[child]] >= rank[last]) break;
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return top;
  }

  clear(): void {
    this.heap = [];
  }
}
