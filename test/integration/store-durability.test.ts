import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canTrace } from '../../bench/fsyncs.js';
import { tempDirs } from '../support/temp-dir.js';

const PROGRAM = join(import.meta.dirname, '../fixtures/store/program.mjs');
const COMMITS = 30;
const tempDir = tempDirs('maestro-strace');

test.skipIf(!canTrace())(
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
    const steps = stepsOf(readFileSync(log, 'utf8'), commitSteps());
    const firstAck = steps.indexOf('A');
    expect(steps.slice(firstAck + 1)).toMatch(/^(P+SRA)+/);
    expect(steps.slice(0, firstAck)).toMatch(/P+SR$/);
    expect(steps.split('A').length - 1).toBeGreaterThanOrEqual(COMMITS);
  },
);

test.skipIf(!canTrace())('progress is acknowledged only after it is in the log, on disk', async () => {
  const folder = tempDir();
  const log = join(tempDir(), 'strace.log');
  const calls = 'trace=openat,write,writev,pwrite64,pwritev';
  const writer = [process.execPath, PROGRAM, 'log', folder, 'me', '150'];
  const { status } = spawnSync('strace', ['-f', '-y', '-e', calls, '-o', log, ...writer], {
    stdio: 'ignore',
  });
  expect(status).toBe(0);
  const trace = readFileSync(log, 'utf8');
  // What is written at an offset is written through: it is on disk when the call returns. The zeros are not.
  expect(trace).toMatch(/openat\(.*log-me", O_RDWR\|O_DSYNC/);
  const steps = stepsOf(trace, (line) => {
    const [, name, descriptor] = /^\d+\s+(\w+)\((\d+)</.exec(line) ?? [];
    if (name === 'write' && descriptor === '1') return 'A';
    return name === 'pwrite64' && line.includes('log-me>') ? 'L' : '';
  });
  // Since there is a log, each acknowledgement comes after a write of its own.
  const since = steps.replace(/^A+/, '');
  expect(since).toMatch(/^(LA)+$/);
  expect(since.split('L').length - 1).toBeGreaterThan(100);
});

test.skipIf(!canTrace())('a new store has its name on disk before anything is acknowledged', async () => {
  const top = tempDir();
  const log = join(tempDir(), 'strace.log');
  const folders = [join(top, 'a', 'store'), join(top, 'a'), top];
  const writer = [process.execPath, PROGRAM, 'write', folders[0], '1', '1'];
  const { status } = spawnSync('strace', ['-f', '-y', '-e', 'trace=write,fsync', '-o', log, ...writer], {
    stdio: 'ignore',
  });
  expect(status).toBe(0);
  const [before] = readFileSync(log, 'utf8').split(/^\d+ +write\(1</m);
  for (const folder of folders) expect(before).toMatch(new RegExp(`fsync\\(\\d+<${folder}>`));
});

/** The trace of one writer as a string of letters, in the order in which the calls ended. */
function stepsOf(trace: string, stepOf: (line: string) => string): string {
  const unfinished = new Map<string, string>();
  let steps = '';
  for (const line of trace.split('\n')) {
    const thread = line.split(' ', 1)[0];
    if (line.includes(' resumed>')) {
      steps += unfinished.get(thread) ?? '';
      unfinished.delete(thread);
      continue;
    }
    const step = stepOf(line);
    if (line.includes('<unfinished')) unfinished.set(thread, step);
    else steps += step;
  }
  return steps;
}

/** P pages written, S pages synced, R root written (through a descriptor that syncs), A acknowledged. */
function commitSteps(): (line: string) => string {
  let rootDescriptor = '';
  return (line) => {
    rootDescriptor = /openat\(.*data\.mdb", O_WRONLY\|O_DSYNC.*= (\d+)/.exec(line)?.[1] ?? rootDescriptor;
    const [, name, descriptor] = /^\d+\s+(\w+)\((\d+)</.exec(line) ?? [];
    if (name === undefined) return '';
    if (name === 'write' && descriptor === '1') return 'A';
    if (!line.includes('data.mdb>')) return '';
    if (name.endsWith('sync')) return 'S';
    return descriptor === rootDescriptor ? 'R' : 'P';
  };
}
