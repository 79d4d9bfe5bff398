/** How many restarts are tolerated within which time. */
export interface RestartIntensity {
  readonly maxRestarts: number;
  readonly withinMs: number;
}

/** The restarts that still count, newest first, as epoch milliseconds. */
export type RestartWindow = readonly number[];

/** How many restarts still count at `nowMs`. */
export function recentRestarts(window: RestartWindow, nowMs: number, { withinMs }: RestartIntensity): number {
  return window.filter((atMs) => nowMs - atMs <= withinMs).length;
}

/**
 * Counts one restart at `nowMs`. `exceeded` is true when more than `maxRestarts` fall within `withinMs`, ends
 * included: time to give up rather than restart for ever. Source: `add_restart` in OTP's supervisor.erl.
 */
export function addRestart(
  window: RestartWindow,
  nowMs: number,
  { maxRestarts, withinMs }: RestartIntensity,
): { window: RestartWindow; exceeded: boolean } {
  const recent = [nowMs, ...window.filter((atMs) => nowMs - atMs <= withinMs)];
  // One more than tolerated says all there is to say, so the window is bounded.
  return { window: recent.slice(0, maxRestarts + 1), exceeded: recent.length > maxRestarts };
}
