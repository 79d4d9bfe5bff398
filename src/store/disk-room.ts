import { linkSync, rmSync, statfsSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** What stays free: below it the disk counts as full. */
const RESERVE_BYTES = 4 * 2 ** 20;
/** How long a look at the free space holds, besides what is written meanwhile. */
const LOOK_MS = 1_000;
/** Each row may touch a page of its own; the rest of a tree is copied once. */
const ROW_BYTES = 4096;
const COMMIT_BYTES = 64 * 1024;
/** Larger than any lock file LMDB would make for the readers we ask for. */
const LOCK_BYTES = 128 * 1024;

/** Free bytes of a file system, for users without privileges. */
export type FreeBytes = (folder: string) => number;

export const freeBytes: FreeBytes = (folder) => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

/**
 * Refuses to write before the disk is full. A write that fails half-way inside LMDB is reported as an error, but now
 * and then damages the memory of the process, which then aborts; and what it maps beyond the end of a disk ends it with
 * SIGBUS. A quota that the file system does not tell cannot be seen from here.
 */
export class DiskRoom {
  private leftBytes = 0;
  private lookedAtMs = -Infinity;

  constructor(
    private readonly folder: string,
    private readonly free: FreeBytes = freeBytes,
  ) {}

  /** Claims room for a commit. @throws Error when there is too little */
  claim(rows: number, bytes: number): void {
    const needed = COMMIT_BYTES + rows * ROW_BYTES + bytes;
    const nowMs = performance.now();
    if (needed > this.leftBytes || nowMs - this.lookedAtMs > LOOK_MS) {
      this.leftBytes = this.free(this.folder) - RESERVE_BYTES;
      this.lookedAtMs = nowMs;
    }
    if (needed > this.leftBytes) throw new Error(`the disk is full, but for ${RESERVE_BYTES / 2 ** 20} MiB`);
    this.leftBytes -= needed;
  }
}

/**
 * Makes LMDB's lock file, whole: LMDB maps it and touches it later, and where a sparse file cannot grow any more that is
 * a SIGBUS. Appears at once, so that no other process sees half of it.
 */
export function ensureLockFile(folder: string): void {
  const file = join(folder, 'lock.mdb');
  if (existsSync(file)) return;
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, Buffer.alloc(LOCK_BYTES));
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
