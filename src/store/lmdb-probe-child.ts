/*
 * Run in a child process: reads the store whose folder is the argument, as far as the time budget goes, and ends
 * with 0 when nothing is wrong with it. Damaged, it says how and ends with 1, or dies of a signal.
 */
import { statSync } from 'node:fs';
import { ABORT, type RootDatabase } from 'lmdb';
import { openEnvironment } from './lmdb-environment.js';
import { dataFile } from './lmdb-label.js';

/** For each direction. A store that is larger is probed at both ends. */
const BUDGET_MS = 400;
const KEYS_PER_LOOK_AT_THE_CLOCK = 256;
/** Pages that a transaction allocated at the end and freed again are counted but never written. */
const UNWRITTEN_BYTES = 16 * 2 ** 20;

const REHEARSED_ROWS = 200;
const REHEARSED_BYTES = 6000;

function check(folder: string): void {
  const db = openEnvironment(folder);
  const { lastPageNumber, root } = db.getStats() as { lastPageNumber: number; root: { pageSize: number } };
  const expected = (lastPageNumber + 1) * root.pageSize;
  const { size } = statSync(dataFile(folder));
  if (size < expected - UNWRITTEN_BYTES) throw new Error(`it has ${size} bytes instead of ${expected}`);
  if (!walk(db, false)) walk(db, true);
  rehearseWriting(db);
}

/** Starts to write and takes it back: LMDB then reads its list of free pages, which no reader does. */
function rehearseWriting(db: RootDatabase<Uint8Array, string>): void {
  db.transactionSync(() => {
    for (let i = 0; i < REHEARSED_ROWS; i++) void db.put(`m/probe/${i}`, new Uint8Array(REHEARSED_BYTES));
    return ABORT;
  });
}

/** Touches keys and values in order. false when time ran out. */
function walk(db: RootDatabase<Uint8Array, string>, reverse: boolean): boolean {
  const deadline = performance.now() + BUDGET_MS;
  const [start, end] = reverse ? ['\x7f', '\0'] : ['\0', '\x7f'];
  let previous: string | undefined;
  let count = 0;
  for (const { key } of db.getRange({ start, end, reverse })) {
    if (previous !== undefined && key > previous === reverse) throw new Error('its keys are out of order');
    previous = key;
    if (++count % KEYS_PER_LOOK_AT_THE_CLOCK === 0 && performance.now() > deadline) return false;
  }
  return true;
}

try {
  check(process.argv[2]);
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
