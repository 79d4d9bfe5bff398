import { MaestroError } from '../base/errors.js';
import { ExecutionState } from '../engine/execution-state.js';
import type { ExecutionStore } from '../store/types.js';
import { outputText } from '../supervisor/outputs.js';
import type { Definitions } from './definitions.js';
import { executionDocument } from './document.js';
import { notFound } from './history.js';
import type { ReplayDocument } from './types.js';

/**
 * The state of an execution after its first state changes: their number, or all up to a moment. Replays the journal
 * from its beginning, as recovery would, and writes nothing.
 * @throws EXECUTION_NOT_FOUND, USAGE for a number that is not between 0 and all, RECORD_CORRUPT
 */
export async function replayDocument(
  store: ExecutionStore,
  definitions: Definitions,
  executionId: string,
  at: number | Date | undefined,
): Promise<ReplayDocument> {
  const stored = await store.load(executionId);
  if (stored === undefined) throw notFound(executionId);
  const { record, spec, globalContext } = stored;
  const definition = definitions.plain(record, spec);
  const state = new ExecutionState(definition.plan);
  const untilMs = at instanceof Date ? at.getTime() : Infinity;
  const limit = typeof at === 'number' ? at : Infinity;
  if (Number.isNaN(untilMs)) throw new MaestroError('USAGE', 'the moment to replay to is no date');
  let total = 0;
  let applied = 0;
  let atMs = record.createdAtMs;
  // Times of one execution may step back with the clock: what comes after the first later change is later.
  let over = false;
  for await (const { entries } of store.journal(executionId)) {
    for (const entry of entries) {
      total++;
      over ||= entry.atMs > untilMs || applied >= limit;
      if (over) continue;
      state.replay(entry);
      applied++;
      atMs = entry.atMs;
    }
  }
  if (typeof at === 'number' && !(Number.isSafeInteger(at) && at >= 0 && at <= total)) {
    throw new MaestroError(
      'USAGE',
      `execution ${executionId} has ${total} state changes: there is no number ${at}`,
      {
        next: `Give a number from 0 to ${total}, or a moment.`,
      },
    );
  }
  const { ids } = state.plan;
  const { columns } = state;
  const document = await executionDocument({
    children: [],
    // After all changes the execution is as it is now: its record may have been written a moment after the last one.
    record: { ...record, updatedAtMs: over ? atMs : Math.min(record.updatedAtMs, untilMs) },
    definition,
    state,
    globalContext,
    interrupted: false,
    outputText: (node) => outputText(store, { executionId, ids, columns }, node),
  });
  return { ...document, at_change: applied, total_changes: total, at_time: new Date(atMs).toISOString() };
}
