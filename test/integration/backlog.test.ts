import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';

const SCRIPT = resolve(import.meta.dirname, '../fixtures/backlog/run.js');
const LIMIT = 100;
/**
 * What one more waiting execution may cost while all wait: an id, a promise and a handle, about 1.5 KB. One in
 * memory costs about 15 KB, so were the backlog in memory, this would not hold.
 */
const WAITING_BYTES = 4096;
const tempDir = tempDirs('maestro-backlog');

interface Report {
  completed: number;
  stored: number;
  peakUnderWay: number;
  peakHeapBytes: number;
}

/** In a process of its own: its heap is measured. */
async function startAtOnce(count: number): Promise<Report> {
  const store = `lmdb:${join(tempDir(), 'store')}`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    SCRIPT,
    store,
    String(count),
    String(LIMIT),
  ]);
  return JSON.parse(stdout) as Report;
}

describe('executions that wait for their turn', () => {
  it('all end, and take next to no memory until it comes', { timeout: 300_000 }, async () => {
    const few = await startAtOnce(1_000);
    const many = await startAtOnce(10_000);
    for (const [report, count] of [[few, 1_000] as const, [many, 10_000] as const]) {
      expect(report).toMatchObject({ completed: count, stored: count });
      expect(report.peakUnderWay).toBeGreaterThan(1);
      expect(report.peakUnderWay).toBeLessThanOrEqual(LIMIT);
    }
    expect((many.peakHeapBytes - few.peakHeapBytes) / 9_000).toBeLessThan(WAITING_BYTES);
  });
});
