import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MaestroError } from '../base/errors.js';
import { dataFile } from './lmdb-label.js';

/** The program of the child. Missing when this runs from TypeScript sources; there is no probing then. */
const PROGRAM = fileURLToPath(new URL('./lmdb-probe-child.js', import.meta.url));
const TIMEOUT_MS = 60_000;

/**
 * Opens and reads the store in `folder` in a child process, which damage may kill without harm. What it cannot find
 * is damage that only a particular write meets, and, in a store too large for its time, damage in the middle.
 * @throws MaestroError STORE_CORRUPT
 */
export async function probe(folder: string): Promise<void> {
  if (!existsSync(PROGRAM)) return;
  const why = await run(folder);
  if (why !== null)
    throw new MaestroError('STORE_CORRUPT', `${dataFile(folder)} is damaged: ${why}`, {
      next: `Move ${folder} aside (executions start afresh), or restore it from a backup.`,
    });
}

/** null when all is well. */
function run(folder: string): Promise<string | null> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, folder], { env, timeout: TIMEOUT_MS }, (error, stdout) => {
      if (!error) return resolve(null);
      if (error.signal) return resolve(`a process that read it died of ${error.signal}`);
      resolve(stdout.trim() || 'a process that read it failed');
    });
  });
}
