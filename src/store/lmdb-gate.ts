import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { v4 as uuid } from 'uuid';
import { currentProcess, isAlive, type ProcessIdentity } from './process-identity.js';

/** A file that has not been touched for longer was left behind, or its process hangs. */
const STALE_MS = 10_000;
/** How often a file of another process is looked at again. */
const LOOK_MS = 1;
/**
 * How long one process waits for another, which may be stopped, or hang in a write. To go on then is no great risk: what
 * the gate keeps apart are some microseconds of each.
 */
const PATIENCE_MS = 5_000;
const [OPENING, USER] = ['opening', 'user-'];
const [IDLE, WRITING] = [Buffer.from('0'), Buffer.from('1')];

/**
 * Keeps commits and the opening of an LMDB environment apart, over all processes that share it.
 *
 * LMDB as lmdb brings it (3.5.6) reads the number of the last transaction when it opens an environment, and then sets the one
 * that all processes go by to that (`mdb_env_open2`; LMDB itself has since made that conditional). A commit between the
 * two is taken back by the next one, although it was acknowledged. And the last process to close an environment destroys
 * locks that one which is just opening it takes for good (`mdb_env_close_active`).
 *
 * So each process has a file `user-…` beside the data, whose first byte says whether it commits (or closes) right now, and
 * for as long as it opens the environment a file in the folder `opening`, which is there while that is not empty. Who wants to
 * commit says so first and then looks for the folder (Dekker's algorithm: whoever comes second sees the first), and takes it
 * back while somebody opens; who opens waits until nobody commits. Files of processes that have died count for nothing.
 */
export class LmdbGate {
  private readonly opening: string;
  private readonly intent: string;
  private readonly user: string;
  private readonly text: string;
  /** Made when it is needed first: whoever only reads never has one. */
  private file: number | null = null;

  constructor(
    private readonly folder: string,
    private readonly self: ProcessIdentity = currentProcess(),
  ) {
    const id = uuid();
    this.opening = join(folder, OPENING);
    this.intent = join(this.opening, id);
    this.user = join(folder, USER + id);
    this.text = JSON.stringify(self);
  }

  /** Opens what `open` opens, while nobody commits. @throws what `open` and the file system throw */
  async whileNobodyWrites<T>(open: () => T): Promise<T> {
    try {
      while (!this.announce());
    } catch (error) {
      // On a full disk nobody commits, and what is stored can be read all the same.
      if (!isFull(error)) throw error;
    }
    try {
      await this.until(() => !this.saidIn(this.folder, USER).includes('1'));
      return open();
    } finally {
      rmSync(this.intent, { force: true });
      this.removeIfEmpty();
    }
  }

  /** Before a commit; undefined: at once. Each is followed by `leave`. @throws what the file system throws */
  enter(): Promise<void> | undefined {
    this.say(WRITING);
    return existsSync(this.opening) ? this.wait() : undefined;
  }

  /** The commit is over, however it went. */
  leave(): void {
    if (this.file !== null) this.say(IDLE);
  }

  /** The environment is closed. */
  end(): void {
    if (this.file === null) return;
    closeSync(this.file);
    this.file = null;
    rmSync(this.user, { force: true });
  }

  /** @returns false when the folder went just before the file came */
  private announce(): boolean {
    try {
      mkdirSync(this.opening);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    try {
      writeFileSync(this.intent, `0${this.text}`);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return false;
    }
  }

  /** Somebody else may still be opening, or have been faster. */
  private removeIfEmpty(): void {
    try {
      rmdirSync(this.opening);
    } catch {
      // The next one does it.
    }
  }

  private async wait(): Promise<void> {
    const isFree = (): boolean => {
      this.say(WRITING);
      if (this.saidIn(this.opening).length === 0) {
        this.removeIfEmpty();
        return true;
      }
      this.say(IDLE);
      return false;
    };
    if (!(await this.until(isFree))) this.say(WRITING);
  }

  /** What files of live processes say; removes those of dead ones. */
  private saidIn(folder: string, prefix = ''): string[] {
    return namesIn(folder, prefix).flatMap((name) => {
      const path = join(folder, name);
      const text = textOf(path);
      if (text === undefined) return [];
      if (!this.isLeftBehind(text)) return ageMs(path) > STALE_MS ? [] : [text.slice(0, 1)];
      rmSync(path, { force: true });
      return [];
    });
  }

  /** Half a text is one that is just being written. */
  private isLeftBehind(text: string): boolean {
    try {
      return !isAlive(JSON.parse(text.slice(1)) as ProcessIdentity, this.self);
    } catch {
      return false;
    }
  }

  /** @returns whether it came to that within the patience */
  private async until(isSo: () => boolean): Promise<boolean> {
    const endMs = performance.now() + PATIENCE_MS;
    while (!isSo()) {
      if (performance.now() > endMs) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  private say(state: Buffer): void {
    this.file ??= this.made();
    writeSync(this.file, state, 0, 1, 0);
  }

  private made(): number {
    const file = openSync(this.user, 'w');
    writeSync(file, `0${this.text}`);
    return file;
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** None where the folder was taken away. */
function namesIn(folder: string, prefix: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

function ageMs(path: string): number {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
