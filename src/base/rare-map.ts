/**
 * A map for what most of its owners never have: it allocates nothing before its first entry. An execution has a dozen
 * such maps, and there are many executions.
 */
export class RareMap<K, V> implements ReadonlyMap<K, V> {
  private map: Map<K, V> | null = null;

  get size(): number {
    return this.map === null ? 0 : this.map.size;
  }

  get(key: K): V | undefined {
    return this.map === null ? undefined : this.map.get(key);
  }

  has(key: K): boolean {
    return this.map !== null && this.map.has(key);
  }

  set(key: K, value: V): void {
    this.map ??= new Map();
    this.map.set(key, value);
  }

  delete(key: K): boolean {
    return this.map !== null && this.map.delete(key);
  }

  clear(): void {
    this.map = null;
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    this.map?.forEach((value, key) => visit(value, key, this));
  }

  keys(): MapIterator<K> {
    return this.entriesOrNone.keys();
  }

  values(): MapIterator<V> {
    return this.entriesOrNone.values();
  }

  entries(): MapIterator<[K, V]> {
    return this.entriesOrNone.entries();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  private get entriesOrNone(): ReadonlyMap<K, V> {
    return this.map ?? (NONE as ReadonlyMap<K, V>);
  }
}

const NONE: ReadonlyMap<unknown, unknown> = new Map();
