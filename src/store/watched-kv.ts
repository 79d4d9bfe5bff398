import { isMaestroError, type MaestroError } from '../base/errors.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange, Visible } from './kv.js';

/** A Kv that says so when it fails: after a failed commit it takes no more until it is opened again. */
export class WatchedKv implements Kv {
  readonly space: Kv['space'];
  readonly absorb: Kv['absorb'];
  readonly settled: Kv['settled'];

  constructor(
    private readonly kv: Kv,
    private readonly failed: (error: MaestroError) => void,
  ) {
    this.space = kv.space?.bind(kv);
    this.absorb = kv.absorb?.bind(kv);
    this.settled = kv.settled?.bind(kv);
    kv.onFailure?.(failed);
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.kv.get(key);
  }

  scan(range: KvRange): AsyncIterable<KvEntry> {
    return this.kv.scan(range);
  }

  keys(range: KvRange): AsyncIterable<string> {
    return this.kv.keys(range);
  }

  async commit(ops: readonly KvOp[], guards?: readonly KvGuard[], visible?: Visible): Promise<void> {
    try {
      await this.kv.commit(ops, guards, visible);
    } catch (error) {
      if (isMaestroError(error, 'STORE_COMMIT')) this.failed(error);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.kv.close();
  }
}
