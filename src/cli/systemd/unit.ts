import { dirname } from 'node:path';
import { executable, listedPath, onePath, quoted } from './escape.js';

export interface UnitOptions {
  readonly scope: 'system' | 'user';
  /** The program and all its arguments. */
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** Folder of the store; null: nothing is stored. */
  readonly storePath: string | null;
  /** Further paths that steps write to. */
  readonly writablePaths: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  /** May be missing. */
  readonly environmentFile: string;
  /** Account of a system service. */
  readonly runAs: string;
  readonly memoryMax?: string;
  /** How long the service takes to stop, drain and grace together, in milliseconds. */
  readonly stopMs: number;
}

const STATE = '/var/lib/';
const TEMPORARY = /^(?:lmdb:|--[a-z-]+=)?\/(?:var\/)?tmp(?:\/|$)/;
const WATCHDOG_SECONDS = 30;
/** Beyond what drain and grace may take: ending by force, and the last commit. */
const STOP_MARGIN_SECONDS = 15;

/**
 * The unit of the service. System units are confined by what the kernel and systemd have. Of that, units of users get
 * what works in every user's manager: mount namespaces need privileges, or user namespaces, that not all machines give.
 */
export function unitText(options: UnitOptions): string {
  const { scope } = options;
  const sections = [
    [
      '[Unit]',
      'Description=maestro: durable DAG workflows',
      ...(scope === 'system' ? ['After=network.target'] : []),
    ],
    ['[Service]', ...serviceLines(options), ...confinement(options)],
    ['[Install]', `WantedBy=${scope === 'system' ? 'multi-user' : 'default'}.target`],
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function serviceLines(options: UnitOptions): string[] {
  const { scope, environment, environmentFile, runAs, memoryMax, stopMs } = options;
  const [program, ...args] = options.command;
  const stopSeconds = Math.ceil(stopMs / 1000) + STOP_MARGIN_SECONDS;
  return [
    'Type=notify',
    // systemd-notify speaks for the service: it is a child of it.
    'NotifyAccess=all',
    // The colon keeps systemd from expanding variables: a `$` in a path is a `$`.
    `ExecStart=:${[executable(program), ...args.map(quoted)].join(' ')}`,
    `WorkingDirectory=${onePath(options.workingDirectory)}`,
    ...(scope === 'system' ? [`User=${runAs}`] : []),
    ...[...environment].map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    `EnvironmentFile=-${onePath(environmentFile)}`,
    'Restart=on-failure',
    'RestartSec=2',
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    'TimeoutStartSec=60',
    // Longer than drain and grace: the service ends in order before systemd ends it.
    `TimeoutStopSec=${stopSeconds}`,
    'KillMode=mixed',
    // A step that runs out of memory is one failed attempt, not the end of the service.
    'OOMPolicy=continue',
    ...(memoryMax === undefined ? [] : [`MemoryMax=${memoryMax}`]),
  ];
}

function confinement(options: UnitOptions): string[] {
  return [
    'UMask=0077',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'RestrictNamespaces=yes',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'SystemCallArchitectures=native',
    // What is not in the set is refused, not fatal. MemoryDenyWriteExecute would be: V8 compiles as it runs.
    'SystemCallFilter=@system-service',
    'SystemCallErrorNumber=EPERM',
    ...(options.scope === 'system' ? fileSystem(options) : []),
  ];
}

function fileSystem({ storePath, writablePaths, workingDirectory, command }: UnitOptions): string[] {
  const state = storePath === null ? undefined : stateDirectory(storePath);
  const written = [...(storePath === null || state !== undefined ? [] : [storePath]), ...writablePaths];
  const inTemporary = [...written, ...command, workingDirectory].some((word) => TEMPORARY.test(word));
  return [
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    ...(state === undefined ? [] : [`StateDirectory=${state}`, 'StateDirectoryMode=0700']),
    ...(written.length === 0 ? [] : [`ReadWritePaths=${written.map(listedPath).join(' ')}`]),
    // A private /tmp would hide what the service needs there.
    `PrivateTmp=${inTemporary ? 'no' : 'yes'}`,
    'PrivateDevices=yes',
    'ProtectClock=yes',
    'ProtectControlGroups=yes',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'CapabilityBoundingSet=',
    'AmbientCapabilities=',
  ];
}

/** A folder directly under /var/lib is made by systemd itself, and given to the account of the service. */
export function stateDirectory(storePath: string): string | undefined {
  const name = storePath.slice(STATE.length);
  return dirname(storePath) === STATE.slice(0, -1) && /^[A-Za-z0-9_.-]+$/.test(name) ? name : undefined;
}
