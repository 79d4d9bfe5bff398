import type { Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { isQueueName, limitsOf, type QueueLimits } from '../policy/queue.js';
import type { QueueRow } from '../store/queue-rows.js';
import type { ExecutionStore, OwnerRecord } from '../store/types.js';
import type { Ownership } from './ownership.js';
import type { QueueDocument, QueueLimit, QueueSettings } from './queue-types.js';

interface QueueSettingsHost {
  readonly store: ExecutionStore;
  readonly clock: Clock;
  readonly ownership: Pick<Ownership, 'self' | 'livingOthers'>;
  /** What is set, whenever that is not what it was. */
  readonly changed: (settings: ReadonlyMap<string, QueueLimits>) => void;
}

/** What is set about the queues of a store, as this process follows it. */
export class StoredQueues implements QueueSettings {
  private known = '[]';

  constructor(private readonly host: QueueSettingsHost) {}

  /** Looks whether something was set since. */
  async refresh(): Promise<void> {
    const rows = await this.host.store.queues.all();
    const text = JSON.stringify(rows);
    if (text === this.known) return;
    this.known = text;
    this.host.changed(new Map(rows.flatMap(limitsOfRow)));
  }

  async list(): Promise<QueueDocument[]> {
    const { store, ownership } = this.host;
    const found = new Map<string, QueueDocument>();
    const of = (queue: string): QueueDocument => {
      const document = found.get(queue) ?? { queue, setting: null, processes: [] };
      found.set(queue, document);
      return document;
    };
    for (const { queue, size, rate } of await store.queues.all()) of(queue).setting = { slots: size, rate };
    for (const { pid, hostname, queues } of await this.processes(ownership))
      for (const [queue, { size, rate }] of Object.entries(queues ?? {}))
        of(queue).processes.push({ pid, hostname, slots: size, rate });
    return [...found.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
  }

  async set(queue: string, { slots = null, rate = null }: Partial<QueueLimit>): Promise<QueueDocument> {
    const { store, clock } = this.host;
    if (!isQueueName(queue)) {
      const what = 'letters, digits and . _ -, 64 at most, the first one a letter, a digit or _';
      throw new MaestroError('CONFIG_CONFLICT', `${JSON.stringify(queue)} is no name of a queue: ${what}`);
    }
    limitsOf(queue, { size: slots ?? undefined, rate: rate ?? undefined });
    await store.queues.set({ queue, size: slots, rate, setAtMs: clock.nowMs() });
    await this.refresh();
    return (await this.list()).find((each) => each.queue === queue)!;
  }

  async unset(queue: string): Promise<boolean> {
    const wasSet = isQueueName(queue) && (await this.host.store.queues.unset(queue));
    await this.refresh();
    return wasSet;
  }

  private async processes(ownership: QueueSettingsHost['ownership']): Promise<OwnerRecord[]> {
    return [ownership.self, ...(await ownership.livingOthers()).values()];
  }
}

/** One that a later release has set, and that makes no sense here, is as if it had not been set. */
function limitsOfRow({ queue, size, rate }: QueueRow): [string, QueueLimits][] {
  try {
    return [[queue, limitsOf(queue, { size: size ?? undefined, rate: rate ?? undefined })]];
  } catch {
    return [];
  }
}

/** Queues as the record of an owner has them. */
export function queuesOfOwner(limits: ReadonlyMap<string, QueueLimits>): Pick<OwnerRecord, 'queues'> {
  if (limits.size === 0) return {};
  const entries = [...limits].map(
    ([name, { size, rate }]) => [name, { size: size === Infinity ? null : size, rate }] as const,
  );
  return { queues: Object.fromEntries(entries) };
}
