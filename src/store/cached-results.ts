import { batches } from '../base/batches.js';
import { sealJson, unsealJson } from './envelope.js';
import { cachedKey, CACHED, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';

/** What a step gave once, kept for as long as it was asked to be. */
export interface CachedResult {
  /** JSON text. A copy, so that nothing depends on the execution it comes from. */
  readonly output: string;
  readonly expiresAtMs: number;
  readonly executionId: string;
  readonly nodeId: string;
  /** Absent where an earlier release kept it. */
  readonly workflowId?: string;
  /** Absent where an earlier release kept it. */
  readonly keptAtMs?: number;
}

/** A row of the cache. */
export interface CachedRow {
  readonly hash: string;
  /** Of key and value. */
  readonly sizeBytes: number;
  /** undefined: it is damaged. */
  readonly result: CachedResult | undefined;
}

const BATCH = 500;

/** Results of steps by what they were made from, for all executions of a store. */
export class CachedResults {
  constructor(private readonly kv: Kv) {}

  /** undefined: there is none, it is too old, or it cannot be read any more. */
  async get(hash: string, nowMs: number): Promise<CachedResult | undefined> {
    const key = cachedKey(hash);
    const bytes = await this.kv.get(key);
    const result = bytes && decode(key, bytes);
    return isTooOld({ result }, nowMs) ? undefined : result;
  }

  put(hash: string, result: CachedResult): KvOp {
    const key = cachedKey(hash);
    return { op: 'put', key, value: sealJson(key, result) };
  }

  /** Every row whose hash begins so, also what is too old or damaged. O(rows) */
  async *rows(hashPrefix = ''): AsyncGenerator<CachedRow> {
    for await (const { key, value } of this.kv.scan(under(CACHED))) {
      const hash = key.slice(CACHED.length);
      if (hash.startsWith(hashPrefix))
        yield { hash, sizeBytes: key.length + value.length, result: decode(key, value) };
    }
  }

  /** Deletes rows, those that are gone already too. */
  remove(hashes: readonly string[]): Promise<void> {
    return this.kv.commit(hashes.map((hash): KvOp => ({ op: 'del', key: cachedKey(hash) })));
  }

  /** Removes what is too old or damaged. O(rows) @returns how many went, or would */
  async removeExpired(nowMs: number, dryRun: boolean): Promise<number> {
    let removed = 0;
    for await (const batch of this.expired(nowMs)) {
      if (!dryRun) await this.remove(batch);
      removed += batch.length;
    }
    return removed;
  }

  /** Hashes of what is too old or damaged, in batches that may be removed as they come. O(rows) */
  expired(nowMs: number): AsyncGenerator<string[]> {
    return this.matching((row) => isTooOld(row, nowMs));
  }

  /** Hashes of the rows that fit, in batches that may be removed as they come. O(rows) */
  matching(fits: (row: CachedRow) => boolean, hashPrefix?: string): AsyncGenerator<string[]> {
    return batches(this.hashes(fits, hashPrefix), BATCH);
  }

  private async *hashes(fits: (row: CachedRow) => boolean, hashPrefix?: string): AsyncGenerator<string> {
    for await (const row of this.rows(hashPrefix)) if (fits(row)) yield row.hash;
  }
}

/** Whether it is not taken any more; what is damaged never is. */
export function isTooOld({ result }: Pick<CachedRow, 'result'>, nowMs: number): boolean {
  return result === undefined || result.expiresAtMs <= nowMs;
}

function decode(key: string, bytes: Uint8Array): CachedResult | undefined {
  try {
    return unsealJson(key, bytes) as CachedResult;
  } catch {
    return undefined;
  }
}
