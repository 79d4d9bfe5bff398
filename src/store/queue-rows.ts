import { sealJson } from './envelope.js';
import { QUEUES, queueKey } from './keys.js';
import type { Kv } from './kv.js';
import { readRows } from './read-rows.js';

/** How large a queue is, as it was set for all processes of a store. */
export interface QueueRow {
  readonly queue: string;
  /** Slots; null: no limit. */
  readonly size: number | null;
  /** Like `10/s`; null: no limit. */
  readonly rate: string | null;
  readonly setAtMs: number;
}

/** What has been set about queues. */
export class QueueRows {
  constructor(private readonly kv: Kv) {}

  /** One that is damaged is as if it had not been set. */
  async all(): Promise<QueueRow[]> {
    const rows = await readRows<QueueRow>(this.kv, QUEUES);
    return rows.flatMap(({ row }) => row ?? []);
  }

  set(row: QueueRow): Promise<void> {
    const key = queueKey(row.queue);
    return this.kv.commit([{ op: 'put', key, value: sealJson(key, row) }]);
  }

  /** @returns whether there was one */
  async unset(queue: string): Promise<boolean> {
    const key = queueKey(queue);
    if ((await this.kv.get(key)) === undefined) return false;
    await this.kv.commit([{ op: 'del', key }]);
    return true;
  }
}
