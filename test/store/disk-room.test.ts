import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskRoom, ensureLockFile, freeBytes } from '../../src/store/disk-room.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-room');
const MIB = 2 ** 20;

test('room is claimed from what was free at the last look, and the disk is looked at again before a refusal', () => {
  let free = 16 * MIB;
  let looks = 0;
  const room = new DiskRoom('/', () => {
    looks++;
    return free;
  });
  for (let k = 0; k < 5; k++) room.claim(1, MIB);
  expect(looks).toBe(1);
  free = 6 * MIB;
  room.claim(1, MIB);
  for (let k = 0; k < 4; k++) room.claim(1, MIB);
  expect(() => room.claim(1, 3 * MIB)).toThrow('full');
  free = 100 * MIB;
  expect(() => room.claim(1, 3 * MIB)).not.toThrow();
});

test('the free space of a real disk', () => {
  expect(freeBytes(tempDir())).toBeGreaterThan(0);
});

test('a lock file has all its blocks, and one that is there stays', () => {
  const folder = tempDir();
  ensureLockFile(folder);
  const { size, blocks } = statSync(join(folder, 'lock.mdb'));
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
  writeFileSync(join(folder, 'lock.mdb'), 'x');
  ensureLockFile(folder);
  expect(statSync(join(folder, 'lock.mdb')).size).toBe(1);
});
