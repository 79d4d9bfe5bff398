/** What a table of V8 holds on to, emptied when it is deleted. */
interface Cell<V> {
  value: V | undefined;
}

/**
 * A map whose values come and go while it stays, for values that hold much (IdMap: for what comes and goes by the thousand).
 *
 * V8's own Map makes a new table whenever so many entries were deleted, in the old generation once the map is old. Each
 * table dropped there holds on to what was in it, and drags that out of the young generation, until a full collection.
 * What is dragged along here is an empty cell.
 */
export class ForgetfulMap<K, V extends object> {
  private readonly cells = new Map<K, Cell<V>>();

  get size(): number {
    return this.cells.size;
  }

  get(key: K): V | undefined {
    return this.cells.get(key)?.value;
  }

  has(key: K): boolean {
    return this.cells.has(key);
  }

  /** A key that is there keeps its place. */
  set(key: K, value: V): void {
    const cell = this.cells.get(key);
    if (cell === undefined) this.cells.set(key, { value });
    else cell.value = value;
  }

  /** @returns whether there was something */
  delete(key: K): boolean {
    const cell = this.cells.get(key);
    if (cell !== undefined) cell.value = undefined;
    return this.cells.delete(key);
  }

  /** All there are now, in the order in which they came. */
  keys(): K[] {
    return [...this.cells.keys()];
  }

  /** In the order in which keys came. What is added or deleted meanwhile is seen, as in a Map. */
  *values(): Generator<V, void> {
    for (const { value } of this.cells.values()) if (value !== undefined) yield value;
  }
}
