import type { MaestroError } from '../base/errors.js';

/**
 * The storage port: an ordered map from text keys to bytes with atomic, durable batches. Keys compare by their
 * UTF-8 bytes, are 1 to 1,000 bytes long and hold printable ASCII only. Everything above this line (records,
 * indexes, journals, leases) is the same for every adapter; an adapter is only this.
 */
export type KvOp =
  | { readonly op: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly op: 'del'; readonly key: string };

/** The batch commits only if the value at `key` is byte-equal to `value` (null: only if there is none). */
export interface KvGuard {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface KvRange {
  /** Inclusive. */
  readonly start: string;
  /** Exclusive. */
  readonly end: string;
  readonly limit?: number;
  /** true: from the last key before `end` down to `start`. */
  readonly reverse?: boolean;
}

export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * When a commit is seen by other handles of the store: `now`, once it is acknowledged; `soon`: some milliseconds later, which
 * is for rows that nobody but their owner writes, and demands one guard, that the owner is not fenced. It is as durable as
 * any. Commits to be seen soon keep their order among all that demand the same; others may overtake them.
 */
export type Visible = 'now' | 'soon';

export interface Kv {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Entries of a range in key order. A scan sees each key at most once; it is no snapshot. */
  scan(range: KvRange): AsyncIterable<KvEntry>;
  /** Keys only, without reading values. */
  keys(range: KvRange): AsyncIterable<string>;
  /**
   * Applies all ops or none; resolves when they are on disk. Commits apply in the order of the calls, and none is
   * applied after an earlier one has failed. The arrays may be reused at once; the ops and their values are handed over,
   * and must not be changed any more.
   * @throws MaestroError STORE_CONFLICT when a guard does not hold, STORE_COMMIT when writing failed.
   */
  commit(ops: readonly KvOp[], guards?: readonly KvGuard[], visible?: Visible): Promise<void>;
  /**
   * What an owner that was taken for dead has committed to be visible `soon` is visible when this resolves, and nothing more
   * of it comes. Only stores that know `soon` have it. @throws STORE_CORRUPT, RECORD_CORRUPT, STORE_COMMIT
   */
  absorb?(owner: string): Promise<void>;
  /**
   * Settles when whatever an owner has been told is committed can be seen here, also what is to be seen `soon`; or after a
   * second, if that owner hangs.
   */
  settled?(owner: string): Promise<void>;
  /**
   * Has it told when a commit fails that nobody awaits; nothing is written after that, as after any. Only stores that commit by
   * themselves have it: those that know `soon`.
   */
  onFailure?(failed: (error: MaestroError) => void): void;
  /**
   * Copies the store, as it is at one moment and without its free space, into an empty folder; writers go on. Only
   * stores in files have it. @throws STORE_UNAVAILABLE
   */
  copyTo?(folder: string): Promise<void>;
  /** Bytes of the file, and how many of them hold data; only stores in files have it. */
  space?(): { fileBytes: number; usedBytes: number };
  /** Waits for commits under way, then releases the store. Idempotent. */
  close(): Promise<void>;
}
