import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MaestroError } from '../runtime/index.js';

/** Where executions are kept when nobody says otherwise, in the working directory. */
export const DEFAULT_STORE = 'lmdb:.maestro';
export const MEMORY_STORE = 'memory:';

/** Which store a command uses, and how to say so in a command line. */
export interface StoreLocation {
  /** As createRuntime takes it: the path is absolute. */
  readonly url: string;
  /** null for the memory store. */
  readonly path: string | null;
  /** Arguments that name this store in another call from the same folder; empty for the default. */
  readonly args: readonly string[];
}

/** The option beats MAESTRO_STORE beats the default. @throws USAGE for anything but lmdb:PATH and memory: */
export function locateStore(
  option: string | undefined,
  env: { MAESTRO_STORE?: string },
  cwd: string,
): StoreLocation {
  const given = option ?? (env.MAESTRO_STORE || undefined) ?? DEFAULT_STORE;
  const args = option === undefined ? [] : ['--store', option];
  if (given === MEMORY_STORE) return { url: MEMORY_STORE, path: null, args };
  const path = /^lmdb:(.+)$/s.exec(given)?.[1];
  if (path === undefined) {
    const source = option === undefined ? 'MAESTRO_STORE' : '--store';
    throw new MaestroError(
      'USAGE',
      `${source} is ${JSON.stringify(given)}, but a store is lmdb:PATH or memory:`,
    );
  }
  const absolute = resolve(cwd, path);
  return { url: `lmdb:${absolute}`, path: absolute, args };
}

/** Whether there is anything to read: a command that only reads must not create a store. */
export function storeExists(store: StoreLocation): boolean {
  return store.path !== null && existsSync(store.path);
}
