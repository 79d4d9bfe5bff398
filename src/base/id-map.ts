import { RareMap } from './rare-map.js';

/** Neighbouring keys that share a chunk. */
const CHUNK = 256;

interface Chunk<T> {
  readonly number: number;
  readonly items: (T | undefined)[];
  count: number;
}

/**
 * A map for what comes and goes by the thousand, under small whole numbers of which neighbours are used together (ids given
 * in turn, nodes).
 *
 * V8's own Map makes a new table every few hundred insertions, and once the map is old these tables are, too: each
 * dropped one then holds on to what was in it, and drags it out of the young generation, until a full collection. Here
 * nothing is left behind, because a chunk forgets what is deleted. See docs/decisions.md for what that cost.
 */
export class IdMap<T extends object> {
  /** The one that was begun last. */
  private newest: Chunk<T> = { number: 0, items: [], count: 0 };
  /** The others that hold something. */
  private readonly older = new RareMap<number, Chunk<T>>();

  size = 0;

  get(id: number): T | undefined {
    return this.chunkOf(id)?.items[id % CHUNK];
  }

  set(id: number, value: T): void {
    const chunk = this.chunkOf(id) ?? this.begin(Math.floor(id / CHUNK));
    const place = id % CHUNK;
    if (chunk.items[place] === undefined) {
      chunk.count++;
      this.size++;
    }
    chunk.items[place] = value;
  }

  /** @returns whether there was something */
  delete(id: number): boolean {
    const chunk = this.chunkOf(id);
    const place = id % CHUNK;
    if (chunk?.items[place] === undefined) return false;
    chunk.items[place] = undefined;
    chunk.count--;
    this.size--;
    if (chunk.count === 0 && chunk !== this.newest) this.older.delete(chunk.number);
    return true;
  }

  /** What there is now. Keys that were given in ascending order come in that order. */
  values(): T[] {
    const found: T[] = [];
    const collect = ({ items }: Chunk<T>): void => {
      for (const item of items) if (item !== undefined) found.push(item);
    };
    this.older.forEach(collect);
    collect(this.newest);
    return found;
  }

  private chunkOf(id: number): Chunk<T> | undefined {
    const number = Math.floor(id / CHUNK);
    return this.newest.number === number ? this.newest : this.older.get(number);
  }

  private begin(number: number): Chunk<T> {
    if (this.newest.count > 0) this.older.set(this.newest.number, this.newest);
    this.newest = { number, items: [], count: 0 };
    return this.newest;
  }
}
