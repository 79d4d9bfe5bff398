import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';
import { readTrace } from './power-trace.mjs';

const tempDir = tempDirs('maestro-trace');
const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16)}`).join('');
const file = `7<${hex('/s/data')}>`;

async function calls(...lines: string[]) {
  const path = join(tempDir(), 'trace');
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return readTrace(path, (each) => each?.startsWith('/s/') === true);
}

test('a call is read with its place, its length and where it began and ended', async () => {
  const found = await calls(
    `12 openat(AT_FDCWD<${hex('/w')}>, "${hex('/s/data')}", O_WRONLY|O_DSYNC|O_CLOEXEC) = ${file}`,
    `12 pwrite64(${file}, "${hex('ab')}", 2, 4096 <unfinished ...>`,
    `13 fdatasync(${file} <unfinished ...>`,
    `12 <... pwrite64 resumed>)           = 2`,
    `12 lseek(${file}, 8192, SEEK_SET)    = 8192`,
    `12 writev(${file}, [{iov_base="${hex('a')}", iov_len=1}, {iov_base="${hex('bc')}", iov_len=2}], 2) = 2`,
    `13 <... fdatasync resumed>)          = 0`,
    `14 pwrite64(${file}, "${hex('z')}", 1, 0 <unfinished ...>`,
  );
  expect(found).toMatchObject([
    { kind: 'open', path: '/s/data', descriptor: '7', flags: new Set(['O_WRONLY', 'O_DSYNC', 'O_CLOEXEC']) },
    { kind: 'write', path: '/s/data', descriptor: '7', data: Buffer.from('ab'), at: 4096, begin: 2, end: 4 },
    { kind: 'sync', path: '/s/data', begin: 3, end: 7 },
    { kind: 'seek', at: 8192 },
    { kind: 'write', data: Buffer.from('ab'), begin: 6, end: 6 },
    { kind: 'write', at: 0, begin: 8, end: Infinity },
  ]);
});

test('what failed, and what is about other files, is left out', async () => {
  const found = await calls(
    `12 openat(AT_FDCWD<${hex('/w')}>, "${hex('/s/none')}", O_RDONLY) = -1 ENOENT (No such file or directory)`,
    `12 write(1<pipe:[1]>, "${hex('x')}", 1) = 1`,
    `12 mkdir("${hex('/other')}", 0777) = 0`,
    `12 rename("${hex('/other/a')}", "${hex('/s/a')}") = 0`,
    `12 +++ exited with 0 +++`,
  );
  expect(found).toMatchObject([{ kind: 'rename', path: '/other/a', to: '/s/a' }]);
});
