import { isMaestroError } from '../base/errors.js';
import { outputText } from '../supervisor/outputs.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { restoreState } from '../supervisor/restore.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import { executionDocument } from './document.js';
import type { ExecutionDocument } from './types.js';

/** Reads the document of an execution as the store has it. @throws RECORD_CORRUPT */
export async function readDocument(
  store: ExecutionStore,
  definitions: Definitions,
  executionId: string,
  {
    live,
    isInterrupted,
    items,
  }: {
    /** Under `exit` the store learns of an execution only when it comes to rest: until then memory is read. */
    live: ActiveExecution | undefined;
    isInterrupted: (record: ActiveExecution['record']) => Promise<boolean>;
    /** Items of maps that are wanted, too. */
    items?: readonly string[];
  },
): Promise<ExecutionDocument | undefined> {
  const stored = await store.load(executionId);
  if (stored === undefined) return undefined;
  const { record, spec, globalContext } = stored;
  const definition = definitions.plain(record, spec);
  const state = live?.engine.state ?? (await restoreState(store, stored, definition.plan)).state;
  const { ids } = state.plan;
  const { columns } = state;
  const unsaved = live?.unsavedOutputs;
  return executionDocument({
    record,
    definition,
    state,
    globalContext,
    interrupted: await isInterrupted(record),
    children: spec.subworkflows === undefined ? [] : await childRecords(store, executionId),
    items,
    outputText: (node) => outputText(store, { executionId, ids, columns, unsaved }, node),
  });
}

/** What nodes of an execution have started, by node and attempt. */
async function childRecords(store: ExecutionStore, executionId: string): Promise<ExecutionRecord[]> {
  const ids = await store.children(executionId);
  const records = await Promise.all(ids.map((id) => store.getRecord(id).catch(unlessDamaged)));
  return records.filter((record) => record !== undefined);
}

/** Of a child that cannot be read nothing can be said; its parent can be shown all the same. */
function unlessDamaged(error: unknown): undefined {
  if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
}

/** The state of an execution as the store has it; undefined when there is none. @throws RECORD_CORRUPT */
export async function readState(
  store: ExecutionStore,
  definitions: Definitions,
  executionId: string,
): Promise<ExecutionState | undefined> {
  const stored = await store.load(executionId);
  if (stored === undefined) return undefined;
  return (await restoreState(store, stored, definitions.plain(stored.record, stored.spec).plan)).state;
}
