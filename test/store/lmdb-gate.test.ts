import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LmdbGate } from '../../src/store/lmdb-gate.js';
import { currentProcess } from '../../src/store/process-identity.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-gate');
const dead = JSON.stringify({ ...currentProcess(), processStart: '1' + currentProcess().processStart });

/** Puts a file there as another process would. */
function leave(folder: string, kind: 'user' | 'opening', text: string): string {
  const path = kind === 'user' ? join(folder, 'user-other') : join(folder, 'opening', 'other');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

test('who commits passes at once, and leaves nothing behind', () => {
  const folder = tempDir();
  const gate = new LmdbGate(folder);
  for (let i = 0; i < 3; i++) {
    expect(gate.enter()).toBeUndefined();
    gate.leave();
  }
  gate.end();
  gate.end();
  expect(readdirSync(folder)).toEqual([]);
});

test('who opens waits for a commit that is under way, and holds up the next one', async () => {
  const folder = tempDir();
  const [one, other] = [new LmdbGate(folder), new LmdbGate(folder)];
  expect(one.enter()).toBeUndefined();
  const order: string[] = [];
  const opened = other.whileNobodyWrites(() => order.push('open'));
  await sleep(20);
  order.push('the commit before ended');
  one.leave();
  const entered = one.enter();
  expect(entered).toBeInstanceOf(Promise);
  await opened;
  await entered;
  order.push('committing');
  expect(order).toEqual(['the commit before ended', 'open', 'committing']);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^user-/)]);
});

test('who comes to open lets those go first who wait to commit', async () => {
  const folder = tempDir();
  const before = leave(folder, 'opening', `0${JSON.stringify(currentProcess())}`);
  const [one, other] = [new LmdbGate(folder), new LmdbGate(folder)];
  const order: string[] = [];
  const entered = one.enter()!.then(() => order.push('committing'));
  const opened = other.whileNobodyWrites(() => order.push('open'));
  await sleep(50);
  expect(order).toEqual([]);
  rmSync(before);
  await entered;
  await sleep(50);
  expect(order).toEqual(['committing']);
  one.leave();
  await opened;
  expect(order).toEqual(['committing', 'open']);
});

test('a crowd is waited for as long as others come and go; the same ones are not waited for for ever', async () => {
  const folder = tempDir();
  const text = `0${JSON.stringify(currentProcess())}`;
  const gate = new LmdbGate(folder);
  let hasEntered = false;
  leave(folder, 'opening', text);
  const entered = gate.enter()!.then(() => (hasEntered = true));
  for (let k = 0; k < 7; k++) {
    const next = join(folder, 'opening', `next-${k}`);
    writeFileSync(next, text);
    await sleep(1_000);
    expect(hasEntered).toBe(false);
    rmSync(next);
  }
  await entered;
});

test('a crowd in one process all get their turns, and nobody opens while one commits', async () => {
  const folder = tempDir();
  let [committing, opening] = [0, 0];
  const turn = async (k: number): Promise<void> => {
    const gate = new LmdbGate(folder);
    for (let round = 0; round < 3; round++) {
      await gate.whileNobodyWrites(() => {
        expect(committing).toBe(0);
        opening++;
      });
      await gate.enter();
      committing++;
      await sleep(k % 3);
      committing--;
      gate.leave();
    }
    gate.end();
  };
  await Promise.all(Array.from({ length: 30 }, (_, k) => turn(k)));
  expect(opening).toBe(90);
  expect(readdirSync(folder)).toEqual([]);
});

test('what opens may throw: others go on all the same', async () => {
  const folder = tempDir();
  const gate = new LmdbGate(folder);
  const broken = (): never => {
    throw new Error('no such store');
  };
  await expect(gate.whileNobodyWrites(broken)).rejects.toThrow('no such store');
  expect(gate.enter()).toBeUndefined();
});

test.each([
  ['a dead process that was opening', 'opening', `0${dead}`],
  ['a dead process that was committing', 'user', `1${dead}`],
] as const)('%s holds nobody up, and what it left is removed', async (_, kind, text) => {
  const folder = tempDir();
  const path = leave(folder, kind, text);
  const gate = new LmdbGate(folder);
  if (kind === 'user') await gate.whileNobodyWrites(() => undefined);
  await gate.enter();
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^user-/)]);
});

test('a file that has not been touched for long holds nobody up: its process may be one that cannot be seen from here', async () => {
  const folder = tempDir();
  const another = JSON.stringify({ ...currentProcess(), processStart: '1@pid:[1]', hostname: 'another' });
  for (const [kind, state] of [
    ['user', '1'],
    ['opening', '0'],
  ] as const) {
    const path = leave(folder, kind, state + another);
    const longAgo = Date.now() / 1000 - 60;
    utimesSync(path, longAgo, longAgo);
  }
  const gate = new LmdbGate(folder);
  await gate.whileNobodyWrites(() => undefined);
  await gate.enter();
  expect(readdirSync(folder)).toContain('user-other');
});
