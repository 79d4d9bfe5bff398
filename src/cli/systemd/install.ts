import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { MaestroError, toErrorDocument } from '../../runtime/index.js';
import type { Terminal } from '../terminal.js';
import { stateDirectory, type UnitOptions } from './unit.js';

export const UNIT_NAME = 'maestro-dag.service';

/** Where a user's configuration lies, for systemd and for the service. */
export function userConfigFolder(env: Terminal['env']): string {
  return env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
}

export function unitPath(scope: UnitOptions['scope'], env: Terminal['env'], root: string): string {
  const folder = scope === 'system' ? '/etc/systemd/system' : join(userConfigFolder(env), 'systemd', 'user');
  return join(root, folder, UNIT_NAME);
}

/**
 * Writes the unit, all or nothing. Resolves to whether anything changed.
 * @throws FILE_EXISTS when there is another text and not `force`, USAGE when it cannot be written
 */
export function installUnit(path: string, text: string, force: boolean): boolean {
  try {
    const present = textAt(path);
    if (present === text) return false;
    if (present !== undefined && !force) {
      throw new MaestroError('FILE_EXISTS', `${path} is there already, and is different`, {
        next: 'Compare it with what `maestro systemd` prints; --force overwrites it. Own settings belong in a drop-in: `systemctl edit`.',
        details: { path },
      });
    }
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(draft, text, { mode: 0o644, flag: 'wx' });
      renameSync(draft, path);
    } finally {
      rmSync(draft, { force: true });
    }
    return true;
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    throw new MaestroError('USAGE', `cannot write ${path}: ${toErrorDocument(error).message}`, {
      cause: error,
      next: 'Run it as root (sudo), install for your account with --user, or print the unit and put it there.',
    });
  }
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the operator types next, in order. */
export function nextCommands(
  { scope, runAs, storePath }: UnitOptions,
  quote: (word: string) => string,
): string[] {
  const [user, name] = [scope === 'user' ? ' --user' : '', UNIT_NAME.replace('.service', '')];
  const ownFolder = scope === 'system' && storePath !== null && stateDirectory(storePath) === undefined;
  return [
    ...(scope === 'system' && runAs !== 'root'
      ? [`id ${runAs} || useradd --system --no-create-home --shell /usr/sbin/nologin ${runAs}`]
      : []),
    ...(ownFolder ? [`install -d -o ${runAs} -m 0700 ${quote(storePath)}`] : []),
    // Without it a user's services end when the user logs out.
    ...(scope === 'user' ? ['loginctl enable-linger'] : []),
    `systemctl${user} daemon-reload`,
    `systemctl${user} enable --now ${name}`,
    `systemctl${user} status ${name}`,
    `journalctl${user} -u ${name} -f`,
  ];
}
