import { batches } from '../base/batches.js';
import type { Clock } from '../base/clock.js';
import { isMaestroError, MaestroError, type ErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded, type WorkflowStatus } from '../base/model.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { removeArtifacts, removeOrphans } from './artifacts.js';
import type { Ownership } from './ownership.js';
import type { Residents } from './residents.js';
import { parentOf } from './child-links.js';
import { expired, retentionRules, type RetentionPolicy } from './retention.js';
import type {
  CollectOptions,
  CollectReport,
  DeleteOptions,
  ExecutionDocument,
  MarkStaleOptions,
} from './types.js';

interface MaintenanceHost {
  readonly store: ExecutionStore;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** The executions in this runtime's hands. */
  readonly residents: Pick<Residents, 'size' | 'isHere'>;
  /** Requests about one execution one after another. */
  readonly inTurn: <T>(executionId: string, work: () => Promise<T>) => Promise<T>;
  /** Resolves when nothing is under way for the children of an execution. */
  readonly childrenDone: (executionId: string) => Promise<void>;
  readonly get: (executionId: string) => Promise<ExecutionDocument | undefined>;
  readonly artifactRoot: string;
  /** Fails an execution that nobody runs. */
  readonly abandon: (executionId: string, error: ErrorDocument) => Promise<void>;
}

const PAGE = 200;
/** Deletions that are asked for at once; the store writes them together. */
const BATCH = 100;
const LONGEST_REST_MS = 100;
/** Between two looks of retention for kept results that are too old. */
const CACHE_EVERY_MS = 5 * 60_000;

