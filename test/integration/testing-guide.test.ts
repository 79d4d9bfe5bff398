import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';

const ROOT = resolve(import.meta.dirname, '../..');
const tempDir = tempDirs('maestro-testing-guide');

it('the example of docs/testing.md passes with the test runner of Node', async () => {
  const guide = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');
  const [, example] = /```js\n(.*?)```/s.exec(guide)!;
  const url = (path: string): string => pathToFileURL(join(ROOT, 'dist/src', path, 'index.js')).href;
  const code = example
    .replace("'maestro-dag/testing'", `'${url('testing')}'`)
    .replace("'maestro-dag'", `'${url('runtime')}'`);
  const file = join(tempDir(), 'orders.test.mjs');
  writeFileSync(file, code);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], {
    env,
  });
  expect(stdout).toMatch(/# pass 2/);
}, 60_000);
