import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { InvalidArgumentError, type Command } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { shellQuote } from '../format/text.js';
import { FLAGS, MaestroError } from '../../runtime/index.js';
import type { CommandContext } from '../session.js';
import { locateStore } from '../store-location.js';
import { installUnit, nextCommands, UNIT_NAME, unitPath, userConfigFolder } from '../systemd/install.js';
import { unitText, type UnitOptions } from '../systemd/unit.js';
import type { Terminal } from '../terminal.js';
import { addServeOptions, type ServeFlags } from './serve.js';

interface SystemdFlags extends ServeFlags {
  user?: boolean;
  install?: boolean;
  root: string;
  force?: boolean;
  runAs?: string;
  workingDirectory?: string;
  writable?: string[];
  memoryMax?: string;
}

/** An option of `serve` as it was written. */
interface Word {
  readonly option: string;
  /** null for an option without a value. */
  readonly value: string | null;
}

const SYSTEM_STORE = 'lmdb:/var/lib/maestro';
const SYSTEM_ACCOUNT = 'maestro';
/** What systemd gives services. */
const STANDARD_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Options of `serve` whose values are paths. */
const PATH_OPTIONS: ReadonlySet<string> = new Set(['--workflows', '--tokens']);
const PASSED_ON = [
  ...Object.values(FLAGS).map(({ variable }) => variable),
  'MAESTRO_LOG_LEVEL',
  'MAESTRO_LOG_REDACT',
];
const SECRETS = ['MAESTRO_TOKEN_READ', 'MAESTRO_TOKEN_WRITE'];

export function addSystemdCommand({ program, bind }: Registry): void {
  const words: Word[] = [];
  const command = program
    .command('systemd')
    .description('print, or install, a systemd unit that runs the service')
    .option('--user', 'for your own systemd instead of the machine’s')
    .option('--install', 'write the unit where systemd looks for it')
    .option('--root <dir>', 'with --install: below this folder, for packaging', '/')
    .option('--force', 'with --install: overwrite a unit that is different')
    .option('--run-as <account>', `account of a system service (default: ${SYSTEM_ACCOUNT})`, parseAccount)
    .option(
      '--working-directory <dir>',
      'default: the store of a system service; the current folder with --user',
    )
    .option('--writable <path...>', 'paths that the steps of a system service write to')
    .option('--memory-max <size>', 'limit of service and steps together, such as 2G or 50%', parseSize);
  const own = new Set(command.options);
  addServeOptions(command);
  // As they are written: what they mean is for `serve` to say, when it starts.
  for (const option of command.options.filter((each) => !own.has(each)))
    record(command, option.name(), words);
  for (const name of ['log-level', 'log-redact']) record(program, name, words);
  command
    .addHelpText(
      'after',
      examples(
        'maestro systemd --store lmdb:/var/lib/maestro --workflows /srv/flows',
        'sudo maestro systemd --install --tokens /etc/maestro/tokens --host 0.0.0.0',
        'maestro systemd --user --install --port 8001',
      ),
    )
    .action(bind((context, flags: SystemdFlags) => systemd(context, flags, words)));
}

function record(command: Command, name: string, words: Word[]): void {
  command.on(`option:${name}`, (value?: string | null) =>
    words.push({ option: `--${name}`, value: value ?? null }),
  );
}

function systemd(context: CommandContext, flags: SystemdFlags, words: readonly Word[]): Promise<number> {
  const { ui, terminal } = context;
  refuseContradictions(flags);
  const options = unitOptions(context, flags, words);
  const text = unitText(options);
  for (const name of SECRETS.filter((secret) => terminal.env[secret]))
    ui.warn(
      `${name} is not written into the unit, which everybody may read: put it into ${options.environmentFile}`,
    );
  const install = flags.install === true;
  const path = install ? unitPath(options.scope, terminal.env, resolve(terminal.cwd, flags.root)) : null;
  const changed = path !== null && installUnit(path, text, flags.force === true);
  const next = nextCommands(options, shellQuote);
  if (ui.json) ui.document({ unit: UNIT_NAME, scope: options.scope, path, changed, text, next });
  else if (path === null) ui.print(text.trimEnd());
  else {
    ui.print(changed ? `${ui.color.green('installed')} ${path}` : `${path} is up to date: nothing changed`);
    ui.print(`\nNext:\n${next.map((line) => `  ${ui.color.bold(line)}`).join('\n')}`);
  }
  return Promise.resolve(EXIT.success);
}

