import { isMaestroError } from '../base/errors.js';
import { notFenced, putFence } from './fences.js';
import { ownerKey, recordKey } from './keys.js';
import type { Kv, KvGuard, KvOp } from './kv.js';
import { withoutLog } from './log-rows.js';
import { encodeRecord } from './record-codec.js';
import type { ExecutionRecord } from './types.js';

interface TakeOver {
  readonly seen: ExecutionRecord;
  readonly next: ExecutionRecord;
  /** All that is to be stored of it. */
  readonly ops: readonly KvOp[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Takes executions over, each if its record is still what was seen. Those of one owner that are asked for in the same turn
 * of the event loop are one commit, with one fence and one look at the log for all of them: whoever died may have left many.
 */
export class TakeOvers {
  /** What the next commits are about, by execution. */
  private asked = new Map<string, TakeOver>();

  /** @param lost what the failure of a commit behind a fence means */
  constructor(
    private readonly kv: Kv,
    private readonly lost: (cause: unknown, fence: KvGuard | undefined) => unknown,
  ) {}

  /** @throws STORE_CONFLICT when somebody else was faster; LEASE_LOST when the next owner was itself taken for dead */
  take(seen: ExecutionRecord, next: ExecutionRecord, ops: readonly KvOp[]): Promise<void> {
    const { executionId } = seen;
    // Of two of the same execution the second one must find what the first has made of it.
    if (this.asked.has(executionId)) this.commitAsked();
    if (this.asked.size === 0) queueMicrotask(() => this.commitAsked());
    return new Promise((done, failed) => this.asked.set(executionId, { seen, next, ops, done, failed }));
  }

  private commitAsked(): void {
    const groups = new Map<string, TakeOver[]>();
    for (const each of this.asked.values()) {
      const owners = `${each.seen.ownerId} ${each.next.ownerId}`;
      const group = groups.get(owners);
      if (group === undefined) groups.set(owners, [each]);
      else group.push(each);
    }
    this.asked = new Map();
    for (const group of groups.values()) void this.settle(group);
  }

  private async settle(group: readonly TakeOver[]): Promise<void> {
    try {
      await this.commit(group);
      for (const { done } of group) done();
    } catch (error) {
      // Which of them has changed concerns no other.
      if (group.length > 1 && isMaestroError(error, 'STORE_CONFLICT'))
        for (const each of group) void this.settle([each]);
      else for (const { failed } of group) failed(error);
    }
  }

  /** @param group all from the same owner, all to the same */
  private async commit(group: readonly TakeOver[]): Promise<void> {
    const [{ seen, next }] = group;
    const ops = group.flatMap((each) => each.ops);
    const guards: KvGuard[] = group.map((each) => ({
      key: recordKey(each.seen.executionId),
      value: encodeRecord(each.seen),
    }));
    const former = seen.ownerId === next.ownerId ? null : seen.ownerId;
    if (former !== null) ops.push({ op: 'del', key: ownerKey(former) }, putFence(former, next.updatedAtMs));
    // Who was taken for dead takes nothing over: what it has in hand of it may run still.
    const fence = next.ownerId === null ? undefined : notFenced(next.ownerId);
    if (fence !== undefined) guards.push(fence);
    await withoutLog(this.kv, former, (noLog) => this.kv.commit(ops, [...guards, ...noLog])).catch(
      (cause: unknown) => {
        throw this.lost(cause, fence);
      },
    );
  }
}
