import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeWhole } from '../../src/store/artifact-files.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-files');

test('a file that several write at once is one of what they wrote, and nothing else is left', async () => {
  const folder = tempDir();
  const file = join(folder, 'mark');
  const texts = Array.from({ length: 20 }, (_, k) => `${k}`.repeat(1000 + k));
  await Promise.all(texts.map((text) => writeWhole(file, text, true)));
  expect(readdirSync(folder)).toEqual(['mark']);
  expect(texts).toContain(readFileSync(file, 'utf8'));
});

test('a file that cannot be written leaves nothing', async () => {
  const folder = tempDir();
  await expect(writeWhole(join(folder, 'no', 'mark'), 'x', false)).rejects.toThrow('ENOENT');
  await writeWhole(join(folder, 'mark'), 'x', false);
  await expect(writeWhole(folder, 'x', false)).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(['mark']);
});
