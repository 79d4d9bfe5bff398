/** What the estimate needs. Weights are expected seconds of nodes, or 1 for each. */
export interface EtaInput {
  /** Since this process began to watch. */
  readonly elapsedSeconds: number;
  /** Weight done since then. */
  readonly doneWeight: number;
  readonly remainingWeight: number;
}

/** Earlier than this, the rate says nothing. */
const MIN_ELAPSED_SECONDS = 1;
const MIN_DONE_SHARE = 0.02;

/**
 * Seconds left if work goes on at the mean rate so far: elapsed × remaining / done. With nodes weighted by 1 this is
 * the mean duration of a node times the nodes left, over the mean parallelism. Undefined while too little is known.
 */
export function estimateSecondsLeft({
  elapsedSeconds,
  doneWeight,
  remainingWeight,
}: EtaInput): number | undefined {
  if (remainingWeight <= 0) return 0;
  const share = doneWeight / (doneWeight + remainingWeight);
  if (elapsedSeconds < MIN_ELAPSED_SECONDS || !(share >= MIN_DONE_SHARE)) return undefined;
  return (elapsedSeconds * remainingWeight) / doneWeight;
}
