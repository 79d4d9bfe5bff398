import { constants, readdirSync, write } from 'node:fs';
import { open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncPath } from '../base/sync.js';
import { isWhole } from './commit-log.js';

/** Where logs of commits are kept, each under the name of its owner. */
export interface LogPlace {
  /** Makes an empty one, in place of one of that name; it is on disk then. */
  create(owner: string): Promise<CommitLogFile>;
  /** What is in it; null when there is none. */
  read(owner: string): Promise<Buffer | null>;
  /** Its name for people. */
  nameOf(owner: string): string;
  /** Whose logs there are. */
  list(): Promise<string[]>;
  /** Nothing happens when there is none. */
  remove(owner: string): Promise<void>;
  /** Copies all of them into another folder, where they are not forced to disk; only logs in files have it. */
  copyTo?(folder: string): Promise<void>;
}

export interface CommitLogFile {
  readonly capacityBytes: number;
  /** Writes at an offset, one call after the other; settles when it is on disk. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Bytes stay where they are. */
  close(): Promise<void>;
}

/** Enough for 256 small commits, which then go to the store in one. */
const CAPACITY_BYTES = 2 ** 20;
/** Where a write to a file that was opened with it is one call, and on disk when that returns. */
const WRITE_THROUGH = process.platform === 'linux' ? constants.O_DSYNC : 0;
const PREFIX = 'log-';
/** How often a log that is being written is read to have it as it was at one moment. */
const READS = 5;

/** Logs as files beside the data. They have their whole size from the beginning: a write then changes nothing but bytes. */
export class LogFiles implements LogPlace {
  /** @param claim asked before anything is written; throws when the disk is full. Default: nobody is asked */
  constructor(
    private readonly folder: string,
    private readonly claim?: (bytes: number) => void,
  ) {}

  async create(owner: string): Promise<CommitLogFile> {
    const path = this.nameOf(owner);
    this.claim?.(CAPACITY_BYTES);
    try {
      const draft = await open(path, 'w');
      try {
        await draft.writeFile(Buffer.alloc(CAPACITY_BYTES));
        await draft.sync();
      } finally {
        await draft.close();
      }
      await fsyncPath(this.folder);
      return new LogFile(await open(path, constants.O_RDWR | WRITE_THROUGH), this.claim);
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async read(owner: string): Promise<Buffer | null> {
    try {
      return await readFile(this.nameOf(owner));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async list(): Promise<string[]> {
    return logsIn(this.folder).map((name) => name.slice(PREFIX.length));
  }

  async remove(owner: string): Promise<void> {
    await rm(this.nameOf(owner), { force: true });
  }

  async copyTo(folder: string): Promise<void> {
    for (const owner of await this.list()) {
      const bytes = await this.readAtRest(owner);
      if (bytes !== null) await writeFile(join(folder, PREFIX + owner), bytes);
    }
  }

  /** While its owner begins it anew it may look as if commits were missing. */
  private async readAtRest(owner: string): Promise<Buffer | null> {
    for (let left = READS; ; left--) {
      const bytes = await this.read(owner);
      if (bytes === null || left === 0 || isWhole(bytes, owner)) return bytes;
    }
  }

  nameOf(owner: string): string {
    return join(this.folder, PREFIX + owner);
  }
}

/** Names of the logs in a folder. */
export function logsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith(PREFIX));
}

class LogFile implements CommitLogFile {
  readonly capacityBytes = CAPACITY_BYTES;

  constructor(
    private readonly file: FileHandle,
    private readonly claim?: (bytes: number) => void,
  ) {}

  async write(bytes: Uint8Array, at: number): Promise<void> {
    this.claim?.(bytes.length);
    for (let done = 0; done < bytes.length;) done += await this.writePart(bytes, done, at);
    if (WRITE_THROUGH === 0) await this.file.datasync();
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Not the handle's own way: that costs a tenth of a small write. @returns how much of it was written */
  private writePart(bytes: Uint8Array, from: number, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.file.fd, bytes, from, bytes.length - from, at + from, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    });
  }
}
