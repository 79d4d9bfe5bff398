import { batches } from '../base/batches.js';
import type { Logger } from '../observe/logger.js';
import type { Clock } from '../base/clock.js';
import { isMaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import type { Ownership } from './ownership.js';

const PAGE = 500;
/** Executions that are taken over at once: the store writes them together. */
const BATCH = 250;

/** An execution that was taken over, or why it could not be. */
export interface Recovered {
  readonly executionId: string;
  readonly error?: ErrorDocument;
}

interface RecoveryHost {
  readonly store: ExecutionStore;
  readonly ownership: Ownership;
  readonly definitions: Definitions;
  readonly clock: Clock;
  /** Runs work about one execution when no request about it is under way. */
  readonly inTurn: (executionId: string, work: () => Promise<void>) => Promise<void>;
  /** An execution is ours: it is to be brought here at once, before a request finds it ours and not here. */
  readonly taken: (record: ExecutionRecord) => void;
}

/**
 * Finds executions that should be running and that no living process runs, and takes them over, oldest first. Those that
 * need functions not known here stay as they are.
 */
export async function takeOverInterrupted(host: RecoveryHost): Promise<Recovered[]> {
  const recovered: Recovered[] = [];
  for await (const batch of batches(interruptedExecutions(host.store, host.ownership), BATCH)) {
    const tried = await Promise.all(batch.map((record) => takeOverInTurn(host, record)));
    for (const each of tried) if (each !== undefined) recovered.push(each);
  }
  return recovered;
}

/** undefined when somebody was faster, in another process or here: then it is theirs to run. */
async function takeOverInTurn(host: RecoveryHost, record: ExecutionRecord): Promise<Recovered | undefined> {
  const { executionId } = record;
  let recovered: Recovered | undefined;
  await host.inTurn(executionId, async () => {
    try {
      await takeOver(host, record);
      recovered = { executionId };
    } catch (error) {
      if (!isMaestroError(error, 'STORE_CONFLICT'))
        recovered = { executionId, error: toErrorDocument(error) };
    }
  });
  return recovered;
}

async function takeOver(host: RecoveryHost, record: ExecutionRecord): Promise<void> {
  const { store, ownership, definitions, clock } = host;
  const spec = await store.getDefinition(record.definitionHash);
  if (spec !== undefined) definitions.forStored(record, spec);
  await ownership.announce();
  const mine = { ...record, ownerId: ownership.self.ownerId, updatedAtMs: clock.nowMs() };
  await store.takeOver(record, mine);
  host.taken(mine);
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

/** Says of each execution that cannot be resumed why, the first time. */
export function warnOnce(recovered: readonly Recovered[], known: Set<string>, logger: Logger): void {
  for (const { executionId, error } of recovered) {
    if (error === undefined || known.has(executionId)) continue;
    known.add(executionId);
    logger.warn({ execution_id: executionId, error }, 'execution cannot be resumed');
  }
}
