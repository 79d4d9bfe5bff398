import { join } from 'node:path';
import { openDatabase, WriteThroughFile } from '../durable.js';

const LOG_BYTES = 2 ** 20;
/** No write touches a block in which an earlier commit lies. */
const BLOCK_BYTES = 4096;
/** How long what is in the log may be missing in the store. */
const APPLY_AFTER_MS = 20;

export interface BareRow {
  readonly key: string;
  readonly value: Buffer;
}

/** A log that is written through, before an LMDB store that gets what is in it a little later. */
export class Disk {
  readonly #db: ReturnType<typeof openDatabase>;
  readonly #log: WriteThroughFile;
  #at = 0;
  /** What is in the log and not in the store. */
  #fresh: BareRow[] = [];
  /** The last commit to the store; it settles after all before it. */
  #putting: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#db = openDatabase(join(folder, 'store'));
    this.#log = new WriteThroughFile(join(folder, 'log'), LOG_BYTES);
  }

  /** Settles when these bytes, which say the same as the rows, are in the log; or the rows in the store, where there are too many. */
  async log(bytes: Buffer, rows: readonly BareRow[]): Promise<void> {
    const length = Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
    if (length > LOG_BYTES) return this.put(rows);
    if (this.#at + length > LOG_BYTES) {
      // What is written over has to be elsewhere.
      await this.put([]);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += length;
    await this.#log.write(bytes, at);
    for (const row of rows) this.#fresh.push(row);
    this.#timer ??= setTimeout(() => void this.put([]), APPLY_AFTER_MS);
  }

  /** Settles when it is in the store, with all that is in the log. */
  async put(rows: readonly BareRow[], gone: readonly string[] = []): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#fresh, ...rows];
    this.#fresh = [];
    if (all.length > 0)
      this.#putting = this.#db.batch(() => {
        for (const { key, value } of all) void this.#db.put(key, value);
        for (const key of gone) void this.#db.remove(key);
      });
    await this.#putting;
  }

  async close(): Promise<void> {
    await this.put([]);
    this.#log.close();
    await this.#db.close();
  }
}
