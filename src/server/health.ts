import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { toErrorDocument, type Runtime } from '../runtime/index.js';

/** What `/health` answers. */
export interface HealthDocument {
  status: 'healthy' | 'degraded';
  /** What is wrong, for people; empty when all is well. */
  reasons: string[];
  uptime_seconds: number;
}

const CACHED_MS = 1000;
const PROBE_TIMEOUT_MS = 2000;
const MAX_DELAY_MS = 250;
const MIN_FREE_BYTES = 256 * 2 ** 20;
const RESOLUTION_MS = 20;

/** Looks at store, event loop and disk, once a second at most: being asked often costs nothing. */
export class HealthMonitor {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly startedAtMs = performance.now();
  private checkedAtMs = -Infinity;
  private reasons: Promise<string[]> = Promise.resolve([]);

  constructor(
    private readonly runtime: Runtime,
    private readonly storePath: string | undefined,
  ) {
    this.delay.enable();
  }

  async document(): Promise<HealthDocument> {
    const nowMs = performance.now();
    if (nowMs - this.checkedAtMs >= CACHED_MS) {
      this.checkedAtMs = nowMs;
      this.reasons = this.check();
    }
    const reasons = await this.reasons;
    return {
      status: reasons.length === 0 ? 'healthy' : 'degraded',
      reasons,
      uptime_seconds: Math.floor((nowMs - this.startedAtMs) / 1000),
    };
  }

  stop(): void {
    this.delay.disable();
  }

  private async check(): Promise<string[]> {
    const found = await Promise.all([this.storeReason(), this.diskReason()]);
    return [...found, this.loopReason()].filter((reason) => reason !== undefined);
  }

  private async storeReason(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, PROBE_TIMEOUT_MS, `store: no answer within ${PROBE_TIMEOUT_MS} ms`);
      timer.unref();
    });
    try {
      const read = this.runtime.list({ limit: 1 }).then(() => this.runtime.failure?.message);
      return await Promise.race([read, late]);
    } catch (error) {
      return `store: ${toErrorDocument(error).message}`;
    } finally {
      clearTimeout(timer);
    }
  }

  private async diskReason(): Promise<string | undefined> {
    if (this.storePath === undefined) return undefined;
    try {
      const { bavail, bsize } = await statfs(this.storePath);
      const freeBytes = bavail * bsize;
      return freeBytes < MIN_FREE_BYTES ? `disk: ${Math.floor(freeBytes / 2 ** 20)} MiB free` : undefined;
    } catch (error) {
      return `disk: ${toErrorDocument(error).message}`;
    }
  }

  /** The 99th percentile since the last look, in milliseconds over the timer's own resolution. */
  private loopReason(): string | undefined {
    const delayMs = this.delay.percentile(99) / 1e6 - RESOLUTION_MS;
    this.delay.reset();
    return delayMs > MAX_DELAY_MS ? `event loop: ${Math.round(delayMs)} ms late` : undefined;
  }
}
