import { createHash, randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { lstat, open, readdir, realpath, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { MaestroError } from '../base/errors.js';
import { fsyncPath } from '../base/sync.js';

/** Where a path that a step gave lies within its folder, with `/` between its parts; null: not in it. */
export function pathWithin(folder: string, path: string): string | null {
  const within = relative(folder, resolve(folder, path));
  if (within === '' || within === '..' || within.startsWith(`..${sep}`) || isAbsolute(within)) return null;
  return within.split(sep).join('/');
}

/**
 * Opens a regular file in a folder to read it: never one outside, whatever the path or a link on the way to it says,
 * also when that changes at this moment. Never waits, as for a pipe. Close it.
 * @throws ARTIFACT_MISSING, ARTIFACT_OUTSIDE
 */
export async function openWithin(folder: string, path: string): Promise<FileHandle> {
  const within = pathWithin(folder, path);
  if (within === null) throw outside(path);
  try {
    const wanted = join(await realpath(folder), within);
    if ((await realpath(wanted)) !== wanted) throw outside(path);
    const handle = await open(wanted, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const [opened, there] = [await handle.stat(), await lstat(wanted)];
      const isSame = opened.dev === there.dev && opened.ino === there.ino;
      if (!isSame || (await realpath(wanted)) !== wanted) throw outside(path);
      if (!opened.isFile()) throw missing(path, 'it is no regular file');
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    throw missing(path, (error as NodeJS.ErrnoException).code ?? String(error), error);
  }
}

function outside(path: string): MaestroError {
  return new MaestroError('ARTIFACT_OUTSIDE', `${JSON.stringify(path)} is not in the folder of its node`);
}

function missing(path: string, why: string, cause?: unknown): MaestroError {
  const message = `there is no artifact ${JSON.stringify(path)}: ${why}`;
  return new MaestroError('ARTIFACT_MISSING', message, { cause });
}

const CHUNK_BYTES = 1024 * 1024;

/** Reads a file to its end, piece by piece: never more than one in memory. `into` is given each. */
export async function digest(
  handle: FileHandle,
  into?: (piece: Buffer) => Promise<unknown>,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, sizeBytes);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest('hex') };
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    sizeBytes += bytesRead;
    await into?.(piece);
  }
}

/** Makes the entries of a folder, and of those above it up to `top`, survive a crash of the machine. */
export async function syncFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    await fsyncPath(at);
    if (at === top || !at.startsWith(top)) return;
  }
}

/** Writes a file so that there is all of it or what was there before, also where several do so at once. */
export async function writeWhole(file: string, text: string, durable: boolean): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(text);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** The names of the folders in a folder; none when there is no such folder. Links are not followed. */
export async function foldersIn(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Removes a folder with all in it; what links in it point to stays. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

const TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.gz': 'application/gzip',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.log': 'text/plain',
  '.md': 'text/markdown',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.tar': 'application/x-tar',
  '.txt': 'text/plain',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
  '.zip': 'application/zip',
};

/** By the end of its name: nobody looks into it. */
export function mediaTypeOf(path: string): string {
  return TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
}
