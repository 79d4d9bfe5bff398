/**
 * Whole numbers by index that are all 0 for most of their owners: allocates nothing before one is not. See RareMap. An index
 * beyond what was set last is 0, too.
 */
export class RareCounts {
  private counts: Int32Array | null = null;

  at(index: number): number {
    return this.counts !== null && index < this.counts.length ? this.counts[index] : 0;
  }

  /** @param length at least how many there will be */
  add(index: number, by: number, length: number): void {
    if (by !== 0) this.room(index, length)[index] += by;
  }

  set(index: number, value: number, length: number): void {
    if (value !== this.at(index)) this.room(index, length)[index] = value;
  }

  private room(index: number, length: number): Int32Array {
    const { counts } = this;
    if (counts !== null && index < counts.length) return counts;
    // Twice as many as before: growing costs each a constant.
    const larger = new Int32Array(Math.max(length, index + 1, 2 * (counts?.length ?? 0)));
    if (counts !== null) larger.set(counts);
    return (this.counts = larger);
  }
}
