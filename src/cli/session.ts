import { createRuntime, MaestroError, type Runtime, type RuntimeOptions } from '../runtime/index.js';
import { createLogger, logOptions } from './logger.js';
import type { GlobalOptions } from './options.js';
import { storeExists, type StoreLocation } from './store-location.js';
import type { Terminal } from './terminal.js';
import type { Ui } from './ui.js';

/** What every command's action gets besides its own options. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly ui: Ui;
  readonly globals: GlobalOptions;
  readonly store: StoreLocation;
}

/**
 * Opens a runtime that resumes nothing by itself, lends it to `use`, and closes it whatever happens.
 * @throws STORE_UNAVAILABLE and other errors of createRuntime, and what `use` throws
 */
export async function withRuntime<T>(
  context: CommandContext,
  options: RuntimeOptions,
  use: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const logger = await createLogger(logOptions(context.globals), context.terminal.stderr);
  const runtime = await createRuntime({ recover: false, ...options, store: context.store.url, logger });
  try {
    return await use(runtime);
  } finally {
    await runtime.close();
  }
}

/** The same for commands about stored executions: never creates a store. @throws EXECUTION_NOT_FOUND */
export async function withStoredRuntime<T>(
  context: CommandContext,
  use: (runtime: Runtime) => Promise<T>,
  options: RuntimeOptions = {},
): Promise<T> {
  requireStore(context.store);
  return withRuntime(context, options, use);
}

/** @throws EXECUTION_NOT_FOUND when there is no store: a command that reads creates none */
export function requireStore(store: StoreLocation): void {
  if (storeExists(store)) return;
  const where = store.path === null ? 'the memory store is empty' : `there is no store at ${store.path}`;
  throw new MaestroError('EXECUTION_NOT_FOUND', `no execution is stored: ${where}`, {
    next: 'Check --store and the working directory; `maestro run` creates a store.',
  });
}
