import type { Runtime } from '../runtime/index.js';
import { EXIT } from './error-report.js';
import type { Terminal } from './terminal.js';

/** How long ending at once may take: commands and threads are ended by force, and the store is left in order. */
const AT_ONCE_MS = 1500;

/**
 * What signals ask of a service: the first to stop, the second to stop at once, a third is not waited for at all. Heard from
 * before anything runs: what a dead process has left goes on, and schedules start things, before the service listens.
 */
export class StopSignal {
  /** The second signal came: what ran was ended by force. */
  hurried = false;
  /** Resolves at the first signal. */
  readonly told: Promise<void>;
  private runtime: Runtime | null = null;

  /** One handler for all: between two of them a signal would find none. */
  constructor(terminal: Terminal) {
    let signals = 0;
    this.told = new Promise((resolve) => {
      terminal.onInterrupt(() => {
        signals++;
        if (signals === 1) return resolve();
        if (signals > 2 || this.runtime === null) return terminal.exitNow(EXIT.interrupted);
        this.hurried = true;
        setTimeout(() => terminal.exitNow(EXIT.interrupted), AT_ONCE_MS);
        void this.runtime.close({ drainMs: 0, graceMs: 0 }).finally(() => terminal.exitNow(EXIT.interrupted));
      });
    });
  }

  /** What a second signal ends by force. */
  isAbout(runtime: Runtime): void {
    this.runtime = runtime;
  }
}
