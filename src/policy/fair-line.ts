import { Heap } from '../base/heap.js';

interface KeyLine<T> {
  readonly key: string;
  /** What it has been given, in the clock of its priority; who comes back does not catch up on what it did not ask for. */
  time: number;
  /** Breaks ties by who has waited longer. */
  order: number;
  items: T[];
  head: number;
}

interface Rank<T> {
  readonly priority: number;
  readonly keys: Map<string, KeyLine<T>>;
  readonly heap: Heap<KeyLine<T>>;
  /** Times of keys that have nobody in line. */
  readonly past: Map<string, number>;
  clock: number;
}

/** Times of absent keys are forgotten beyond this, once they are past: then they say nothing. */
const MAX_PAST = 1024;

/**
 * Who is next: the highest priority first; within one, keys share by what they were given (start-time fair queueing), and
 * within a key each has its turn. All steps cost O(log keys).
 * Fairness: of two keys that both always have somebody in line, neither is ahead by more than what one turn costs.
 */
export class FairLine<T> {
  private readonly ranks = new Map<number, Rank<T>>();
  private readonly order = new Heap<Rank<T>>((a, b) => a.priority > b.priority);
  private turn = 0;
  /** Who is in line. */
  size = 0;

  add(item: T, priority: number, key: string): void {
    const rank = this.ranks.get(priority) ?? this.newRank(priority);
    let line = rank.keys.get(key);
    if (line === undefined) {
      const time = Math.max(rank.clock, rank.past.get(key) ?? 0);
      rank.past.delete(key);
      line = { key, time, order: this.turn++, items: [], head: 0 };
      rank.keys.set(key, line);
      rank.heap.push(line);
    }
    line.items.push(item);
    this.size++;
  }

  private newRank(priority: number): Rank<T> {
    const before = (a: KeyLine<T>, b: KeyLine<T>): boolean =>
      a.time < b.time || (a.time === b.time && a.order < b.order);
    const rank: Rank<T> = { priority, keys: new Map(), heap: new Heap(before), past: new Map(), clock: 0 };
    this.ranks.set(priority, rank);
    this.order.push(rank);
    return rank;
  }

  /** The next one, left in place; undefined when nobody is in line. */
  peek(): T | undefined {
    const line = this.first()?.heap.peek();
    return line?.items[line.head];
  }

  /** The next one leaves the line. @param cost what it was given: 0 when it only leaves */
  take(cost: number): T | undefined {
    const rank = this.first();
    const line = rank?.heap.pop();
    if (rank === undefined || line === undefined) return undefined;
    const item = line.items[line.head++];
    this.size--;
    if (cost > 0) {
      rank.clock = Math.max(rank.clock, line.time);
      line.time += cost;
      line.order = this.turn++;
    }
    if (line.head > 32 && line.head * 2 > line.items.length) {
      line.items = line.items.slice(line.head);
      line.head = 0;
    }
    if (line.head < line.items.length) rank.heap.push(line);
    else this.leave(rank, line);
    return item;
  }

  private leave(rank: Rank<T>, { key, time }: KeyLine<T>): void {
    rank.keys.delete(key);
    rank.past.set(key, time);
    if (rank.past.size <= MAX_PAST) return;
    for (const [each, at] of rank.past) if (at <= rank.clock) rank.past.delete(each);
  }

  /** The highest priority with anybody in line. There are few priorities, and those without anybody are dropped. */
  private first(): Rank<T> | undefined {
    for (let rank = this.order.peek(); rank !== undefined; rank = this.order.peek()) {
      if (rank.heap.size > 0) return rank;
      if (this.size === 0) return undefined;
      this.order.pop();
      this.ranks.delete(rank.priority);
    }
    return undefined;
  }
}
