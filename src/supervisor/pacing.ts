import { Choice } from '../base/choice.js';

/** Longest wait for company, in milliseconds: what is longer gains nothing on any disk worth it. */
const MAX_COMPANY_MS = 0.5;
/** Workers that have work for so many times the duration of a commit do not need what it would let start. */
const AHEAD_TIMES = 1;
/** How long a turn waits at most while they have, in durations of a commit, and in milliseconds. */
const PLENTY_TIMES = 4;
const MAX_PLENTY_MS = 4;
/** Longest commit that is awaited without sleep, in milliseconds: beside a longer one it is little to be woken. */
const MAX_AWAKE_MS = 1;
/** Commits that follow each other so closely, in milliseconds, are likely to be waited for by what makes the next one. */
const CLOSE_MS = 1;
/** Weight of the newest commit. */
const NEWEST_WEIGHT = 0.2;
/** The same for what commits take at least, where it took longer. */
const LONGER_WEIGHT = 0.02;

/** What workers have in hand. */
interface InHand {
  /** In how many milliseconds the last result should be here that is about to come; 0: none is. */
  readonly dueMs: number;
  /** For how many milliseconds each worker has work. */
  readonly aheadMs: number;
}

/**
 * Whether a commit waits a moment. For results that are about to come: one commit then carries what two would, and the
 * nodes that depend on both start earlier, as PostgreSQL's commit_delay with commit_siblings, but by what is measured. That
 * pays off where they come within the time that a commit takes however little is in it: of the rest of its time the second of two
 * commits has a part only, and what comes during the first one is dealt with meanwhile. And
 * while workers have plenty of work: what it would let start could not start yet, and a commit takes time of the cores that
 * they run on.
 */
export class Pacing {
  private commitMs = 0;
  /** What a commit takes with little in it. */
  private leastMs = 0;
  private sinceMs = 0;
  private endedMs = -Infinity;
  /** Asleep or awake: on one machine it costs as much to be woken as to write, on another the disk answers later to who is awake. */
  private readonly choice = new Choice();
  /** How the commit under way is awaited, if that was chosen. */
  private way: 0 | 1 | null = null;

  /** A commit has taken so long, until now. */
  note(durationMs: number, nowMs: number): void {
    this.endedMs = nowMs;
    this.sinceMs = 0;
    if (this.way !== null) this.choice.note(this.way, durationMs);
    this.way = null;
    this.commitMs += NEWEST_WEIGHT * (durationMs - this.commitMs);
    const weight = durationMs < this.leastMs ? NEWEST_WEIGHT : LONGER_WEIGHT;
    this.leastMs += weight * (durationMs - this.leastMs);
  }

  /** Whether the open turn is to wait; asked again when something comes. */
  holds(inHand: InHand, nowMs: number): boolean {
    const mostMs = this.mostMs(inHand);
    if (mostMs === 0) return false;
    if (this.sinceMs === 0) this.sinceMs = nowMs;
    return nowMs - this.sinceMs < mostMs;
  }

  /** For how long to stay awake for the commit that begins now, while nothing else is to be done; 0: sleep. */
  awakeMs(nowMs: number): number {
    const mayMs = 2 * this.commitMs;
    if (mayMs > MAX_AWAKE_MS || nowMs - this.endedMs >= CLOSE_MS) return 0;
    this.way = this.choice.next();
    return this.way * mayMs;
  }

  private mostMs({ dueMs, aheadMs }: InHand): number {
    const { commitMs, leastMs } = this;
    if (aheadMs > AHEAD_TIMES * commitMs) return Math.min(MAX_PLENTY_MS, PLENTY_TIMES * commitMs);
    const mostMs = Math.min(MAX_COMPANY_MS, leastMs);
    // What takes longer than that comes with the next commit.
    return dueMs > 0 && dueMs <= mostMs ? mostMs : 0;
  }
}
