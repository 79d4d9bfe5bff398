import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MaestroError } from '../base/errors.js';
import { fsyncPathSync } from '../base/sync.js';
import type { Kv } from './kv.js';
import { dataFile, writeLabel } from './lmdb-label.js';
import { PROBE_PROGRAM } from './lmdb-probe.js';
import { logsIn } from './log-files.js';

/** The folder of a store in files. @throws USAGE for another kind */
export function storeFolder(url: string): string {
  const path = url.startsWith('lmdb:') ? url.slice('lmdb:'.length) : url;
  if (path === '' || path === 'memory:')
    throw new MaestroError('USAGE', `${url || 'an empty path'} is no store in files`);
  return resolve(path);
}

/**
 * Copies an open store into a new folder, which appears complete and on disk, or not at all.
 * @param absorb brings what is in logs beside the data into it
 * @throws FILE_EXISTS, STORE_UNAVAILABLE, STORE_CORRUPT
 */
export async function copyStore(
  kv: Kv,
  folder: string,
  absorb: (folder: string) => Promise<void>,
): Promise<void> {
  if (kv.copyTo === undefined)
    throw new MaestroError('USAGE', 'this kind of store cannot be copied: export it');
  if (existsSync(folder) && (!isFolder(folder) || readdirSync(folder).length > 0))
    throw new MaestroError('FILE_EXISTS', `${folder} exists and is not an empty folder`, {
      next: 'Name a folder that does not exist yet.',
    });
  const draft = `${folder}.${process.pid}.part`;
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft);
    await kv.copyTo(draft);
    // Without a stamp of its closing: whoever opens the copy probes it first.
    writeLabel(draft);
    if (logsIn(draft).length > 0) await absorb(draft);
    fsyncPathSync(dataFile(draft));
    fsyncPathSync(draft);
    renameSync(draft, folder);
    fsyncPathSync(dirname(folder));
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (error instanceof MaestroError) throw error;
    const why = (error as Error).message;
    throw new MaestroError('STORE_UNAVAILABLE', `cannot copy the store to ${folder}: ${why}`, {
      cause: error,
    });
  }
}

/**
 * Puts the data of a copy in the place of a store's own; what else is in the store's folder (artifacts) stays. A
 * folder that does not exist is made of the copy.
 * @param keep true: the old data file is kept under a name of its own
 * @returns that name
 */
export function replaceData(folder: string, copy: string, keep: boolean): string | undefined {
  if (!existsSync(folder)) {
    renameSync(copy, folder);
    fsyncPathSync(dirname(folder));
    return undefined;
  }
  const file = dataFile(folder);
  let aside: string | undefined;
  // The label no longer says what the file looks like: whoever opens it probes it first.
  writeLabel(folder);
  if (keep && existsSync(file)) {
    for (let n = 1; aside === undefined || existsSync(aside); n++) aside = `${file}.old-${n}`;
    linkSync(file, aside);
  }
  // A copy has no logs; these belong to what was there before.
  for (const name of logsIn(folder)) rmSync(join(folder, name));
  renameSync(dataFile(copy), file);
  fsyncPathSync(folder);
  return aside;
}

/**
 * Other processes that have the data file mapped, by pid. An open descriptor alone says nothing: commands inherit
 * it. Empty where the system does not tell.
 */
export function usersOf(folder: string): number[] {
  const file = dataFile(folder);
  const ending = ` ${existsSync(file) ? realpathSync(file) : file}\n`;
  return listed('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => textOf(join('/proc', pid, 'maps')).includes(ending))
    .map(Number);
}

/** Whether another process works with the store; those that only look whether it is damaged do not count. */
export function isInUse(folder: string): boolean {
  return usersOf(folder).some(
    (pid) => !textOf(join('/proc', String(pid), 'cmdline')).includes(PROBE_PROGRAM),
  );
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
