import { MaestroError } from '../base/errors.js';
import { carryOver } from '../engine/carry-over.js';
import { ExecutionState } from '../engine/execution-state.js';
import type { Plan } from '../graph/index.js';
import type { ExecutionStore, StoredExecution } from '../store/types.js';
import type { Definition } from '../supervisor/definition.js';
import { definitionAt, definitionsOf } from '../supervisor/migrations.js';
import { textOf } from '../supervisor/outputs.js';
import { restoreState } from '../supervisor/restore.js';
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
  const { record, globalContext } = stored;
  const hashes = definitionsOf(record);
  const definitionOf = async (hash: string): Promise<Definition> =>
    definitions.plain({ ...record, definitionHash: hash }, await definitionAt(store, executionId, hash));
  let definition = await definitionOf(hashes[0]);
  let state = new ExecutionState(definition.plan);
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
      if (entry.event.type === 'migrated') {
        definition = await definitionOf(entry.event.to);
        state = carryOver(state, definition.plan);
      }
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
  const numbers = await currentPlan(store, definitions, stored, definition);
  const document = await executionDocument({
    children: [],
    // After all changes the execution is as it is now: its record may have been written a moment after the last one.
    record: { ...record, updatedAtMs: over ? atMs : Math.min(record.updatedAtMs, untilMs) },
    definition,
    state,
    globalContext,
    interrupted: false,
    outputText: async (node) => {
      const output = columns.output[node];
      if (output === null) return 'null';
      const at = numbers?.indexOf.get(ids[node]) ?? node;
      return textOf(store, { executionId, ids }, { node: at, run: columns.run[node], output });
    },
  });
  return { ...document, at_change: applied, total_changes: total, at_time: new Date(atMs).toISOString() };
}

/** Large outputs are kept by the numbers that nodes have now; undefined: they have had no others since. */
async function currentPlan(
  store: ExecutionStore,
  definitions: Definitions,
  stored: StoredExecution,
  { workflow }: Definition,
): Promise<Plan | undefined> {
  const { record, spec } = stored;
  if (workflow.definitionHash === record.definitionHash) return undefined;
  return (await restoreState(store, stored, definitions.plain(record, spec).plan)).state.plan;
}
