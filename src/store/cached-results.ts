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
    return result === undefined || result.expiresAtMs <= nowMs ? undefined : result;
  }

  put(hash: string, result: CachedResult): KvOp {
    const key = cachedKey(hash);
    return { op: 'put', key, value: sealJson(key, result) };
  }

  /** Removes what is too old or damaged. O(results) @returns how many went, or would */
  async removeExpired(nowMs: number, dryRun: boolean): Promise<number> {
    const keys: string[] = [];
    for await (const { key, value } of this.kv.scan(under(CACHED))) {
      const result = decode(key, value);
      if (result === undefined || result.expiresAtMs <= nowMs) keys.push(key);
    }
    for (let at = 0; !dryRun && at < keys.length; at += BATCH)
      await this.kv.commit(keys.slice(at, at + BATCH).map((key): KvOp => ({ op: 'del', key })));
    return keys.length;
  }
}

function decode(key: string, bytes: Uint8Array): CachedResult | undefined {
  try {
    return unsealJson(key, bytes) as CachedResult;
  } catch {
    return undefined;
  }
}
