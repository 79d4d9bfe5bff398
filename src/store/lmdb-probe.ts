import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MaestroError } from '../base/errors.js';
import { dataFile } from './lmdb-label.js';

/** The program of the child. Missing when this runs from TypeScript sources; there is no probing then. */
export const PROBE_PROGRAM = fileURLToPath(new URL('./lmdb-probe-child.js', import.meta.url));
const TIMEOUT_MS = 60_000;
/** Signals that others send; damage gives SIGSEGV, SIGBUS, SIGABRT. */
const OUTSIDE: ReadonlySet<string> = new Set(['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP']);

/**
 * Opens the store in `folder` in a child process, which damage may kill without harm, and follows every pointer in it.
 * What it cannot find is damage beyond its time in a store that is very large; values have checksums of their own.
 * @throws MaestroError STORE_CORRUPT; STORE_UNAVAILABLE when there is no telling
 */
export async function probe(folder: string, timeoutMs = TIMEOUT_MS): Promise<void> {
  if (!existsSync(PROBE_PROGRAM)) return;
  const { why, isDamage } = (await run(folder, timeoutMs)) ?? {};
  if (why === undefined) return;
  if (isDamage !== true)
    throw new MaestroError('STORE_UNAVAILABLE', `${dataFile(folder)} could not be looked at: ${why}`, {
      next: 'End a process that holds the store without going on (stopped, or hanging), then try again.',
    });
  throw new MaestroError('STORE_CORRUPT', `${dataFile(folder)} is damaged: ${why}`, {
    next: `Move ${folder} aside (executions start afresh), or restore it from a backup.`,
  });
}

/** null when all is well. */
function run(folder: string, timeoutMs: number): Promise<{ why: string; isDamage: boolean } | null> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [PROBE_PROGRAM, folder], { env, timeout: timeoutMs }, (error, stdout) => {
      if (!error) return resolve(null);
      // A signal from outside, ours at the end of the time included, says nothing about the file.
      const isDamage = error.killed !== true && !OUTSIDE.has(error.signal ?? '');
      if (error.signal) return resolve({ why: `a process that read it died of ${error.signal}`, isDamage });
      resolve({ why: stdout.trim() || 'a process that read it failed', isDamage });
    });
  });
}
