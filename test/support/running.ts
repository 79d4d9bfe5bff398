import { readFileSync } from 'node:fs';

const PF_EXITING = 4;
const SIGKILL_BIT = 1n << 8n;

/** Whether such a process may still run code of its own: one that was killed may take a moment to be gone. */
export function mayRun(pid: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const isKilled = [...status.matchAll(/^(?:Sig|Shd)Pnd:\s+(\w+)$/gm)].some(
      ([, signals]) => (BigInt(`0x${signals}`) & SIGKILL_BIT) !== 0n,
    );
    // After the name, which may hold anything, come the state and five numbers, then the flags.
    const flags = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[6];
    return isRunning(pid) && !isKilled && (Number(flags) & PF_EXITING) === 0;
  } catch {
    return false;
  }
}

/** Whether there is such a process. A killed one may stay as a zombie until somebody reaps it: that is not running. */
export function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
