import { closedError, conflict, copyOf, guardHolds, takeGuards, takeOps } from './key-rules.js';
import type { Kv, KvEntry, KvGuard, KvOp, KvRange } from './kv.js';
import { scanPages, type Page } from './paging.js';
import { SortedKeys } from './sorted-keys.js';

/**
 * A Kv that lives as long as its process. Commits apply and resolve in a later microtask, in the order of the
 * calls, so that code which wrongly relies on synchronous writes fails here as it would on a disk.
 */
export class MemoryKv implements Kv {
  private readonly values = new Map<string, Uint8Array>();
  private readonly order = new SortedKeys();
  private closed = false;

  async get(key: string): Promise<Uint8Array | undefined> {
    this.assertOpen();
    const value = this.values.get(key);
    return value && copyOf(value);
  }

  scan(range: KvRange): AsyncIterable<KvEntry> {
    const entryOf = (key: string): KvEntry => ({ key, value: copyOf(this.values.get(key)!) });
    return scanPages(
      range,
      (entry) => entry.key,
      (start, end, limit, reverse) => {
        const { items, isLast } = this.page(start, end, limit, reverse);
        return { items: items.map(entryOf), isLast };
      },
    );
  }

  keys(range: KvRange): AsyncIterable<string> {
    return scanPages(
      range,
      (key) => key,
      (start, end, limit, reverse) => this.page(start, end, limit, reverse),
    );
  }

  async commit(ops: readonly KvOp[], guards: readonly KvGuard[] = []): Promise<void> {
    this.assertOpen();
    const taken = takeOps(ops);
    const demands = takeGuards(guards);
    await Promise.resolve();
    for (const guard of demands) if (!guardHolds(guard, this.values.get(guard.key))) throw conflict(guard);
    for (const op of taken) this.apply(op);
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.resolve();
  }

  private apply(op: KvOp): void {
    if (op.op === 'put') {
      if (!this.values.has(op.key)) this.order.add(op.key);
      this.values.set(op.key, op.value);
    } else if (this.values.delete(op.key)) this.order.remove(op.key);
  }

  private page(start: string, end: string, limit: number, reverse: boolean): Page<string> {
    this.assertOpen();
    const items = this.order.slice(start, end, limit, reverse);
    return { items, isLast: items.length < limit };
  }

  private assertOpen(): void {
    if (this.closed) throw closedError();
  }
}