/** @throws USAGE */
function refuseContradictions(flags: SystemdFlags): void {
  if (flags.keep !== undefined && flags.retention === undefined)
    throw new MaestroError('USAGE', '--keep goes with --retention');
  if (flags.install !== true && (flags.force === true || flags.root !== '/'))
    throw new MaestroError('USAGE', '--force and --root go with --install');
  if (flags.user === true && (flags.runAs !== undefined || flags.writable !== undefined))
    throw new MaestroError('USAGE', '--run-as and --writable are for system services', {
      next: 'Leave them out: a service of --user is you, and may write where you may.',
    });
}

function unitOptions(
  { globals, terminal }: CommandContext,
  flags: SystemdFlags,
  words: readonly Word[],
): UnitOptions {
  const { env, cwd } = terminal;
  const scope = flags.user === true ? 'user' : 'system';
  const fallback = scope === 'system' && !env.MAESTRO_STORE ? SYSTEM_STORE : undefined;
  const store = locateStore(globals.store ?? fallback, env, cwd);
  // A store that is only the default, or a variable's, must not beat MAESTRO_ENABLE_CONTEXT_PERSISTENCE.
  const storeWords = globals.store === undefined ? [] : ['--store', store.url];
  const environment = environmentOf(terminal);
  if (globals.store === undefined) environment.set('MAESTRO_STORE', store.url);
  const main = join(import.meta.dirname, '../main.js');
  const folder = scope === 'system' ? (store.path ?? '/') : cwd;
  return {
    scope,
    command: [process.execPath, main, 'serve', ...storeWords, ...words.flatMap((word) => written(word, cwd))],
    workingDirectory: resolve(cwd, flags.workingDirectory ?? folder),
    storePath: store.path,
    writablePaths: (flags.writable ?? []).map((path) => resolve(cwd, path)),
    environment,
    environmentFile:
      scope === 'system' ? '/etc/default/maestro-dag' : join(userConfigFolder(env), 'maestro-dag.env'),
    runAs: flags.runAs ?? SYSTEM_ACCOUNT,
    memoryMax: flags.memoryMax,
    stopMs: flags.drain + (flags.grace ?? 0) * 1000,
  };
}

/** In one word, so that a value that begins with a dash stays one. Paths are absolute: the unit has another folder. */
function written({ option, value }: Word, cwd: string): string[] {
  if (value === null) return [option];
  return [`${option}=${PATH_OPTIONS.has(option) ? resolve(cwd, value) : value}`];
}

function environmentOf({ env }: Terminal): Map<string, string> {
  const environment = new Map<string, string>();
  const folder = dirname(process.execPath);
  // Steps find the node that the service runs with.
  if (!STANDARD_PATH.includes(folder)) environment.set('PATH', [folder, ...STANDARD_PATH].join(':'));
  for (const name of PASSED_ON) {
    const value = env[name];
    if (value !== undefined && value !== '') environment.set(name, value);
  }
  return environment;
}

/** @throws InvalidArgumentError */
function parseAccount(text: string): string {
  if (/^(?:[A-Za-z_][\w-]*|\d+)$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the name of an account, or its number.');
}

/** @throws InvalidArgumentError */
function parseSize(text: string): string {
  if (/^(?:\d+[KMGT]?|\d+%)$/.test(text)) return text;
  throw new InvalidArgumentError('Write bytes, 512M, 2G, or a share of the memory such as 50%.');
}
