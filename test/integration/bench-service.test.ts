import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const BENCH = resolve(import.meta.dirname, '../../bench/service.mjs');

interface Report {
  errors: string[];
  requests: { name: string; total: number }[];
}

it('the service answers at full rate without an error, and everything acknowledged completes', async () => {
  const args = [BENCH, '--seconds', '2', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(BENCH, '..') });
  const { errors, requests } = JSON.parse(stdout) as Report;
  expect(errors).toEqual([]);
  expect(requests.map(({ name, total }) => [name, total > 0])).toEqual([
    ['GET /health', true],
    ['POST /api/workflows', true],
  ]);
});
