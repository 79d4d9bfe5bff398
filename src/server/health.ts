import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { MANY_EXECUTIONS, toErrorDocument, type Runtime, type WorkersStatus } from '../runtime/index.js';

/** What `/health` answers. */
export interface HealthDocument {
  status: 'healthy' | 'degraded';
  /** What is wrong, for people; empty when all is well. */
  reasons: string[];
  /** What should be seen to before it is wrong. */
  warnings: string[];
  uptime_seconds: number;
}

/** From where on something is a reason. */
export interface HealthLimits {
  /** Bytes that must be free on the store's disk. Default 256 MiB. */
  readonly minFreeBytes?: number;
  /** How late the event loop may be, in milliseconds: 99th percentile of the last seconds. Default 250. */
  readonly maxDelayMs?: number;
}

export const HEALTH_CHECKS = ['store', 'pool', 'event_loop', 'disk'] as const;
export type HealthCheck = (typeof HEALTH_CHECKS)[number];

const CACHED_MS = 1000;
const PROBE_TIMEOUT_MS = 2000;
const RESOLUTION_MS = 20;
/** Delays are looked at in windows of this length: the one that goes on, and the one before it. */
const WINDOW_MS = 5000;
/** Deaths of workers that are worth a word: this part of those that are tolerated. */
const NEAR = 0.8;

interface Findings {
  /** The reason of each check; undefined: it is well. */
  readonly checks: Readonly<Record<HealthCheck, string | undefined>>;
  readonly warnings: readonly string[];
}

/** Looks at store, pool, event loop and disk, once a second at most: being asked often costs nothing. */
export class HealthMonitor {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private delayBeforeMs = 0;
  private window: NodeJS.Timeout | undefined;
  private readonly startedAtMs = performance.now();
  private checkedAtMs = -Infinity;
  private findings!: Promise<Findings>;

  constructor(
    private readonly runtime: Runtime,
    private readonly storePath: string | undefined,
    private readonly limits: HealthLimits = {},
  ) {}

  /** Begins to look at the event loop. Starting up, when modules are loaded, says nothing about the service. */
  watchLoop(): void {
    this.delay.enable();
    this.window = setInterval(() => {
      this.delayBeforeMs = this.windowDelayMs();
      this.delay.reset();
    }, WINDOW_MS).unref();
  }

  async document(): Promise<HealthDocument> {
    const { checks, warnings } = await this.look();
    const reasons = HEALTH_CHECKS.map((check) => checks[check]).filter((reason) => reason !== undefined);
    return {
      status: reasons.length === 0 ? 'healthy' : 'degraded',
      reasons,
      warnings: [...warnings],
      uptime_seconds: Math.floor((performance.now() - this.startedAtMs) / 1000),
    };
  }

  async checks(): Promise<Findings['checks']> {
    return (await this.look()).checks;
  }

  stop(): void {
    clearInterval(this.window);
    this.delay.disable();
  }

  private look(): Promise<Findings> {
    const nowMs = performance.now();
    if (nowMs - this.checkedAtMs >= CACHED_MS) {
      this.checkedAtMs = nowMs;
      this.findings = this.check();
    }
    return this.findings;
  }

  private async check(): Promise<Findings> {
    const event_loop = this.loopReason();
    const [store, disk, { pool, warnings }] = await Promise.all([
      this.storeReason(),
      this.diskReason(),
      this.poolFindings(),
    ]);
    return { checks: { store, pool, event_loop, disk }, warnings };
  }

  private async storeReason(): Promise<string | undefined> {
    const { failure } = this.runtime;
    // A pool that stopped is the pool's reason.
    if (failure !== undefined && failure.code !== 'POOL_STOPPED') return `store: ${failure.message}`;
    try {
      const late = `store: no answer within ${PROBE_TIMEOUT_MS} ms`;
      const read = this.runtime.list({ limit: 1 }).then(() => this.runtime.metrics());
      const metrics = await inTime(read, late);
      if (typeof metrics === 'string') return metrics;
      const { commitUnderWayMs } = metrics.now;
      if (commitUnderWayMs === null || commitUnderWayMs < PROBE_TIMEOUT_MS) return undefined;
      return `store: a commit has taken ${Math.floor(commitUnderWayMs / 1000)} s so far`;
    } catch (error) {
      return `store: ${toErrorDocument(error).message}`;
    }
  }

  private async poolFindings(): Promise<{ pool: string | undefined; warnings: string[] }> {
    const { failure } = this.runtime;
    if (failure?.code === 'POOL_STOPPED') return { pool: `pool: ${failure.message}`, warnings: [] };
    try {
      const metrics = await inTime(this.runtime.metrics(), undefined);
      if (metrics === undefined) return { pool: undefined, warnings: [] };
      const stored = Object.values(metrics.stored ?? {}).reduce((sum, n) => sum + n, 0);
      const crowded =
        stored > MANY_EXECUTIONS
          ? [`${stored} executions are stored: delete old ones, or serve with --retention`]
          : [];
      return {
        pool: metrics.workers.map(workersReason).find((reason) => reason !== undefined),
        warnings: crowded,
      };
    } catch (error) {
      return { pool: `pool: ${toErrorDocument(error).message}`, warnings: [] };
    }
  }

  private async diskReason(): Promise<string | undefined> {
    if (this.storePath === undefined) return undefined;
    try {
      const { bavail, bsize } = await statfs(this.storePath);
      const freeBytes = bavail * bsize;
      const { minFreeBytes = 256 * 2 ** 20 } = this.limits;
      return freeBytes < minFreeBytes ? `disk: ${Math.floor(freeBytes / 2 ** 20)} MiB free` : undefined;
    } catch (error) {
      return `disk: ${toErrorDocument(error).message}`;
    }
  }

  private loopReason(): string | undefined {
    const delayMs = Math.max(this.delayBeforeMs, this.windowDelayMs());
    const { maxDelayMs = 250 } = this.limits;
    return delayMs > maxDelayMs ? `event loop: ${Math.round(delayMs)} ms late` : undefined;
  }

  /** The 99th percentile of this window, in milliseconds over the timer's own resolution. */
  private windowDelayMs(): number {
    return this.delay.percentile(99) / 1e6 - RESOLUTION_MS;
  }
}

function workersReason(workers: WorkersStatus): string | undefined {
  const { worker, attempts, alive, recentDeaths, toleratedDeaths, stopped } = workers;
  if (stopped) return `pool: ${worker} workers kept dying: none is started any more`;
  if (recentDeaths === 0) return undefined;
  if (recentDeaths >= NEAR * toleratedDeaths)
    return `pool: ${recentDeaths} ${worker} workers died lately; more than ${toleratedDeaths} stop the pool`;
  if (attempts > 0 && alive === 0) return `pool: every ${worker} worker is dead`;
  return undefined;
}

/** Settles as `work` does, or with `late` when that takes too long. */
async function inTime<T, L>(work: Promise<T>, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<L>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIMEOUT_MS, late);
    timer.unref();
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}
