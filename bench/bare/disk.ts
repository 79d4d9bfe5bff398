import { closeSync, constants, openSync, write, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';

const LOG_BYTES = 2 ** 20;
/** How long what is in the log may be missing in the store. */
const APPLY_AFTER_MS = 20;

export interface BareRow {
  readonly key: string;
  readonly value: Buffer;
}

/** A log that is written through, before an LMDB store that gets what is in it a little later. */
export class Disk {
  readonly #db: RootDatabase<Buffer, string>;
  readonly #log: number;
  #at = 0;
  #fresh: BareRow[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#db = open<Buffer, string>(join(folder, 'store'), {
      compression: false,
      overlappingSync: false,
      encoding: 'binary',
    });
    const path = join(folder, 'log');
    writeFileSync(path, Buffer.alloc(LOG_BYTES), { flush: true });
    this.#log = openSync(path, constants.O_RDWR | constants.O_DSYNC);
  }

  /** Settles when it is on disk: in the log, in parts that have room in it. */
  async log(bytes: Buffer, rows: readonly BareRow[]): Promise<void> {
    for (let from = 0; from < bytes.length; from += LOG_BYTES)
      await this.#write(bytes.subarray(from, from + LOG_BYTES));
    for (const row of rows) this.#fresh.push(row);
    this.#timer ??= setTimeout(() => void this.put([]), APPLY_AFTER_MS);
  }

  /** Settles when it is in the store, with all that is in the log. */
  async put(rows: readonly BareRow[], gone: readonly string[] = []): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#fresh, ...rows];
    this.#fresh = [];
    await this.#db.batch(() => {
      for (const { key, value } of all) void this.#db.put(key, value);
      for (const key of gone) void this.#db.remove(key);
    });
  }

  async close(): Promise<void> {
    await this.put([]);
    closeSync(this.#log);
    await this.#db.close();
  }

  #write(bytes: Buffer): Promise<void> {
    if (this.#at + bytes.length > LOG_BYTES) this.#at = 0;
    const at = this.#at;
    this.#at += bytes.length;
    return new Promise((resolve, reject) => {
      write(this.#log, bytes, 0, bytes.length, at, (error) => (error === null ? resolve() : reject(error)));
    });
  }
}
