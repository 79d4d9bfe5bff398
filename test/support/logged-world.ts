import type { Clock } from '../../src/base/clock.js';
import { fenceKey } from '../../src/store/keys.js';
import type { Kv, KvGuard, KvOp } from '../../src/store/kv.js';
import { LoggedKv } from '../../src/store/logged-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import type { ProcessIdentity } from '../../src/store/process-identity.js';
import { put } from '../contracts/kv.contract.js';
import { MemoryLogs } from './log-place.js';

const APPLY_MS = 20;
const NOBODY = { pid: 1, processStart: '', bootId: '', hostname: '' };

/** A clock whose timers fire when they are told to. */
class Timers implements Clock {
  private due: { readonly delayMs: number; readonly fn: () => void }[] = [];
  readonly nowMs = (): number => 1_000;

  setTimer(delayMs: number, fn: () => void): () => void {
    const timer = { delayMs, fn };
    this.due.push(timer);
    return () => (this.due = this.due.filter((each) => each !== timer));
  }

  /** Those that bring logs into the store, or those of who waits for that. */
  async fire(who: 'owners' | 'readers' = 'owners'): Promise<void> {
    const now = this.due.filter(({ delayMs }) => delayMs >= APPLY_MS === (who === 'owners'));
    this.due = this.due.filter((timer) => !now.includes(timer));
    for (const { fn } of now) fn();
    await settled();
  }
}

export const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
export const unless = (owner: string): KvGuard => ({ key: fenceKey(owner), value: null });

export interface World {
  readonly rows: MemoryKv;
  readonly logs: MemoryLogs;
  readonly clock: Timers;
  /** Whose processes still run. */
  isAlive: (process: ProcessIdentity) => boolean;
  open(options?: { withoutLog?: number }): LoggedKv;
}

export function world(blocks?: number): World {
  const [rows, logs, clock] = [new MemoryKv(), new MemoryLogs(blocks), new Timers()];
  const each: World = {
    ...{ rows, logs, clock },
    isAlive: () => true,
    open: ({ withoutLog: direct = 0 } = {}) =>
      new LoggedKv(rows, {
        ...{ clock, place: logs, process: NOBODY, withoutLog: direct },
        isAlive: (process) => each.isAlive(process),
      }),
  };
  return each;
}

/** A handle whose owner has a log. */
export async function logging(each: World, owner: string): Promise<LoggedKv> {
  const kv = each.open();
  await kv.commit([put('first')], [unless(owner)], 'soon');
  await settled();
  return kv;
}

export const text = async (kv: Kv, key: string): Promise<string | undefined> =>
  (await kv.get(key))?.toString();
export const soon = (kv: Kv, owner: string, ...ops: KvOp[]): Promise<void> =>
  kv.commit(ops, [unless(owner)], 'soon');
