import { restoreState } from '../supervisor/restore.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import type { ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import { executionDocument } from './document.js';
import type { ExecutionDocument } from './types.js';

/** Reads the document of an execution as the store has it. */
export async function readDocument(
  store: ExecutionStore,
  definitions: Definitions,
  executionId: string,
  /** Under `exit` the store learns of an execution only when it comes to rest: until then memory is read. */
  live: ActiveExecution | undefined,
  isInterrupted: (record: ActiveExecution['record']) => Promise<boolean>,
): Promise<ExecutionDocument | undefined> {
  const stored = await store.load(executionId);
  if (stored === undefined) return undefined;
  const { record, spec, globalContext } = stored;
  const definition = definitions.plain(record, spec);
  const state = live?.engine.state ?? (await restoreState(store, stored, definition.plan)).state;
  return executionDocument({
    record,
    definition,
    state,
    globalContext,
    interrupted: await isInterrupted(record),
    outputText: async (node) => {
      const output = state.columns.output[node];
      if (typeof output === 'string') return output;
      const run = state.columns.run[node];
      const unsaved = live?.unsavedOutputs.get(`${node}/${run}`);
      return unsaved ?? (await store.getOutput(executionId, node, run)) ?? 'null';
    },
  });
}
