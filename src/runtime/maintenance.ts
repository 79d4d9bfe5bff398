import type { Clock } from '../base/clock.js';
import { isMaestroError, MaestroError, type ErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded, type WorkflowStatus } from '../base/model.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Ownership } from './ownership.js';
import { expired, retentionRules, type RetentionPolicy } from './retention.js';
import type { CollectOptions, CollectReport, DeleteOptions, MarkStaleOptions } from './types.js';

interface MaintenanceHost {
  readonly store: ExecutionStore;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** Whether an execution is in this runtime's hands. */
  readonly isHere: (executionId: string) => boolean;
  /** When an execution last changed, epoch ms. */
  readonly touchedAtMs: (executionId: string) => Promise<number | undefined>;
  /** Fails an execution that nobody runs. */
  readonly abandon: (executionId: string, error: ErrorDocument) => Promise<void>;
}

const PAGE = 200;

/** Keeps a store tidy: deletes what has ended, gives up what nobody will continue. */
export class Maintenance {
  constructor(private readonly host: MaintenanceHost) {}

  counts(): Promise<Record<WorkflowStatus, number>> {
    return this.host.store.countByStatus();
  }

  async delete(executionId: string, { force = false }: DeleteOptions = {}): Promise<boolean> {
    const { store } = this.host;
    let record: ExecutionRecord | undefined;
    try {
      record = await store.getRecord(executionId);
    } catch (error) {
      // Nobody can say what state a damaged record was in: only who insists may delete it.
      if (!isMaestroError(error, 'RECORD_CORRUPT') || !force) throw error;
      return store.delete(executionId);
    }
    if (record === undefined) return false;
    if (!isWorkflowStatusEnded(record.status)) await this.assertAbandoned(record, force);
    return store.delete(executionId, record);
  }

  async collect(options: CollectOptions): Promise<CollectReport> {
    if (retentionRules(options).length === 0) {
      throw new MaestroError('USAGE', 'a retention policy without an age or a number would delete nothing', {
        next: 'Give olderThanMs, keep, or both.',
      });
    }
    const deleted: string[] = [];
    for await (const record of this.expired(options)) {
      if (options.dryRun === true || (await this.deleteSeen(record))) deleted.push(record.executionId);
    }
    return { deleted, dryRun: options.dryRun === true };
  }

  /** One pass of retention: like collect, without a list of what went, and it can be stopped. @returns how many went */
  async pass(policy: RetentionPolicy, stopped: AbortSignal): Promise<number> {
    let deleted = 0;
    for await (const record of this.expired(policy)) {
      if (stopped.aborted) break;
      if (await this.deleteSeen(record)) deleted++;
    }
    return deleted;
  }

  async markStale({ olderThanMs, dryRun = false }: MarkStaleOptions): Promise<readonly string[]> {
    const { clock, abandon } = this.host;
    if (!(olderThanMs >= 0)) {
      throw new MaestroError('USAGE', `olderThanMs is ${olderThanMs}; it must be milliseconds, 0 or more`);
    }
    const marked: string[] = [];
    for await (const { executionId } of this.unowned()) {
      const touchedAtMs = await this.host.touchedAtMs(executionId);
      const idleMs = clock.nowMs() - (touchedAtMs ?? 0);
      if (touchedAtMs === undefined || idleMs < olderThanMs) continue;
      const seconds = Math.floor(idleMs / 1000);
      const message = `marked failed: nobody ran it, and nothing happened for ${seconds} s`;
      if (!dryRun) await abandon(executionId, { name: 'Abandoned', message, code: 'EXECUTION_STALE' });
      marked.push(executionId);
    }
    return marked;
  }

  private expired(policy: RetentionPolicy): AsyncGenerator<ExecutionRecord> {
    return expired(this.host.store, policy, this.host.clock.nowMs());
  }

  /** Deletes an execution as it was seen. One that was retried meanwhile stays. */
  private async deleteSeen(record: ExecutionRecord): Promise<boolean> {
    try {
      return await this.host.store.delete(record.executionId, record);
    } catch (error) {
      if (isMaestroError(error, 'STORE_CONFLICT')) return false;
      throw error;
    }
  }

  private async assertAbandoned(record: ExecutionRecord, force: boolean): Promise<void> {
    const { executionId, status, ownerId } = record;
    const holder = await this.host.ownership.holder(ownerId);
    if (holder !== undefined) {
      throw new MaestroError('EXECUTION_OWNED', `execution ${executionId} is run by process ${holder.pid}`, {
        details: { pid: holder.pid, hostname: holder.hostname },
        next: `Cancel it first: \`maestro cancel ${executionId}\`.`,
      });
    }
    if (force && !this.host.isHere(executionId)) return;
    throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is ${status}: it has not ended`, {
      next: 'Cancel it first, or delete it with force when nobody runs it and nobody will resume it.',
    });
  }

  /** Executions that have not ended and that no living process has in hand, oldest first. */
  private async *unowned(): AsyncGenerator<ExecutionRecord> {
    const { store, ownership, isHere } = this.host;
    const living = await ownership.livingOthers();
    const unfinished = ['pending', 'running', 'paused'] as const;
    let after: string | undefined;
    do {
      const page = await store.list({ status: unfinished, order: 'oldest', limit: PAGE, after });
      for (const record of page.records) {
        if (isHere(record.executionId)) continue;
        if (record.ownerId === null || !living.has(record.ownerId)) yield record;
      }
      after = page.next;
    } while (after !== undefined);
  }
}
