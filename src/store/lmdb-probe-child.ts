/*
 * Run in a child process: reads the store whose folder is the argument, as far as the time budget goes, and ends
 * with 0 when nothing is wrong with it. Damaged, it says how and ends with 1, or dies of a signal.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { ABORT, type RootDatabase } from 'lmdb';
import { openEnvironment } from './lmdb-environment.js';
import { dataFile } from './lmdb-label.js';
import { LmdbGate } from './lmdb-gate.js';
import { LmdbStructure, newestMeta } from './lmdb-structure.js';

/** A store that takes longer is looked at from its beginning as far as that goes. */
const BUDGET_MS = 5_000;
/** Pages that a transaction allocated at the end and freed again are counted but never written. */
const UNWRITTEN_BYTES = 16 * 2 ** 20;
/** How often one of the states of a store that is being written to is tried to be held on to. */
const TRIES = 100;

const REHEARSED_ROWS = 200;
const REHEARSED_BYTES = 6000;

async function check(folder: string): Promise<void> {
  const file = openSync(dataFile(folder), 'r');
  const gate = new LmdbGate(folder);
  try {
    checkLength(file);
    const db = await gate.whileNobodyWrites(() => openEnvironment(folder));
    checkStructure(file, db);
    rehearseWriting(db);
    await gate.enter();
    await db.close();
  } finally {
    gate.end();
    closeSync(file);
  }
}

function checkLength(file: number): void {
  const meta = newestMeta(file);
  if (meta === undefined) return;
  const expected = (meta.lastPage + 1) * meta.pageBytes;
  const { size } = fstatSync(file);
  if (size < expected - UNWRITTEN_BYTES) throw new Error(`it has ${size} bytes instead of ${expected}`);
}

/** While a reader holds on to a state of the file, no writer touches its pages. */
function checkStructure(file: number, db: RootDatabase<Uint8Array, string>): void {
  const endMs = performance.now() + BUDGET_MS;
  for (let left = TRIES; left > 0; left--) {
    const before = newestMeta(file);
    if (before === undefined) return;
    const reader = db.useReadTransaction();
    try {
      const meta = newestMeta(file);
      if (meta?.txn !== before.txn) continue;
      new LmdbStructure(file, meta, () => performance.now() < endMs).check();
      return;
    } finally {
      reader.done();
      db.resetReadTxn();
    }
  }
}

/** Starts to write and takes it back: LMDB then reads its list of free pages, which no reader does. */
function rehearseWriting(db: RootDatabase<Uint8Array, string>): void {
  db.transactionSync(() => {
    for (let i = 0; i < REHEARSED_ROWS; i++) void db.put(`m/probe/${i}`, new Uint8Array(REHEARSED_BYTES));
    return ABORT;
  });
}

try {
  await check(process.argv[2]);
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
