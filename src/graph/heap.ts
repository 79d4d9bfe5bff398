/** A binary min-heap of distinct non-negative integers with a fixed capacity: what is ready, lowest index first. */
export class IndexHeap {
  readonly #items: Uint32Array;
  #size = 0;

  constructor(capacity: number) {
    this.#items = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    const items = this.#items;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (items[parent] <= value) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = value;
  }

  /** Takes the smallest. The heap must not be empty. */
  pop(): number {
    const items = this.#items;
    const top = items[0];
    const last = items[--this.#size];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && items[child + 1] < items[child]) child++;
      if (items[child] >= last) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return top;
  }
}
