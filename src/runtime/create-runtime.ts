import { createPool } from '../pool/index.js';
import type { ExecutionEvent } from '../observe/events.js';
import { openStore } from '../store/open.js';
import { LocalRuntime } from './local-runtime.js';
import { settingsOf, type Settings } from './options.js';
import type { Runtime, RuntimeOptions } from './types.js';

/**
 * Opens a store and a runtime on it. Executions that a dead process left behind are resumed, unless `recover` is
 * false. No worker exists before the first node needs one.
 * @throws CONFIG_CONFLICT for options, STORE_UNAVAILABLE, STORE_CORRUPT, STORE_VERSION for the store
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const settings = settingsOf(options);
  const store = await openStore(settings.store);
  const pool = createPool({
    ...options.pool,
    graceMs: settings.graceMs,
    maxLogChars: settings.maxLogChars,
    clock: settings.clock,
  });
  const onEvent = guarded(options, settings);
  const runtime = new LocalRuntime(store, pool, settings, options.workflows ?? [], onEvent);
  try {
    if (settings.recover) await runtime.recoverInterrupted();
    await runtime.crowding.look();
    return runtime;
  } catch (error) {
    await runtime.close({ drainMs: 0 });
    throw error;
  }
}

/** A handler that throws never disturbs the run. */
function guarded({ onEvent }: RuntimeOptions, settings: Settings): ((event: ExecutionEvent) => void) | null {
  if (onEvent === undefined || !settings.events) return null;
  return (event) => {
    try {
      onEvent(event);
    } catch (error) {
      settings.logger.warn(
        { execution_id: event.execution_id, event_type: event.event_type, error },
        'an event handler threw',
      );
    }
  };
}
