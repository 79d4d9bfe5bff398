import { grown } from './grown.js';

const NONE = new Int32Array(0);

/**
 * Whole numbers by index that are all 0 for most of their owners: allocates nothing before one is not. See RareMap. An index
 * beyond what was set last is 0, too.
 */
export class RareCounts {
  private counts = NONE;

  at(index: number): number {
    return index < this.counts.length ? this.counts[index] : 0;
  }

  add(index: number, by: number): void {
    if (by !== 0) this.set(index, this.at(index) + by);
  }

  set(index: number, value: number): void {
    if (index >= this.counts.length) {
      if (value === 0) return;
      this.counts = grown(this.counts, index + 1);
    }
    this.counts[index] = value;
  }
}
