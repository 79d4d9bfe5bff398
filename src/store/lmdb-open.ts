import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { fsyncPathSync } from '../base/sync.js';
import { DiskRoom, ensureLockFile } from './disk-room.js';
import { FORMAT_VERSION } from './envelope.js';
import { LOGS, MARKER_KEY, under } from './keys.js';
import { openEnvironment } from './lmdb-environment.js';
import type { Kv } from './kv.js';
import { LmdbGate } from './lmdb-gate.js';
import { isInUse } from './lmdb-folder.js';
import { LmdbKv, type LmdbDatabase, type LmdbKvOptions } from './lmdb-kv.js';
import { dataFile, readLabel, sameStamp, stampOf, writeLabel, type Label } from './lmdb-label.js';
import { probe } from './lmdb-probe.js';
import { LogFiles } from './log-files.js';
import { LoggedKv, type LoggedKvOptions } from './logged-kv.js';
import { ensureMarker } from './marker.js';
import { currentProcess, isAlive, type ProcessIdentity } from './process-identity.js';

type LmdbOptions = Pick<LmdbKvOptions, 'commitTimeoutMs'> &
  Partial<Pick<LoggedKvOptions, 'withoutLog' | 'applyAfterMs' | 'isAlive'>>;

/** Brings what is in logs beside the data of a store that nobody has open into it. @throws what opening it throws; STORE_CORRUPT */
export async function absorbLogs(path: string): Promise<void> {
  const kv = await openLmdb(path, { isAlive: () => false });
  try {
    // What stood in the way is told here.
    for await (const key of kv.keys(under(LOGS))) await kv.absorb!(key.slice(LOGS.length));
  } finally {
    await kv.close();
  }
}

/**
 * Opens the folder at `path` as an LMDB store, creating it if need be. LMDB maps the data file into memory, where
 * damage can end the process with a signal; so a file that is not exactly as it was last closed is first opened in
 * a child process.
 * @throws MaestroError STORE_UNAVAILABLE, STORE_CORRUPT, STORE_VERSION; an existing store is unchanged then.
 */
export async function openLmdb(path: string, options: LmdbOptions = {}): Promise<Kv> {
  const folder = resolve(path);
  const made = prepareFolder(folder);
  const label = readLabel(folder);
  await inspect(folder, label);
  const room = new DiskRoom(folder);
  if (label === null) claimFirst(folder, room);
  const process = currentProcess();
  const { db, gate } = await openDatabase(folder, process);
  const { commitTimeoutMs } = options;
  const kv = new LmdbKv(db, { room, gate, commitTimeoutMs, onClosed: () => stamp(folder) });
  try {
    if (label !== null && !(await kv.get(MARKER_KEY)))
      throw new MaestroError('STORE_CORRUPT', 'it was in use before, and is empty now');
    await ensureMarker(kv);
    if (label === null) {
      syncNames(folder, made);
      writeLabel(folder);
    }
    const place = new LogFiles(folder, (bytes) => room.claim(0, bytes));
    const logged = new LoggedKv(kv, {
      ...{ clock: systemClock, process, place, isAlive },
      ...options,
    });
    await logged.absorbDead();
    return logged;
  } catch (error) {
    await kv.discard();
    throw located(folder, error);
  }
}

/** Everything that can be known without mapping the file into this process. */
async function inspect(folder: string, label: Label | null): Promise<void> {
  if (label?.format !== undefined && label.format > FORMAT_VERSION)
    throw new MaestroError(
      'STORE_VERSION',
      `the store ${folder} has format ${label.format}; this release reads up to ${FORMAT_VERSION}`,
    );
  const now = stampOf(folder);
  // Without a label a file of no size was left by a process that died while it created the store.
  if (now === null && label !== null)
    throw new MaestroError('STORE_CORRUPT', `${dataFile(folder)} is missing or empty, and was not before`);
  // Whoever works with it has probed it; while it is written to, it never looks as it was closed.
  if (now !== null && !sameStamp(label?.closed, now) && !isInUse(folder)) await probe(folder);
}

/** LMDB writes as soon as it makes a file. */
function claimFirst(folder: string, room: DiskRoom): void {
  try {
    room.claim(2, 0);
  } catch (cause) {
    throw unavailable(folder, cause);
  }
}

async function openDatabase(
  folder: string,
  process: ProcessIdentity,
): Promise<{ db: LmdbDatabase; gate: LmdbGate }> {
  let gate: LmdbGate | undefined;
  try {
    gate = new LmdbGate(folder, process);
    return { db: await gate.whileNobodyWrites(() => openEnvironment(folder)), gate };
  } catch (cause) {
    gate?.end();
    throw unavailable(folder, cause);
  }
}

/** Notes what the properly closed file looks like. Only saves the next process time, so it may fail. */
function stamp(folder: string): void {
  try {
    const now = stampOf(folder);
    if (now) writeLabel(folder, now);
  } catch {
    // A full or vanished disk: the next process probes.
  }
}

/**
 * Before anything is acknowledged: LMDB syncs its file, and not the name of it, nor of the folders around it. What is there and
 * cannot be read was made by somebody else.
 */
function syncNames(folder: string, made: readonly string[]): void {
  // Folders cannot be opened there.
  if (process.platform === 'win32') return;
  fsyncPathSync(folder);
  for (const each of made) fsyncPathSync(dirname(each));
  try {
    // A process that died may have made it.
    if (made.length === 0) fsyncPathSync(dirname(folder));
  } catch {
    // See above.
  }
}

/** @returns the folders that were made */
function prepareFolder(folder: string): string[] {
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new Error('it is a file, not a folder');
    const made = makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (stampOf(folder)) accessSync(dataFile(folder), constants.R_OK | constants.W_OK);
    ensureLockFile(folder);
    return made;
  } catch (cause) {
    throw unavailable(folder, cause);
  }
}

/** Not mkdir's `recursive`: where no folder can be (/proc), Node then tries for ever. @returns those that were missing */
function makeFolder(folder: string): string[] {
  if (existsSync(folder)) return [];
  const above = makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return [...above, folder];
}

function unavailable(folder: string, cause: unknown): MaestroError {
  const why = (cause as Error).message;
  return new MaestroError('STORE_UNAVAILABLE', `cannot open the store ${folder}: ${why}`, { cause });
}

/** Says which file an error is about, which those who only see a Kv do not know. */
function located(folder: string, error: unknown): unknown {
  if (!(error instanceof MaestroError)) return error;
  return new MaestroError(error.code, `${dataFile(folder)}: ${error.message}`, { cause: error });
}
