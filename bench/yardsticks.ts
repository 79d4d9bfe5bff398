import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { bodiesOf } from './bodies.js';
import { openDatabase, WriteThroughFile } from './durable.js';
import { inFolder } from './folder.js';
import { secondsOf, warmSecondsOf, type Pace } from './measure.js';
import { task } from './step.js';
import type { BenchCase } from './types.js';
import { benchGraph } from './workloads.js';

const TASKS = 10_000;
const BATCHED_TASKS = 200_000;
const TASKS_OF_A_MESSAGE = 100;
const TASKS_IN_TURN = 5000;
const SYNCS = 500;
const LOG_BLOCKS = 256;
const PUTS = 100_000;
const PUTS_OF_A_COMMIT = 1000;

/** Nodes per second of the same graph over plain promises, in this thread, nothing durable: the graph's own cost. */
export async function promisesPerSecond(each: BenchCase, pace: Pace): Promise<number> {
  const { executions, dependencies } = await benchGraph(each);
  const { payloadBytes } = each;
  const bodyOf = bodiesOf(each.body, dependencies.length, each.seed);
  const contexts = dependencies.map((_, node) => ({ nodeConfig: { body: bodyOf(node), payloadBytes } }));
  const once = async () => {
    const ends: Promise<unknown>[] = [];
    for (let k = 0; k < executions; k++) {
      const done: Promise<object>[] = [];
      for (const [node, before] of dependencies.entries())
        done.push(Promise.all(before.map((each) => done[each])).then(() => task(contexts[node])));
      ends.push(Promise.all(done));
    }
    await Promise.all(ends);
  };
  return (executions * dependencies.length) / (await warmSecondsOf(once, pace));
}

/** Tasks per second that do nothing on worker threads, each its own message, without dependencies or a store. */
export function piscinaPerSecond(threads: number, pace: Pace): Promise<number> {
  return onPiscina(threads, async (pool) => {
    const all = () => Promise.all(Array.from({ length: TASKS }, () => pool.run({})));
    return TASKS / (await warmSecondsOf(all, pace));
  });
}

/** The same, many to a message: what a pool that batches could do at most. */
export function batchedPiscinaPerSecond(threads: number, pace: Pace): Promise<number> {
  return onPiscina(threads, async (pool) => {
    const tasks = Array.from({ length: TASKS_OF_A_MESSAGE }, (_, k) => ({ k }));
    const messages = BATCHED_TASKS / TASKS_OF_A_MESSAGE;
    const all = () => Promise.all(Array.from({ length: messages }, () => pool.run(tasks, { name: 'batch' })));
    return BATCHED_TASKS / (await warmSecondsOf(all, pace));
  });
}

/** Tasks per second when each is sent only after the one before has answered: round trips to one thread. */
export function piscinaInTurnPerSecond(pace: Pace): Promise<number> {
  return onPiscina(1, async (pool) => {
    const all = async () => {
      for (let k = 0; k < TASKS_IN_TURN; k++) await pool.run({});
    };
    return TASKS_IN_TURN / (await warmSecondsOf(all, pace));
  });
}

async function onPiscina(threads: number, use: (pool: Piscina) => Promise<number>): Promise<number> {
  const filename = fileURLToPath(new URL('noop-task.js', import.meta.url));
  // As the runtime has it: the default freezes idle workers.
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads, atomics: 'disabled' });
  try {
    return await use(pool);
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
    const db = openDatabase(folder);
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

/**
 * Blocks of 4 KiB per second, one after the other, written through to a file that has its size already, while the event loop
 * is free: what a log of commits could do at most.
 */
export function writesThroughPerSecond(pace: Pace): Promise<number> {
  return inFolder(async (folder) => {
    const block = Buffer.alloc(4096, 1);
    const file = new WriteThroughFile(join(folder, 'file'), LOG_BLOCKS * block.length);
    const run = async (): Promise<void> => {
      for (let k = 0; k < SYNCS; k++) await file.write(block, (k % LOG_BLOCKS) * block.length);
    };
    try {
      return SYNCS / (await warmSecondsOf(run, pace));
    } finally {
      file.close();
    }
  });
}
