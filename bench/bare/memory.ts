import type { Waiting } from './crew.js';
import type { BareRow, Disk } from './disk.js';
import type { BareResults } from './protocol.js';
import { batchOf, runBatch } from './steps.js';

/** The thread of the loop itself, which runs what it is given in its next turn. */
export class OwnThread {
  constructor(
    private readonly config: string,
    private readonly told: (results: BareResults) => void,
  ) {}

  run(steps: readonly Waiting[]): void {
    setImmediate(() => this.told(runBatch(batchOf(this.config, steps))));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A store in memory: it has what it is given at once. */
export class NoDisk implements Pick<Disk, 'log' | 'put' | 'close'> {
  readonly #rows = new Map<string, Buffer>();

  log(_bytes: Buffer, rows: readonly BareRow[]): Promise<void> {
    return this.put(rows);
  }

  put(rows: readonly BareRow[], gone: readonly string[] = []): Promise<void> {
    for (const { key, value } of rows) this.#rows.set(key, value);
    for (const key of gone) this.#rows.delete(key);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
