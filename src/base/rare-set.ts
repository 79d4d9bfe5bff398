const NONE: ReadonlySet<never> = new Set();

/** A set for what most of its owners never have: it allocates nothing before its first value. See RareMap. */
export class RareSet<T> implements Iterable<T> {
  private set: Set<T> | null = null;

  constructor(values: Iterable<T> = []) {
    for (const value of values) this.add(value);
  }

  get size(): number {
    return this.set === null ? 0 : this.set.size;
  }

  has(value: T): boolean {
    return this.set !== null && this.set.has(value);
  }

  add(value: T): void {
    this.set ??= new Set();
    this.set.add(value);
  }

  delete(value: T): boolean {
    return this.set !== null && this.set.delete(value);
  }

  clear(): void {
    this.set = null;
  }

  [Symbol.iterator](): SetIterator<T> {
    return (this.set ?? (NONE as ReadonlySet<T>)).values();
  }
}
