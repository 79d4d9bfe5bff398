import { MaestroError } from '../base/errors.js';
import { EventDeriver } from '../observe/event-deriver.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ExecutionStore } from '../store/types.js';
import { eventSource } from '../supervisor/restore.js';
import type { Definitions } from './definitions.js';

/**
 * An execution's events as the store has them, oldest first. With `more`, waits at the end of what is stored: `more`
 * resolves to false when nothing will follow. The store is the only buffer, so a slow reader costs no memory.
 * @throws EXECUTION_NOT_FOUND
 */
export async function* storedEvents(
  store: ExecutionStore,
  definitions: Definitions,
  executionId: string,
  more?: () => Promise<boolean>,
): AsyncGenerator<ExecutionEvent> {
  const stored = await store.load(executionId);
  if (stored === undefined) throw notFound(executionId);
  const { record, spec, globalContext } = stored;
  const deriver = new EventDeriver(eventSource(definitions.plain(record, spec), record, globalContext));
  let next = 0;
  for (;;) {
    for await (const { sequence, entries } of store.journal(executionId, next)) {
      yield* deriver.derive(sequence, entries);
      next = sequence + 1;
    }
    if (more === undefined || !(await more())) return;
  }
}

export function notFound(executionId: string): MaestroError {
  return new MaestroError('EXECUTION_NOT_FOUND', `there is no execution ${executionId} in this store`);
}
