import type { Clock } from '../base/clock.js';
import { isMaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import type { Ownership } from './ownership.js';

const PAGE = 500;

/** An execution that was taken over, or why it could not be. */
export interface Recovered {
  readonly executionId: string;
  readonly error?: ErrorDocument;
}

/**
 * Finds executions that should be running and that no living process runs, and takes them over. Those that need
 * functions not known here stay as they are. @returns the records taken over, oldest first, and what happened to all
 */
export async function takeOverInterrupted(
  store: ExecutionStore,
  ownership: Ownership,
  definitions: Definitions,
  clock: Clock,
): Promise<{ taken: ExecutionRecord[]; recovered: Recovered[] }> {
  const taken: ExecutionRecord[] = [];
  const recovered: Recovered[] = [];
  for await (const record of interruptedExecutions(store, ownership)) {
    try {
      const spec = await store.getDefinition(record.definitionHash);
      if (spec !== undefined) definitions.forStored(record, spec);
      await ownership.announce();
      const mine = { ...record, ownerId: ownership.self.ownerId, updatedAtMs: clock.nowMs() };
      await store.takeOver(record, mine);
      taken.push(mine);
      recovered.push({ executionId: record.executionId });
    } catch (error) {
      // Another process was faster: then it is that one's to run.
      if (isMaestroError(error, 'STORE_CONFLICT')) continue;
      recovered.push({ executionId: record.executionId, error: toErrorDocument(error) });
    }
  }
  return { taken, recovered };
}

/** Executions that are pending or running by their record and that no living process runs, oldest first. */
export async function* interruptedExecutions(
  store: ExecutionStore,
  ownership: Ownership,
): AsyncGenerator<ExecutionRecord> {
  const living = await ownership.livingOthers();
  let after: string | undefined;
  do {
    const page = await store.list({ status: ['pending', 'running'], order: 'oldest', limit: PAGE, after });
    for (const record of page.records) {
      const { ownerId } = record;
      if (ownerId === ownership.self.ownerId || (ownerId !== null && living.has(ownerId))) continue;
      yield record;
    }
    after = page.next;
  } while (after !== undefined);
}
