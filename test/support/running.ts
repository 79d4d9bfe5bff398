import { readFileSync } from 'node:fs';

/** Whether there is such a process. A killed one may stay as a zombie until somebody reaps it: that is not running. */
export function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
