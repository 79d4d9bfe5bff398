import { existsSync, rmSync, statSync } from 'node:fs';
import { MaestroError } from '../base/errors.js';
import type { Kv } from '../store/kv.js';
import { dataFile } from '../store/lmdb-label.js';
import { copyStore, replaceData, storeFolder, usersOf } from '../store/lmdb-folder.js';
import { absorbLogs } from '../store/lmdb-open.js';
import { openKv, openStore } from '../store/open.js';
import { removeUnusedDefinitions } from './unused-definitions.js';
import { verifyStore } from './verify.js';

export interface BackupReport {
  readonly folder: string;
  readonly executions: number;
}

export interface RestoreReport extends BackupReport {
  /** Where the data of the store that was there before is now. */
  readonly previous?: string;
}

/**
 * Copies a store in files into a new folder, while other processes go on with it. Everything that was acknowledged
 * before is in the copy; the copy is a store.
 * @throws FILE_EXISTS, STORE_UNAVAILABLE, STORE_CORRUPT
 */
export async function backupStore(url: string, folder: string): Promise<BackupReport> {
  await withKv(existing(url), (kv) => copyStore(kv, storeFolder(folder), absorbLogs));
  return { folder, executions: await countOf(folder) };
}

/**
 * Makes a backup the store at `url`. The backup stays as it is; it is copied and verified before anything changes.
 * @param force also when there is a store already: that one is kept aside
 * @throws FILE_EXISTS, STORE_CORRUPT, RECORD_CORRUPT, EXECUTION_OWNED when a process has the store open
 */
export async function restoreStore(folder: string, url: string, force = false): Promise<RestoreReport> {
  const target = storeFolder(url);
  if (existsSync(target) && !force) {
    throw new MaestroError('FILE_EXISTS', `there is a store at ${target}`, {
      next: 'Restore into another place, or pass --force: the store that is there is kept aside.',
    });
  }
  const draft = `${target}.${process.pid}.restored`;
  await withKv(existing(folder), (kv) => copyStore(kv, draft, absorbLogs));
  try {
    const executions = await assertSound(draft);
    assertUnused(target);
    const previous = replaceData(target, draft, true);
    return { folder: target, executions, ...(previous !== undefined && { previous }) };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

export interface CompactReport {
  readonly folder: string;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** Definitions that were left out because no execution and no schedule has them. */
  readonly removedDefinitions: number;
}

/**
 * Rewrites a store in files without its free space, and without definitions that nothing needs any more.
 * @throws EXECUTION_OWNED when another process has it open: what that one writes meanwhile would be lost
 */
export async function compactStore(url: string): Promise<CompactReport> {
  const folder = existing(url);
  const draft = `${folder}.${process.pid}.compact`;
  const tight = `${draft}ed`;
  let [beforeBytes, removedDefinitions] = [0, 0];
  try {
    await withKv(folder, async (kv) => {
      assertUnused(folder);
      beforeBytes = kv.space?.().fileBytes ?? 0;
      await copyStore(kv, draft, absorbLogs);
    });
    // The copy is nobody else's. What is removed from it leaves room again.
    await withKv(draft, async (kv) => {
      removedDefinitions = await removeUnusedDefinitions(kv);
      if (removedDefinitions > 0) await copyStore(kv, tight, absorbLogs);
    });
    assertUnused(folder);
    replaceData(folder, removedDefinitions > 0 ? tight : draft, false);
  } finally {
    for (const each of [draft, tight]) rmSync(each, { recursive: true, force: true });
  }
  return { folder, beforeBytes, afterBytes: statSync(dataFile(folder)).size, removedDefinitions };
}

async function withKv(folder: string, use: (kv: Kv) => Promise<void>): Promise<void> {
  const kv = await openKv(`lmdb:${folder}`);
  try {
    await use(kv);
  } finally {
    await kv.close();
  }
}

/** @throws STORE_UNAVAILABLE when there is no store */
function existing(url: string): string {
  const folder = storeFolder(url);
  if (existsSync(dataFile(folder))) return folder;
  throw new MaestroError('STORE_UNAVAILABLE', `there is no store at ${folder}`);
}

/** A process that has the file open would go on writing into the one that was replaced. @throws EXECUTION_OWNED */
function assertUnused(folder: string): void {
  const pids = usersOf(folder);
  if (pids.length === 0) return;
  throw new MaestroError('EXECUTION_OWNED', `the store ${folder} is open in process ${pids.join(', ')}`, {
    details: { pids },
    next: 'Stop that process first.',
  });
}

async function countOf(folder: string): Promise<number> {
  const store = await openStore(storeFolder(folder));
  try {
    const counts = await store.countByStatus();
    return Object.values(counts).reduce((sum, n) => sum + n, 0);
  } finally {
    await store.close();
  }
}

/** @throws RECORD_CORRUPT naming the executions that are damaged */
async function assertSound(folder: string): Promise<number> {
  const store = await openStore(folder);
  try {
    const { executions, damage } = await verifyStore(store);
    if (damage.length === 0) return executions;
    const ids = [...new Set(damage.map(({ execution_id }) => execution_id))].join(', ');
    throw new MaestroError('RECORD_CORRUPT', `the backup has damaged executions: ${ids}`, {
      next: 'See `maestro snapshot verify` on it; take an older backup, or export what is sound.',
    });
  } finally {
    await store.close();
  }
}