/** Keeps a store tidy: deletes what has ended, gives up what nobody will continue. */
export class Maintenance {
  private sweepCacheAtMs = 0;

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
    await this.assertMayGo(record, force);
    const child = await this.heldBelow(executionId);
    if (child !== undefined)
      throw new MaestroError(
        'EXECUTION_OWNED',
        `execution ${child}, which belongs to it, is still being stopped`,
        {
          next: 'Try again in a moment.',
        },
      );
    return this.remove(record);
  }

  async collect(options: CollectOptions): Promise<CollectReport> {
    if (retentionRules(options).length === 0) {
      throw new MaestroError('USAGE', 'a retention policy without an age or a number would delete nothing', {
        next: 'Give olderThanMs, keep, or both.',
      });
    }
    const { dryRun = false } = options;
    const deleted: string[] = [];
    const note = (batch: readonly ExecutionRecord[]) =>
      deleted.push(...batch.map((each) => each.executionId));
    if (dryRun) for await (const batch of this.expired(options)) note(batch);
    else await this.sweep(options, note);
    const { store, artifactRoot, residents, clock } = this.host;
    const isHere = (id: string): boolean => residents.isHere(id);
    const orphans = await removeOrphans(store, artifactRoot, { nowMs: clock.nowMs(), isHere, dryRun });
    const cached = await store.cached.removeExpired(clock.nowMs(), dryRun);
    return { deleted, dryRun, ...(orphans.length > 0 && { orphans }), ...(cached > 0 && { cached }) };
  }

  /** One pass of retention: like collect, without lists of what went, and it can be stopped. */
  async pass(policy: RetentionPolicy, stopped: AbortSignal): Promise<{ deleted: number; cached: number }> {
    let deleted = 0;
    await this.sweep(policy, (batch) => (deleted += batch.length), stopped);
    return { deleted, cached: await this.sweepCache(stopped) };
  }

  async markStale({ olderThanMs, dryRun = false }: MarkStaleOptions): Promise<readonly string[]> {
    const { clock, abandon } = this.host;
    if (!(olderThanMs >= 0)) {
      throw new MaestroError('USAGE', `olderThanMs is ${olderThanMs}; it must be milliseconds, 0 or more`);
    }
    const marked: string[] = [];
    for await (const { executionId } of this.unowned()) {
      const document = await this.host.get(executionId);
      const touchedAtMs = document && Date.parse(document.updated_at);
      const idleMs = clock.nowMs() - (touchedAtMs ?? 0);
      if (touchedAtMs === undefined || idleMs < olderThanMs) continue;
      const seconds = Math.floor(idleMs / 1000);
      const message = `marked failed: nobody ran it, and nothing happened for ${seconds} s`;
      if (!dryRun) await abandon(executionId, { name: 'Abandoned', message, code: 'EXECUTION_STALE' });
      marked.push(executionId);
    }
    return marked;
  }

  /** What a policy lets go, in batches. */
  private expired(policy: RetentionPolicy): AsyncGenerator<ExecutionRecord[]> {
    return batches(this.atRest(expired(this.host.store, policy, this.host.clock.nowMs())), BATCH);
  }

  /** Without those that have ended and still stop attempts, which are in somebody's hands, and those of a parent. */
  private async *atRest(records: AsyncIterable<ExecutionRecord>): AsyncGenerator<ExecutionRecord> {
    const { ownership, residents } = this.host;
    const living = await ownership.livingOthers();
    for await (const record of records) {
      const { executionId, ownerId } = record;
      const isFree = !residents.isHere(executionId) && (ownerId === null || !living.has(ownerId));
      if (isFree && !(await this.belongs(record))) yield record;
    }
  }

  /**
   * Deletes what a policy lets go, as it was seen: what was retried meanwhile stays. One execution that cannot be deleted
   * stops no other. While executions run, half of the time is theirs: enough for both, as deleting is cheaper than running.
   * @throws the first error, at the end; at once when not one of a batch could be deleted
   */
  private async sweep(
    policy: RetentionPolicy,
    went: (batch: readonly ExecutionRecord[]) => void,
    stopped?: AbortSignal,
  ): Promise<void> {
    const { clock, residents } = this.host;
    const errors: unknown[] = [];
    for await (const batch of this.expired(policy)) {
      if (stopped?.aborted) break;
      const beganMs = clock.nowMs();
      const tries = await Promise.allSettled(batch.map((record) => this.removeInTurn(record)));
      went(batch.filter((_, i) => tries[i].status === 'fulfilled' && tries[i].value));
      const failures = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
      const failed = failures.filter((reason) => !isMaestroError(reason, 'STORE_CONFLICT'));
      errors.push(...failed);
      if (failed.length === batch.length) break;
      if (residents.size > 0) await this.rest(clock.nowMs() - beganMs);
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Removes kept results that are too old; not in every pass, as all of them are read for that. @returns how many */
  private async sweepCache(stopped: AbortSignal): Promise<number> {
    const { clock, residents, store } = this.host;
    const nowMs = clock.nowMs();
    if (nowMs < this.sweepCacheAtMs) return 0;
    this.sweepCacheAtMs = nowMs + CACHE_EVERY_MS;
    let cached = 0;
    let beganMs = nowMs;
    for await (const batch of store.cached.expired(nowMs)) {
      if (stopped.aborted) break;
      await store.cached.remove(batch);
      cached += batch.length;
      if (residents.size > 0) await this.rest(clock.nowMs() - beganMs);
      beganMs = clock.nowMs();
    }
    return cached;
  }

  private async rest(ms: number): Promise<void> {
    // The clock may have been set meanwhile.
    const restMs = Math.min(ms, LONGEST_REST_MS);
    if (restMs > 0) await new Promise<void>((over) => this.host.clock.setTimer(restMs, over));
  }

  /** What somebody asks to go on just now may look at rest, and be on its way here. */
  private removeInTurn(record: ExecutionRecord): Promise<boolean> {
    const { inTurn, residents } = this.host;
    const { executionId } = record;
    return inTurn(executionId, async () => {
      if (residents.isHere(executionId)) return false;
      return (await this.heldBelow(executionId)) === undefined && this.remove(record);
    });
  }

  /** Whom it still names as its owner, though dead as far as anybody knows, is kept from writing about it again. */
  private async remove(record: ExecutionRecord): Promise<boolean> {
    const { store, ownership, clock, artifactRoot } = this.host;
    // A crash in between leaves the parent, which leads to what is left.
    for (const child of await store.children(record.executionId)) await this.removeChild(child);
    const { ownerId } = ownership.self;
    let seen = record;
    if (record.ownerId !== null && record.ownerId !== ownerId) {
      seen = { ...record, ownerId, updatedAtMs: clock.nowMs() };
      await store.takeOver(record, seen);
    }
    if (!(await store.delete(record.executionId, seen))) return false;
    // After its record: what a crash leaves in between is found by the next collection.
    await removeArtifacts(store, artifactRoot, record).catch(() => {});
    return true;
  }

  /** A child, or child of a child, that somebody still has in hand: after the end of its parent, too, it may be stopping. */
  private async heldBelow(executionId: string): Promise<string | undefined> {
    const { store, residents, ownership, childrenDone } = this.host;
    // What the end of a parent has left under way may add rows.
    await childrenDone(executionId);
    for (const child of await store.children(executionId)) {
      const owner = await store.getRecord(child).then(
        (record) => record?.ownerId ?? null,
        () => null,
      );
      if (residents.isHere(child) || (await ownership.holder(owner)) !== undefined) return child;
      const below = await this.heldBelow(child);
      if (below !== undefined) return below;
    }
    return undefined;
  }

  /** What a parent has started lives as long as it. What still runs of it is at its end, and belongs to nobody then. */
  private async removeChild(executionId: string): Promise<void> {
    const { inTurn, residents, store } = this.host;
    await inTurn(executionId, async () => {
      const record = await store.getRecord(executionId);
      if (record !== undefined && !residents.isHere(executionId)) await this.remove(record);
    });
  }

  /** Whether it goes with its parent, and not by itself. */
  private async belongs(record: ExecutionRecord): Promise<boolean> {
    const parent = parentOf(record);
    return parent !== undefined && (await this.host.store.getRecord(parent.execution_id)) !== undefined;
  }

  /** @throws EXECUTION_OWNED, EXECUTION_STATE, STORE_CONFLICT */
  private async assertMayGo(record: ExecutionRecord, force: boolean): Promise<void> {
    if (!force && (await this.belongs(record))) {
      const { execution_id: parent } = parentOf(record)!;
      throw new MaestroError(
        'EXECUTION_STATE',
        `execution ${record.executionId} belongs to ${parent}, and goes with it`,
        {
          next: `Delete ${parent}.`,
        },
      );
    }
    const { executionId, status, ownerId } = record;
    const hasEnded = isWorkflowStatusEnded(status);
    const holder = await this.host.ownership.holder(ownerId);
    if (holder !== undefined) {
      const what = hasEnded ? `${status}, and its last steps are being stopped by` : 'run by';
      throw new MaestroError('EXECUTION_OWNED', `execution ${executionId} is ${what} process ${holder.pid}`, {
        details: { pid: holder.pid, hostname: holder.hostname },
        next: hasEnded ? 'Try again in a moment.' : `Cancel it first: \`maestro cancel ${executionId}\`.`,
      });
    }
    const isHere = this.host.residents.isHere(executionId);
    if (hasEnded && isHere)
      throw new MaestroError('STORE_CONFLICT', `execution ${executionId} changed at this moment`);
    if (hasEnded || (force && !isHere)) return;
    throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is ${status}: it has not ended`, {
      next: 'Cancel it first, or delete it with force when nobody runs it and nobody will resume it.',
    });
  }

  /** Executions that have not ended and that no living process has in hand, oldest first. */
  private async *unowned(): AsyncGenerator<ExecutionRecord> {
    const { store, ownership, residents } = this.host;
    const living = await ownership.livingOthers();
    const unfinished = ['pending', 'running', 'paused'] as const;
    let after: string | undefined;
    do {
      const page = await store.list({ status: unfinished, order: 'oldest', limit: PAGE, after });
      for (const record of page.records) {
        if (residents.isHere(record.executionId)) continue;
        if (record.ownerId === null || !living.has(record.ownerId)) yield record;
      }
      after = page.next;
    } while (after !== undefined);
  }
}
