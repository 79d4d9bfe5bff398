/** A histogram as it was at one moment. Plain data: it crosses threads and becomes JSON. */
export interface HistogramSnapshot {
  /** Upper ends of the buckets, inclusive, rising; one more bucket follows, for what is larger. */
  readonly bounds: readonly number[];
  /** How many values fell into each bucket: one more than there are bounds. Not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** Counts values by size, in buckets fixed at the start: recording one allocates nothing. */
export class Histogram {
  private readonly counts: Float64Array;
  private sum = 0;
  private count = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
    this.count++;
  }

  snapshot(): HistogramSnapshot {
    const { bounds, counts, sum, count } = this;
    return { bounds, counts: [...counts], sum, count };
  }
}
