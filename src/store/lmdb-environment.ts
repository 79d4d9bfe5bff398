import { open, type RootDatabase, type RootDatabaseOptions } from 'lmdb';

/** Address space for the file's mapping, not its size; it grows beyond by itself. */
const MAP_SIZE_BYTES = 4 * 2 ** 30;
/** One slot per reading thread, over all processes. */
const MAX_READERS = 1024;

/** Printable ASCII as its own bytes: LMDB then orders keys as the port does. */
const asciiKeys = {
  writeKey: (key: string, target: Buffer, start: number) => start + target.write(key, start, 'latin1'),
  readKey: (target: Buffer, start: number, end: number) => target.toString('latin1', start, end),
};

/** Options of every environment here. `overlappingSync` off: a commit that was acknowledged survives power loss. */
const OPTIONS: RootDatabaseOptions & { noSubdir: boolean } = {
  noSubdir: false,
  encoding: 'binary',
  keyEncoder: asciiKeys,
  overlappingSync: false,
  cache: false,
  compression: false,
  mapSize: MAP_SIZE_BYTES,
  maxReaders: MAX_READERS,
};

/**
 * Opens the environment in `folder`, to be called from `LmdbGate` where other processes may commit. A damaged file can end the
 * process with a signal: probe it first.
 */
export function openEnvironment(folder: string): RootDatabase<Uint8Array, string> {
  return open<Uint8Array, string>(folder, OPTIONS);
}
