/** Part of a commit's usual duration that a turn waits at most for company. */
const PART = 0.5;
/** Longest wait, in milliseconds: what is longer gains nothing on any disk worth it. */
const MAX_MS = 0.5;
/** Weight of the newest commit. */
const NEWEST_WEIGHT = 0.2;

/**
 * Whether a commit waits a moment for results that are about to come: one commit then carries what two would, and the
 * nodes that depend on both start earlier. As PostgreSQL's commit_delay with commit_siblings, but by what is measured.
 */
export class Pacing {
  private commitMs = 0;
  private sinceMs = 0;

  /** A commit has taken so long. */
  note(durationMs: number): void {
    this.sinceMs = 0;
    this.commitMs += NEWEST_WEIGHT * (durationMs - this.commitMs);
  }

  /**
   * Whether the open turn is to wait; asked again as often as the event loop turns.
   * @param isCompanyDue results of short attempts are about to come
   */
  holds(isCompanyDue: boolean, nowMs: number): boolean {
    if (!isCompanyDue) return false;
    if (this.sinceMs === 0) this.sinceMs = nowMs;
    return nowMs - this.sinceMs < Math.min(MAX_MS, PART * this.commitMs);
  }
}
