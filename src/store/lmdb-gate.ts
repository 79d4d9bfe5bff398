import { randomUUID } from 'node:crypto';
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
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentProcess, isAlive, type ProcessIdentity } from './process-identity.js';

/** A file that has not been touched for longer was left behind, or its process hangs. */
const STALE_MS = 10_000;
/** How soon files of other processes are looked at again, at first and at most. */
const LOOK_MS = 1;
const MAX_LOOK_MS = 250;
/** And so many times what a look has taken: a crowd that only looks has no time for what it waits for. */
const LOOK_TIMES = 20;
/** How often who waits says that it is still there. */
const REFRESH_MS = 1_000;
/**
 * How long one process waits for the same others, which may be stopped, or hang in a write. To go on then is no great risk: what
 * the gate keeps apart are some microseconds of each.
 */
const PATIENCE_MS = 5_000;
const [OPENING, USER] = ['opening', 'user-'];
/** What the first byte of a user's file says. */
const [IDLE, WRITING, WAITING] = ['0', '1', '2'] as const;

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
 * commit says so first and then looks for the folder (Dekker's algorithm: whoever comes second sees the first), and only says
 * that it waits while somebody opens; who opens waits until nobody commits. Files of processes that have died count for nothing.
 *
 * Who comes to open while somebody waits to commit lets that one go first, so that neither kind keeps the other waiting for
 * longer than those take that were there before (a phase-fair lock). Patience counts from when those waited for were last
 * others: a crowd on a busy machine is waited for, however long that takes.
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
    const id = randomUUID();
    this.opening = join(folder, OPENING);
    this.intent = join(this.opening, id);
    this.user = join(folder, USER + id);
    this.text = JSON.stringify(self);
  }

  /** Opens what `open` opens, while nobody commits. @throws what `open` and the file system throw */
  async whileNobodyWrites<T>(open: () => T): Promise<T> {
    try {
      // Removes what the dead have left.
      this.live(this.folder, USER);
      await this.until(
        () => this.saying(WAITING),
        () => undefined,
      );
      while (!this.announce());
    } catch (error) {
      // On a full disk nobody commits, and what is stored can be read all the same.
      if (!isFull(error)) throw error;
    }
    try {
      await this.until(
        () => this.saying(WRITING),
        () => this.touchIntent(),
      );
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
      writeFileSync(this.intent, IDLE + this.text);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return false;
    }
  }

  /** There is none where the disk was full. */
  private touchIntent(): void {
    try {
      utimesSync(this.intent, new Date(), new Date());
    } catch {
      // Nobody waits for it then.
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
    this.say(WAITING);
    const isFree = await this.until(
      () => {
        const seen = this.live(this.opening);
        if (seen.length > 0) return seen;
        this.say(WRITING);
        const still = this.live(this.opening);
        if (still.length === 0) this.removeIfEmpty();
        else this.say(WAITING);
        return still;
      },
      () => this.say(WAITING),
    );
    if (!isFree) this.say(WRITING);
  }

  /** Users that say so. */
  private saying(state: typeof WRITING | typeof WAITING): string[] {
    return this.live(this.folder, USER, state);
  }

  /** Names of files of live processes that begin like that; removes those of dead ones. */
  private live(folder: string, prefix = '', state = ''): string[] {
    return namesIn(folder, prefix).filter((name) => {
      const path = join(folder, name);
      const text = textOf(path);
      if (text?.startsWith(state) !== true) return false;
      if (!this.isLeftBehind(text)) return ageMs(path) <= STALE_MS;
      rmSync(path, { force: true });
      return false;
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

  /**
   * @param others who is waited for
   * @param refresh says that this one is there
   * @returns whether there were none any more, within the patience
   */
  private async until(others: () => readonly string[], refresh: () => void): Promise<boolean> {
    let before = '';
    let changedMs = performance.now();
    let refreshedMs = changedMs;
    for (;;) {
      const sinceMs = performance.now();
      const now = others().join();
      if (now === '') return true;
      const nowMs = performance.now();
      if (now !== before) changedMs = nowMs;
      else if (nowMs - changedMs > PATIENCE_MS) return false;
      before = now;
      if (nowMs - refreshedMs > REFRESH_MS) {
        refresh();
        refreshedMs = nowMs;
      }
      await sleep(Math.min(MAX_LOOK_MS, Math.max(LOOK_MS, LOOK_TIMES * (nowMs - sinceMs))));
    }
  }

  private say(state: typeof IDLE | typeof WRITING | typeof WAITING): void {
    this.file ??= this.made();
    writeSync(this.file, state, 0);
  }

  private made(): number {
    const file = openSync(this.user, 'w');
    writeSync(file, IDLE + this.text);
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
