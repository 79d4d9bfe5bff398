import { atMost, type Clock } from '../base/clock.js';
import type { WorkflowStatus } from '../base/model.js';
import type { ExecutionStore } from '../store/types.js';

type Counts = Readonly<Record<WorkflowStatus, number>>;

/** Counts are read again when they are older than this … */
const FRESH_MS = 1000;
/** … and than so many times what the last reading took: however many are stored, counting takes 2 % of the time. */
const REST_FACTOR = 50;
/** How long one who asks waits for a new reading when there is an older one. */
const PATIENCE_MS = 200;

/**
 * How many executions are stored, for those who ask often. Counting walks an index of all of them: it is done at most
 * so often that its share of the time is bounded, and who asks meanwhile, or has waited enough, gets the last counts.
 */
export class StoredCounts {
  /** null before the first reading, or when it failed: the store cannot be read. */
  private last: Counts | null = null;
  private counting: Promise<void> | undefined;
  private dueAtMs = -Infinity;

  constructor(
    private readonly store: Pick<ExecutionStore, 'countByStatus'>,
    private readonly clock: Clock,
  ) {}

  async read(): Promise<Counts | null> {
    if (this.counting === undefined && this.clock.nowMs() >= this.dueAtMs) this.counting = this.count();
    if (this.counting !== undefined) {
      if (this.last === null) await this.counting;
      else await atMost(this.clock, PATIENCE_MS, this.counting);
    }
    return this.last;
  }

  private async count(): Promise<void> {
    const beganMs = this.clock.nowMs();
    this.last = await this.store.countByStatus().catch(() => this.last);
    const endedMs = this.clock.nowMs();
    this.dueAtMs = endedMs + Math.max(FRESH_MS, REST_FACTOR * (endedMs - beganMs));
    this.counting = undefined;
  }
}
