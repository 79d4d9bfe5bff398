/** How much work one message carries at most, in milliseconds: enough to make its cost small, and that of its answer. */
export const TARGET_MS = 2;
/** A job that takes longer travels alone, in milliseconds. */
const LONG_MS = 1;
/** Less work than this is never split over idle workers, in milliseconds. */
export const MIN_SHARE_MS = 0.05;
/** More than this is, whatever a message costs. */
const MAX_LEAST_SHARE_MS = 0.6;
/** How many times the cost of sending a message a share must be worth: it is also received and answered, and 3 was measured. */
const MESSAGE_TIMES = 3;
/** Less than this is not left for workers that are not idle yet: one that waits for the next message waits as long. */
const MIN_TAIL_MS = 0.3;
/** Most jobs in one message, however short they are. */
export const MAX_BATCH = 256;
/** Work that a worker is given ahead, in milliseconds. */
const AHEAD_MS = 4;
/** How long host and worker look out for each other where all else waits for them, in milliseconds. */
export const AWAKE_MS = 0.1;
/** What a job costs beside its own code (encoding, decoding, bookkeeping), in milliseconds. */
export const OVERHEAD_MS = 0.002;
/** Weight of the newest duration: a step that was slow once (cold code) is found to be short after a few runs. */
const NEWEST_WEIGHT = 0.3;
const MAX_KEYS = 10_000;

/** A job that must travel alone: long, unknown or exclusive. */
export const ALONE = Number.POSITIVE_INFINITY;

/** Durations learned per step: an exponentially weighted moving average of what workers measured. */
export class Durations {
  readonly #byKey = new Map<string, { ms: number }>();
  /** The last one that was asked for: neighbours are mostly of the same step. */
  #lastKey: string | undefined;
  #last: { ms: number } | undefined;

  record(key: string, durationMs: number): void {
    const known = this.#find(key);
    if (known !== undefined) known.ms += NEWEST_WEIGHT * (durationMs - known.ms);
    else {
      if (this.#byKey.size >= MAX_KEYS) this.#byKey.delete(this.#oldest());
      this.#byKey.set(key, { ms: durationMs });
      this.#lastKey = undefined;
    }
  }

  /** Milliseconds that a job of this step is expected to take, or ALONE when that is unknown or long. */
  cost(key: string): number {
    const known = this.#find(key);
    return known === undefined || known.ms > LONG_MS ? ALONE : known.ms + OVERHEAD_MS;
  }

  #find(key: string): { ms: number } | undefined {
    if (key === this.#lastKey) return this.#last;
    this.#lastKey = key;
    return (this.#last = this.#byKey.get(key));
  }

  #oldest(): string {
    for (const key of this.#byKey.keys()) return key;
    return '';
  }
}

/**
 * What it costs to send a message, in milliseconds: the moving average of what was measured. It is mostly the waking of the
 * thread, which took 75 to 100 µs on a virtual machine.
 */
export class MessageCost {
  #ms = 0;

  /** Sends one. */
  timed<T>(send: () => T): T {
    const beganMs = performance.now();
    const sent = send();
    this.note(performance.now() - beganMs);
    return sent;
  }

  note(ms: number): void {
    this.#ms += MESSAGE_WEIGHT * (Math.min(ms, MAX_LEAST_SHARE_MS) - this.#ms);
  }

  /** How much work a message must carry that others could do without, in milliseconds. */
  get leastShareMs(): number {
    return Math.min(MAX_LEAST_SHARE_MS, Math.max(MIN_SHARE_MS, MESSAGE_TIMES * this.#ms));
  }
}

/** Weight of the newest message: now and then one takes as long as the thread is not let run. */
const MESSAGE_WEIGHT = 0.05;

/**
 * How much work goes into the next message, in milliseconds: what is ready is shared between the workers that have not got
 * their part yet, so that all are through with it at the same time; or between fewer, where a part would not be worth
 * its message.
 * @param leastMs what a part must be worth
 * @param areSomeBusy some of them do not wait for a message yet
 */
export function shareMs(
  costAt: (index: number) => number,
  ready: number,
  { workers, leastMs, areSomeBusy }: { workers: number; leastMs: number; areSomeBusy: boolean },
): number {
  let sightMs = 0;
  for (let i = 0; i < ready && sightMs < TARGET_MS * workers; i++) sightMs += Math.min(costAt(i), TARGET_MS);
  const least = areSomeBusy ? Math.max(leastMs, MIN_TAIL_MS) : leastMs;
  const parts = Math.min(workers, Math.max(1, Math.floor(sightMs / least)));
  return Math.min(TARGET_MS, sightMs / parts);
}

/**
 * How many of the first `ready` jobs go into a message of so much work, rounded: a share must not leave one job behind. A job
 * that must travel alone does.
 */
export function batchLength(costAt: (index: number) => number, ready: number, shareMs: number): number {
  let length = 0;
  let sumMs = 0;
  while (length < Math.min(ready, MAX_BATCH)) {
    const costMs = costAt(length);
    if (length > 0 && sumMs + costMs / 2 > shareMs * DRIFT) break;
    length += 1;
    sumMs += costMs;
  }
  return length;
}

/** Sums of fractions drift. */
const DRIFT = 1 + 1e-9;

/** What a pool has in hand: jobs that travel alone, and the summed cost of the others in milliseconds. */
export interface Load {
  readonly alone: number;
  readonly shortMs: number;
}

/** The load as jobs come and go. */
export class RunningLoad implements Load {
  alone = 0;
  shortMs = 0;

  add(costMs: number): void {
    if (costMs === ALONE) this.alone++;
    else this.shortMs += costMs;
  }

  /** @param isLast nothing is in hand any more: sums of fractions drift, and an empty pool has no load */
  remove(costMs: number, isLast: boolean): void {
    if (costMs === ALONE) this.alone--;
    else this.shortMs -= costMs;
    if (isLast) this.shortMs = 0;
  }

  /** Whether all of it is over in a moment. */
  get isBrief(): boolean {
    return this.alone === 0 && this.shortMs <= AWAKE_MS;
  }

  /**
   * For how long each of so many workers has work, at least. How much is over of a long job that runs is not known; how
   * long one takes that waits is known to be long.
   */
  aheadMs(threads: number, free: number): number {
    const waiting = Math.max(0, this.alone - (threads - free));
    return (this.shortMs + waiting * LONG_MS) / threads;
  }
}

/**
 * How many more jobs of a step that costs `costMs` should be handed to `threads` workers. Of long or unknown jobs:
 * one running and one ahead per worker. Of short ones: AHEAD_MS per worker, less where long jobs are ahead of them.
 */
export function roomFor(costMs: number, load: Load, threads: number): number {
  const freeMs = threads * AHEAD_MS * 2 - load.alone * AHEAD_MS - load.shortMs;
  if (costMs === ALONE) return Math.max(0, Math.floor(freeMs / AHEAD_MS));
  return Math.max(0, Math.floor(Math.min(freeMs, threads * AHEAD_MS - load.shortMs) / costMs));
}

/** Whether all of these are over in a moment. */
export function isBrief(jobs: readonly { readonly costMs: number }[]): boolean {
  return jobs.reduce((sumMs, { costMs }) => sumMs + costMs, 0) <= AWAKE_MS;
}
