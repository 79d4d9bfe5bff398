import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { OwnerRecord } from './types.js';

/** What tells a process from every other, also from a later one with the same pid. */
export type ProcessIdentity = Pick<OwnerRecord, 'pid' | 'processStart' | 'bootId' | 'hostname'>;

/** Which process this is, and which others run. A simulation has processes of its own. */
export interface Processes {
  current(): ProcessIdentity;
  /** Whether the owner's process still runs, as far as can be seen from here. */
  isAlive(owner: ProcessIdentity): boolean;
  /** Owners whose runtime closed or died while their process, one of these, lives on. */
  readonly retired: Set<string>;
}

const QUERY_TIMEOUT_MS = 5_000;

/** This process. Text that the system does not tell is empty. */
export function currentProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    processStart: `${startOf(process.pid) ?? ''}@${pidNamespace()}`,
    bootId: bootId(),
    hostname: hostname(),
  };
}

/**
 * Whether the owner's process still runs, as far as this process (`self`) can see:
 * - Another boot id: the machine was restarted, or the store was moved here from another machine. Dead: the stores
 *   of this release are files that only one machine can have open.
 * - The same boot and pid namespace: alive while that pid exists and started when the owner says.
 * - The same boot, another pid namespace, the same host name: a container that was restarted. Dead.
 * - The same boot, another pid namespace, another host name: another container of this machine, which cannot be
 *   seen from here. Alive. Give a service's container a fixed host name and its next one takes over.
 */
export function isAlive(owner: ProcessIdentity, self: ProcessIdentity = currentProcess()): boolean {
  if (owner.bootId !== self.bootId) return false;
  const [start, namespace] = partsOf(owner.processStart);
  if (namespace !== partsOf(self.processStart)[1]) return owner.hostname !== self.hostname;
  return pidExists(owner.pid) && (start === '' || start === startOf(owner.pid));
}

function partsOf(processStart: string): [start: string, namespace: string] {
  const at = processStart.lastIndexOf('@');
  return [processStart.slice(0, at), processStart.slice(at + 1)];
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started: ticks since boot on Linux, a date elsewhere. undefined when there is none, or no telling. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readText(`/proc/${pid}/stat`);
    return stat && startTicks(stat);
  }
  return query('ps', ['-o', 'lstart=', '-p', String(pid)]);
}

/**
 * Field 22 of /proc/PID/stat (proc_pid_stat(5)). Field 2 is the command name in parentheses, which may itself hold
 * spaces and parentheses: count from the last one. A zombie (state Z) has ended: it has no start.
 */
export function startTicks(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function bootId(): string {
  const linux = readText('/proc/sys/kernel/random/boot_id');
  return linux ?? query('sysctl', ['-n', 'kern.bootsessionuuid']) ?? '';
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function query(command: string, args: readonly string[]): string | undefined {
  try {
    const text = execFileSync(command, args, {
      encoding: 'utf8',
      timeout: QUERY_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** The processes of this machine. */
export const systemProcesses: Processes = {
  current: currentProcess,
  isAlive: (owner) => isAlive(owner),
  retired: new Set(),
};
