import type { Clock } from '../base/clock.js';
import { LEAF } from '../engine/columns.js';
import type { Meter } from '../observe/meter.js';
import type { RuntimeMetrics } from '../observe/metrics.js';
import type { Pool } from '../pool/index.js';
import type { ExecutionStore } from '../store/types.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { Residents } from './residents.js';
import { StoredCounts } from './stored-counts.js';

interface MetricsSources {
  readonly meter: Meter;
  readonly store: ExecutionStore;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly residents: Residents;
}

/** Reads a runtime's numbers where they are. Costs what is in memory, not what is stored. */
export class Metrics {
  private readonly counts: StoredCounts;

  constructor(private readonly sources: MetricsSources) {
    this.counts = new StoredCounts(sources.store, sources.clock);
  }

  async read(): Promise<RuntimeMetrics> {
    const { meter, pool, supervisor, residents } = this.sources;
    const stored = await this.counts.read();
    let readyNodes = 0;
    for (const { engine } of supervisor.active.values())
      readyNodes += engine.state.columns.counts[LEAF.ready];
    return {
      ...meter.totals(),
      stored,
      now: {
        activeExecutions: supervisor.active.size,
        waitingExecutions: residents.waiting,
        readyNodes,
        commitUnderWayMs: meter.commitUnderWayMs,
      },
      workers: pool.status(),
      queues: supervisor.queues.states(),
      storeSpace: this.storeSpace(),
    };
  }

  /** Numbers are told also of a store that cannot be read: health says that it cannot. */
  private storeSpace(): RuntimeMetrics['storeSpace'] {
    try {
      return this.sources.store.space();
    } catch {
      return null;
    }
  }
}
