/** A binary heap: whatever comes before all others is on top. Push and pop cost O(log size). */
export class Heap<T> {
  private readonly items: T[] = [];

  /** @param before whether `a` must come out before `b`: a strict order */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  /** The top, left in place; undefined when empty. */
  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items, before } = this;
    let child = items.push(item) - 1;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      if (!before(item, items[parent])) break;
      items[child] = items[parent];
      child = parent;
    }
    items[child] = item;
  }

  pop(): T | undefined {
    const { items, before } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child++;
      if (!before(items[child], last)) break;
      items[parent] = items[child];
      parent = child;
    }
    items[parent] = last;
    return top;
  }

  clear(): void {
    this.items.length = 0;
  }
}
