import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SCRIPT = resolve(import.meta.dirname, '../fixtures/backlog/killed.js');
/** What one more waiting execution may cost. */
const WAITING_BYTES = 4096;
/** What an execution of the many may take, of what one of a tenth takes: the same but for noise. */
const COST_RATIO = 2;
/** With fewer the start of the process is most of it. */
const JUDGED_FROM = 20_000;
const MIB = 2 ** 20;

/** @param isKilled once it has said something */
function life(args, isKilled) {
  const child = spawn(process.execPath, ['--expose-gc', SCRIPT, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (isKilled) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk) => (err += chunk));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      if (out !== '' && (isKilled || code === 0)) done(JSON.parse(out));
      else fail(new Error(`it ended with ${signal ?? code}: ${err.slice(-2000)}`));
    });
  });
}

async function killAndGoOn(count) {
  const folder = mkdtempSync(join(tmpdir(), 'maestro-load-'));
  const store = `lmdb:${join(folder, 'store')}`;
  try {
    const sinceMs = performance.now();
    await life([store, count, 'start'], true);
    const start_seconds = (performance.now() - sinceMs) / 1000;
    return { count, start_seconds, ...(await life([store, count, 'go-on'], false)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rounded = (value) => Math.round(value * 1000) / 1000;

/**
 * A process with that many executions in its backlog is killed with SIGKILL, and the next one goes on: everything ends,
 * what waits takes next to no memory, and each execution costs what it costs in a backlog of a tenth.
 */
export async function backlog(executions, tell) {
  const few = await killAndGoOn(Math.ceil(executions / 10));
  tell('a tenth has ended');
  const many = await killAndGoOn(executions);
  const problems = [];
  const figures = [few, many].map((run) => {
    const { count, completed, stored, peakHeapBytes } = run;
    if (completed !== count || stored !== count)
      problems.push(`of ${count} executions ${completed} completed, ${stored} are stored so`);
    return {
      executions: count,
      start_seconds: rounded(run.start_seconds),
      first_node_seconds: rounded(run.firstSeconds),
      open_seconds: rounded(run.openSeconds),
      all_seconds: rounded(run.seconds),
      ms_each: rounded((run.seconds * 1000) / count),
      peak_heap_mib: rounded(peakHeapBytes / MIB),
    };
  });
  const ratio = many.seconds / many.count / (few.seconds / few.count);
  if (executions >= JUDGED_FROM && ratio > COST_RATIO)
    problems.push(`an execution costs ${rounded(ratio)} times that of a tenth`);
  const waitingBytes = (many.peakHeapBytes - few.peakHeapBytes) / (many.count - few.count);
  if (waitingBytes > WAITING_BYTES)
    problems.push(`a waiting execution takes ${Math.round(waitingBytes)} bytes`);
  return {
    backlog: figures,
    cost_ratio: rounded(ratio),
    waiting_bytes: Math.round(waitingBytes),
    problems,
  };
}
