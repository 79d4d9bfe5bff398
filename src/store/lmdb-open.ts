import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { open, type RootDatabaseOptions } from 'lmdb';
import { MaestroError } from '../base/errors.js';
import { LmdbKv, type LmdbDatabase, type LmdbKvOptions } from './lmdb-kv.js';

/** Address space for the file's mapping, not its size; it grows beyond by itself. */
const MAP_SIZE_BYTES = 4 * 2 ** 30;
const MAX_READERS = 1024;

/** Printable ASCII as its own bytes: LMDB then orders keys as the port does. */
const asciiKeys = {
  writeKey: (key: string, target: Buffer, start: number) => start + target.write(key, start, 'latin1'),
  readKey: (target: Buffer, start: number, end: number) => target.toString('latin1', start, end),
};

/** Options of every environment here. `overlappingSync` off: a commit that was acknowledged survives power loss. */
const LMDB_OPTIONS: RootDatabaseOptions & { noSubdir: boolean } = {
  noSubdir: false,
  encoding: 'binary',
  keyEncoder: asciiKeys,
  overlappingSync: false,
  cache: false,
  compression: false,
  mapSize: MAP_SIZE_BYTES,
  maxReaders: MAX_READERS,
};

/** Opens the folder at `path` as an LMDB store, creating it if need be. */
export async function openLmdb(path: string, options: LmdbKvOptions = {}): Promise<LmdbKv> {
  const folder = resolve(path);
  prepareFolder(folder);
  return new LmdbKv(openDatabase(folder), options);
}

/** @throws MaestroError STORE_UNAVAILABLE */
export function openDatabase(folder: string, readOnly = false): LmdbDatabase {
  try {
    return open<Uint8Array, string>(folder, { ...LMDB_OPTIONS, readOnly });
  } catch (cause) {
    throw unavailable(folder, (cause as Error).message, cause);
  }
}

function prepareFolder(folder: string): void {
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
      throw unavailable(folder, 'it is a file, not a folder');
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (cause instanceof MaestroError) throw cause;
    throw unavailable(folder, (cause as Error).message, cause);
  }
}

function unavailable(folder: string, why: string, cause?: unknown): MaestroError {
  return new MaestroError('STORE_UNAVAILABLE', `cannot open the store ${folder}: ${why}`, { cause });
}
