import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupStore, compactStore, restoreStore } from '../../src/snapshot/backup.js';
import { LOGS, under } from '../../src/store/keys.js';
import { openLmdb } from '../../src/store/lmdb-open.js';
import { openKv } from '../../src/store/open.js';
import { collect, put } from '../contracts/kv.contract.js';
import { soon, text } from '../support/logged-world.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-backup-logs');
const logsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('log-'));

test('a backup has what is only in the log of a runtime that goes on, and no log of its own', async () => {
  const [folder, copy] = [join(tempDir(), 'store'), join(tempDir(), 'copy')];
  const runtime = await openLmdb(folder, { withoutLog: 0, applyAfterMs: 60_000 });
  const other = await openKv(folder);
  // From some commit on the log is in use, and nobody else sees them.
  let last = 0;
  do await soon(runtime, 'me', put('k', `${++last}`));
  while ((await text(other, 'k')) === `${last}`);
  await other.close();

  await backupStore(folder, copy);
  expect([logsIn(folder), logsIn(copy)]).toEqual([['log-me'], []]);
  const copied = await openKv(copy);
  expect(await text(copied, 'k')).toBe(`${last}`);
  expect(await collect(copied.keys(under(LOGS)))).toEqual([]);
  await copied.close();

  await soon(runtime, 'me', put('k', 'last'));
  await runtime.close();
  expect(logsIn(folder)).toEqual([]);
  const again = await openKv(folder);
  expect(await text(again, 'k')).toBe('last');
  await again.close();
});

test('a store that takes the place of another takes the place of its logs', async () => {
  const [folder, copy] = [join(tempDir(), 'store'), join(tempDir(), 'copy')];
  const kv = await openKv(folder);
  await kv.commit([put('k')]);
  await kv.close();
  await backupStore(folder, copy);
  writeFileSync(join(folder, 'log-of-before'), 'left over');
  await restoreStore(copy, folder, true);
  expect(logsIn(folder)).toEqual([]);
  writeFileSync(join(folder, 'log-of-before'), 'left over');
  await compactStore(folder);
  expect(logsIn(folder)).toEqual([]);
});
