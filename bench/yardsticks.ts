import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { Piscina } from 'piscina';
import { secondsOf } from './measure.js';
import { task } from './step.js';
import type { BenchCase } from './types.js';
import { benchGraph } from './workloads.js';

const TASKS = 10_000;
const SYNCS = 500;
const PUTS = 100_000;
const PUTS_OF_A_COMMIT = 1000;

/** Nodes per second of the same graph over plain promises, in this thread, nothing durable: the graph's own cost. */
export async function promisesPerSecond(each: BenchCase): Promise<number> {
  const { executions, dependencies } = await benchGraph(each);
  const context = { nodeConfig: { body: each.body, payloadBytes: each.payloadBytes } };
  const seconds = await secondsOf(async () => {
    const ends: Promise<unknown>[] = [];
    for (let k = 0; k < executions; k++) {
      const done: Promise<object>[] = [];
      for (const before of dependencies)
        done.push(Promise.all(before.map((node) => done[node])).then(() => task(context)));
      ends.push(Promise.all(done));
    }
    await Promise.all(ends);
  });
  return (executions * dependencies.length) / seconds;
}

/** Tasks per second that do nothing on worker threads, each its own message, without dependencies or a store. */
export async function piscinaPerSecond(threads: number): Promise<number> {
  const filename = fileURLToPath(new URL('noop-task.js', import.meta.url));
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads });
  try {
    await Promise.all(Array.from({ length: 100 * threads }, () => pool.run({})));
    const all = () => Promise.all(Array.from({ length: TASKS }, () => pool.run({})));
    return TASKS / (await secondsOf(all));
  } finally {
    await pool.destroy();
  }
}

/** Writes of 4 KiB per second, each forced to disk: how many commits there can be. */
export function fdatasyncPerSecond(): Promise<number> {
  return inFolder(async (folder) => {
    const file = openSync(join(folder, 'file'), 'w');
    const page = Buffer.alloc(4096, 1);
    try {
      const seconds = await secondsOf(() => {
        for (let k = 0; k < SYNCS; k++) {
          writeSync(file, page);
          fdatasyncSync(file);
        }
      });
      return SYNCS / seconds;
    } finally {
      closeSync(file);
    }
  });
}

/** Rows per second put into LMDB, many to a commit, each commit on disk before the next. */
export function lmdbPutsPerSecond(): Promise<number> {
  return inFolder(async (folder) => {
    const db = open({ path: folder, compression: false, overlappingSync: false, encoding: 'binary' });
    const row = Buffer.alloc(100, 1);
    try {
      const seconds = await secondsOf(async () => {
        for (let k = 0; k < PUTS; k += PUTS_OF_A_COMMIT) {
          await db.transaction(() => {
            for (let each = k; each < k + PUTS_OF_A_COMMIT; each++) db.putSync(`row ${each}`, row);
          });
        }
      });
      return PUTS / seconds;
    } finally {
      await db.close();
    }
  });
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'maestro-bench-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
