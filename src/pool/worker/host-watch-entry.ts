import { workerData } from 'node:worker_threads';

/** A thread of a child process: ends the whole process group when the host is gone, whatever the main thread does. */

const EVERY_MS = 1_000;

setInterval(() => {
  if (process.ppid === workerData) return;
  process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
}, EVERY_MS);
