import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';

const PROGRAM = join(import.meta.dirname, '../fixtures/store/program.mjs');
const COMMITS = 30;
const tempDir = tempDirs('maestro-strace');
const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;

test.skipIf(!canTrace)(
  'a commit is acknowledged only after its pages and then its root are on disk',
  async () => {
    const folder = tempDir();
    const log = join(tempDir(), 'strace.log');
    const calls = 'trace=openat,write,writev,pwrite64,pwritev,fdatasync,fsync';
    const writer = [process.execPath, PROGRAM, 'write', folder, '1', String(COMMITS)];
    const { status } = spawnSync('strace', ['-f', '-y', '-e', calls, '-o', log, ...writer], {
      stdio: 'ignore',
    });
    expect(status).toBe(0);
    const steps = stepsOf(readFileSync(log, 'utf8'));
    const firstAck = steps.indexOf('A');
    // P pages written, S pages synced, R root written (through a descriptor that syncs), A acknowledged.
    expect(steps.slice(firstAck + 1)).toMatch(/^(P+SRA)+/);
    expect(steps.slice(0, firstAck)).toMatch(/P+SR$/);
    expect(steps.split('A').length - 1).toBeGreaterThanOrEqual(COMMITS);
  },
);

/** The trace of one writer as a string of letters, in the order in which the calls ended. */
function stepsOf(trace: string): string {
  const unfinished = new Map<string, string>();
  let rootDescriptor = '';
  let steps = '';
  for (const line of trace.split('\n')) {
    const opened = /openat\(.*data\.mdb", O_WRONLY\|O_DSYNC.*= (\d+)/.exec(line);
    if (opened) rootDescriptor = opened[1];
    const thread = line.split(' ', 1)[0];
    if (line.includes(' resumed>')) {
      steps += unfinished.get(thread) ?? '';
      unfinished.delete(thread);
      continue;
    }
    const step = stepOf(line, rootDescriptor);
    if (line.includes('<unfinished')) unfinished.set(thread, step);
    else steps += step;
  }
  return steps;
}

function stepOf(line: string, rootDescriptor: string): string {
  const call = /^\d+\s+(\w+)\((\d+)</.exec(line);
  if (!call) return '';
  const [, name, descriptor] = call;
  if (name === 'write' && descriptor === '1') return 'A';
  if (!line.includes('data.mdb>')) return '';
  if (name.endsWith('sync')) return 'S';
  return descriptor === rootDescriptor ? 'R' : 'P';
}
