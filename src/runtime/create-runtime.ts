import { createPool } from '../pool/index.js';
import { toErrorDocument } from '../base/errors.js';
import { eventLog } from '../observe/event-log.js';
import type { ExecutionEvent } from '../observe/events.js';
import { componentLogger } from '../observe/logger.js';
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
  const store = await openStore(settings.store, settings.clock);
  const storeLog = componentLogger(settings.rootLogger, 'store');
  storeLog.debug({ store: typeof settings.store === 'string' ? settings.store : 'own' }, 'store opened');
  const pool = createPool({
    ...options.pool,
    graceMs: settings.graceMs,
    maxLogChars: settings.maxLogChars,
    clock: settings.clock,
  });
  const onEvent = listeners(options, settings);
  const runtime = new LocalRuntime(store, pool, settings, options.workflows ?? [], onEvent);
  try {
    await runtime.queues.refresh();
    if (settings.recover) await runtime.recoverInterrupted();
    await runtime.crowding.look();
    return runtime;
  } catch (error) {
    await runtime.close({ drainMs: 0 });
    throw error;
  }
}

/** Who is told events: the log, and the application's handler, which never disturbs the run when it throws. */
function listeners(
  { onEvent }: RuntimeOptions,
  settings: Settings,
): ((event: ExecutionEvent) => void) | null {
  const log = eventLog(componentLogger(settings.rootLogger, 'events'));
  if (onEvent === undefined || !settings.events) return log;
  return (event) => {
    log?.(event);
    try {
      onEvent(event);
    } catch (error) {
      const { workflow_id, execution_id, node_id, event_type } = event;
      settings.logger.warn(
        { workflow_id, execution_id, node_id, event_type, error: toErrorDocument(error) },
        'an event handler threw',
      );
    }
  };
}
