/** Snapshot and restore: export, import, verify, back up, restore, compact. Each takes a store's URL or an open Kv. */
import { systemClock } from '../base/clock.js';
import type { Kv } from '../store/kv.js';
import { openStore } from '../store/open.js';
import type { ExecutionStore } from '../store/types.js';
import { exportLines, type ExportOptions } from './export.js';
import { fileLines, writeLines } from './file.js';
import {
  importSnapshot as importInto,
  readSnapshot,
  type ImportOptions,
  type ImportReport,
  type SnapshotSource,
} from './import.js';
import { verifyStore as verify, type VerifyReport } from './verify.js';

export { backupStore, compactStore, restoreStore } from './backup.js';
export type { BackupReport, CompactReport, RestoreReport } from './backup.js';
export { diffExecutions, diffStores } from './diff.js';
export type { ExecutionDifference, NodeView, StoreDifference } from './diff.js';
export { SNAPSHOT_VERSION } from './format.js';
export {
  COLLISIONS,
  type Collision,
  type ImportOptions,
  type ImportReport,
  type SnapshotSource,
} from './import.js';
export { storeStatistics, type StoreStatistics } from './statistics.js';
export type { Damage, VerifyReport } from './verify.js';

/** What to export; by default everything. */
export type SnapshotOptions = Partial<ExportOptions>;

/** The lines of an export of a store, each with its end. @throws EXECUTION_NOT_FOUND, RECORD_CORRUPT */
export async function* exportSnapshot(
  store: string | Kv,
  options: SnapshotOptions = {},
): AsyncGenerator<string> {
  const opened = await openStore(store);
  try {
    yield* exportLines(opened, { nowMs: systemClock.nowMs(), ...options });
  } finally {
    await release(store, opened);
  }
}

/** Exports into a file, which appears when it is complete. @throws SNAPSHOT_FILE, and as exportSnapshot */
export function exportToFile(
  store: string | Kv,
  path: string,
  options: SnapshotOptions & { gzip?: boolean } = {},
): Promise<void> {
  return writeLines(path, exportSnapshot(store, options), options.gzip ?? path.endsWith('.gz'));
}

/**
 * Imports the executions of an export: a file (gzipped or not) or a source of lines.
 * @throws SNAPSHOT_CORRUPT, SNAPSHOT_VERSION, SNAPSHOT_FILE, EXECUTION_EXISTS, EXECUTION_OWNED
 */
export async function importSnapshot(
  store: string | Kv,
  from: string | SnapshotSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const opened = await openStore(store);
  try {
    return await importInto(opened, sourceOf(from), options);
  } finally {
    await release(store, opened);
  }
}

/** Checks all of an export. @returns how many executions it has. @throws SNAPSHOT_CORRUPT, SNAPSHOT_VERSION, SNAPSHOT_FILE */
export async function verifySnapshot(from: string | SnapshotSource): Promise<number> {
  let executions = 0;
  for await (const { type } of readSnapshot(sourceOf(from))) if (type === 'execution') executions++;
  return executions;
}

/** Reads every record of a store and reports what is damaged. Opening it finishes interrupted deletions; nothing else is written. */
export async function verifyStore(
  store: string | Kv,
  onExecution?: (executionId: string) => void,
): Promise<VerifyReport> {
  const opened = await openStore(store);
  try {
    return await verify(opened, onExecution);
  } finally {
    await release(store, opened);
  }
}

function sourceOf(from: string | SnapshotSource): SnapshotSource {
  return typeof from === 'string' ? fileLines(from) : from;
}

/** What was given open stays open. */
async function release(given: string | Kv, opened: ExecutionStore): Promise<void> {
  if (typeof given === 'string') await opened.close();
}
