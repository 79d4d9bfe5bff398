import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, unlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inFolder } from './folder.js';

/** What forces data to disk, and what tells which files are written through. */
const CALLS = 'fsync,fdatasync,msync,sync_file_range,openat,pwrite64,pwritev,pwritev2';
const MARKS = { begin: 'maestro-bench-begin', end: 'maestro-bench-end' } as const;

/** How often data was forced to disk, as the kernel was asked to. */
export interface SyncCounts {
  /** fdatasync, fsync and their like. */
  readonly syncs: number;
  /** Writes that return when they are on disk (O_DSYNC): to a log, and of LMDB's root page. */
  readonly synchronous_writes: number;
}

/** Whether system calls can be counted here. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;
}

/** Runs what measures under strace, and counts what it forced to disk between its marks. */
export function traced<T>(
  measure: (under: readonly string[]) => Promise<T>,
): Promise<{ result: T } & SyncCounts> {
  return inFolder(async (folder) => {
    const path = join(folder, 'trace');
    const result = await measure(['strace', '-f', '-y', '--seccomp-bpf', '-e', `trace=${CALLS}`, '-o', path]);
    return { result, ...countSyncs(await readFile(path, 'utf8')) };
  });
}

/** Of what strace wrote with file names beside descriptors (`-y`). */
export function countSyncs(trace: string): SyncCounts {
  const writtenThrough = new Set<string>();
  /** Threads that are in the middle of opening a file that is written through. */
  const opening = new Set<string>();
  let [inside, syncs, synchronousWrites] = [false, 0, 0];
  for (const line of trace.split('\n')) {
    const resumed = /^(\d+)\s+<\.\.\. openat resumed>.*= (\d+<[^>]*>)$/.exec(line);
    if (resumed !== null && opening.delete(resumed[1])) writtenThrough.add(resumed[2]);
    // Of a call that another thread interrupts there is a second line, which names no descriptor.
    const call = /^\d+\s+(\w+)\((.*)/.exec(line);
    if (call === null) continue;
    const [, name, rest] = call;
    if (name === 'openat') {
      const opened = /\bO_D?SYNC\b.*= (\d+<[^>]*>)$/.exec(rest);
      if (opened !== null) writtenThrough.add(opened[1]);
      else if (/\bO_D?SYNC\b.*<unfinished/.test(rest)) opening.add(line.split(' ', 1)[0]);
    } else if (name.startsWith('pwrite')) {
      const file = /^\d+<[^>]*>/.exec(rest)?.[0];
      if (inside && file !== undefined && writtenThrough.has(file)) synchronousWrites++;
    } else if (rest.includes(MARKS.begin)) inside = true;
    else if (rest.includes(MARKS.end)) inside = false;
    else if (inside) syncs++;
  }
  return { syncs, synchronous_writes: synchronousWrites };
}

/** Has the trace show where what is measured begins or ends. */
export function markTrace(folder: string, which: keyof typeof MARKS): void {
  const path = join(folder, MARKS[which]);
  const file = openSync(path, 'w');
  fdatasyncSync(file);
  closeSync(file);
  unlinkSync(path);
}
