/*
 * Whether a figure grows with time. The slope is the median of the slopes between all pairs of samples (Theil and Sen), so
 * single outliers do not move it; `low` is the lower end of its 95 % interval (Kendall's variance of the pairs).
 */

/** @param points `[time, value]`, at least two of different times */
export function slopeOf(points) {
  const slopes = points
    .flatMap(([t, v], i) => points.slice(i + 1).map(([t2, v2]) => (v2 - v) / (t2 - t)))
    .sort((a, b) => a - b);
  const count = points.length;
  const deviation = Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18);
  const low = Math.max(0, Math.floor((slopes.length - 1.96 * deviation) / 2));
  return { slope: slopes[Math.floor(slopes.length / 2)], low: slopes[low] };
}

/**
 * What a figure grows by over the second half of its samples, at least; and whether that is more than it may: `floor`, or
 * 5 % of its median there.
 */
export function growthOf(points, floor) {
  const late = points.slice(Math.floor(points.length / 2));
  const span = late.at(-1)[0] - late[0][0];
  const { slope, low } = slopeOf(late);
  const median = late.map(([, value]) => value).sort((a, b) => a - b)[Math.floor(late.length / 2)];
  return {
    median,
    grows: slope * span,
    at_least: low * span,
    isFlat: low * span <= Math.max(floor, 0.05 * median),
  };
}
