import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { Option, type Command } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { createLogger, logOptions } from '../logger.js';
import { parseLogLevels } from '../log-settings.js';
import { parseCount, parseDuration, parsePort, parseWhole } from '../options.js';
import {
  componentLogger,
  createRuntime,
  EXECUTION_MODES,
  loadWorkflowFile,
  MaestroError,
  readFlags,
  settingsFromFlags,
  toErrorDocument,
  type ExecutionMode,
  type Runtime,
  type Workflow,
} from '../../runtime/index.js';
import { ServiceManager } from '../service-manager.js';
import { StopSignal } from '../stop-signal.js';
import { addRuntimeFlags, runtimeOptionsOf, type RuntimeFlags } from '../runtime-options.js';
import type { Scope, Service, Token } from '../../server/index.js';
import type { CommandContext } from '../session.js';
import { MEMORY_STORE } from '../store-location.js';
import { templatesDir } from '../template-files.js';
import type { Terminal } from '../terminal.js';
import { packageVersion } from '../version.js';

export interface ServeFlags extends RuntimeFlags {
  host: string;
  port: number;
  workflows?: string[];
  tokens?: string;
  drain: number;
  mode?: ExecutionMode;
  retries?: boolean;
  schedules: boolean;
  retention?: number;
  keep?: number;
  maxBodyBytes?: number;
  requestsPerMinute?: number;
  maxStreams?: number;
}

/** How long the process may outlive the service: what it wrote to pipes must arrive. */
const LAST_WORDS_MS = 1000;
/** How soon one service takes over what another one on the same store has left. */
const RECOVER_EVERY_MS = 2000;
const SPEC = /\.(?:ya?ml|json)(?:\.gz)?$/;

export function addServeCommand({ program, bind }: Registry): void {
  const command = program.command('serve').description('run the HTTP service');
  addServeOptions(command)
    .addHelpText(
      'after',
      examples(
        'maestro serve',
        'maestro serve --port 8001 --workflows flows/',
        'maestro serve --host 0.0.0.0 --tokens tokens.txt',
      ),
    )
    .action(bind(serve));
}

/** Also for what writes down how the service is to be started. */
export function addServeOptions(command: Command): Command {
  command
    .option('--host <host>', 'address to listen on; other than loopback needs --tokens', '127.0.0.1')
    .option('--port <port>', '0: any that is free', parsePort, 8000)
    .option('--workflows <path...>', 'workflow files, or folders of them, that clients may start')
    .option(
      '--tokens <file>',
      'lines of `read TOKEN` or `write TOKEN`; also MAESTRO_TOKEN_READ, MAESTRO_TOKEN_WRITE',
    )
    .option('--drain <time>', 'how long running nodes may go on after SIGTERM', parseDuration, 30_000)
    .addOption(new Option('--mode <mode>', 'default: as MAESTRO_* flags say').choices(EXECUTION_MODES))
    .option('--retries', 'let retry policies take effect (default: as MAESTRO_ENABLE_RETRY_LOGIC says)')
    .option('--no-retries', 'one attempt for every node')
    .option('--no-schedules', 'start nothing that is due: another service on this store does');
  addLimits(command);
  return addRuntimeFlags(command);
}

function addLimits(command: Command): void {
  command
    .option('--retention <age>', 'delete executions that ended so long ago', parseDuration)
    .option('--keep <n>', 'with --retention: never the newest n', parseWhole)
    .option('--max-body-bytes <n>', 'largest request (default: 1 MiB)', parseCount)
    .option('--requests-per-minute <n>', 'of one address (default: 60,000)', parseCount)
    .option('--max-streams <n>', 'event streams at once (default: 500)', parseCount);
}

async function serve(context: CommandContext, flags: ServeFlags): Promise<number> {
  const { terminal, ui, globals } = context;
  const settings = settingsFromFlags(readFlags(terminal.env), {
    mode: flags.mode,
    retries: flags.retries,
    storeGiven: globals.store !== undefined,
  });
  if (!settings.persistent)
    ui.warn('MAESTRO_ENABLE_CONTEXT_PERSISTENCE is off: executions are lost when the service ends');
  if (flags.keep !== undefined && flags.retention === undefined)
    throw new MaestroError('USAGE', '--keep goes with --retention');
  const tokens = tokensOf(flags.tokens, terminal);
  const workflows = await loadWorkflows(flags.workflows ?? [], terminal.cwd);
  const logLevel = globals.logLevel ?? parseLogLevels('info');
  const logger = (await createLogger(logOptions({ ...globals, logLevel }), terminal.stderr))!;
  const log = componentLogger(logger, 'cli');
  const manager = new ServiceManager(log);
  const signal = new StopSignal(terminal);
  // Loaded when it is needed: no other command waits for a web server's modules. Before anything runs, which would wait for it.
  const { createService } = await import('../../server/index.js');
  const store = settings.persistent ? context.store : { url: MEMORY_STORE, path: null };
  const options = runtimeOptionsOf(flags);
  const runtime = await createRuntime({
    ...options,
    // Stderr is the service's log: what steps print is in theirs.
    pool: { ...options.pool, echo: false },
    store: store.url,
    mode: settings.mode,
    retries: settings.retries,
    events: settings.events,
    logger,
    workflows,
    recoverEveryMs: RECOVER_EVERY_MS,
    schedules: flags.schedules,
    retention: flags.retention === undefined ? undefined : { olderThanMs: flags.retention, keep: flags.keep },
  });
  signal.isAbout(runtime);
  try {
    for (const workflow of workflows)
      if (flags.schedules && workflow.spec.workflow.schedule !== undefined)
        await runtime.schedules.add(workflow);
    const service = await createService({
      runtime,
      workflows,
      logger,
      tokens,
      version: packageVersion(),
      host: flags.host,
      port: flags.port,
      storePath: store.path ?? undefined,
      maxBodyBytes: flags.maxBodyBytes,
      requestsPerMinute: flags.requestsPerMinute,
      maxStreams: flags.maxStreams,
    });
    const url = await service.listen();
    if (ui.json) ui.document({ url, pid: process.pid, mode: settings.mode, store: store.url });
    else ui.print(`listening on ${url}  (${settings.mode}, ${store.url})`);
    log.info({ url, mode: settings.mode, store: store.url }, 'the service listens');
    manager.ready(`listening on ${url}`, () => runtime.failure === undefined);
    await signal.told;
    manager.stopping('running nodes finish');
    log.info({ drain_seconds: flags.drain / 1000 }, 'shutting down: running nodes finish');
    await shutDown(service, runtime, flags.drain);
    log.info({}, 'the service has ended');
    return signal.hurried ? EXIT.interrupted : EXIT.success;
  } finally {
    await runtime.close({ drainMs: 0 });
    await manager.end();
    // Nothing is left to do; a thread that is stuck in native code must not keep the process.
    setTimeout(() => terminal.exitNow(Number(process.exitCode ?? 0)), LAST_WORDS_MS).unref();
  }
}

/**
 * Intake ends first, then what runs; what does not end in time runs again after the next start. Clients that still hold
 * a connection when nothing runs any more are hung up on.
 */
async function shutDown(service: Service, runtime: Runtime, drainMs: number): Promise<void> {
  service.drain();
  const closed = service.close();
  await runtime.close({ drainMs });
  service.app.server.closeAllConnections();
  await closed;
}

/** The SDLC templates, unless the operator has workflows of these ids. @throws USAGE, SPEC_INVALID and others */
async function loadWorkflows(paths: readonly string[], cwd: string): Promise<Workflow[]> {
  const files = paths.flatMap((path) => specsAt(resolve(cwd, path)));
  const given = await Promise.all(files.map(async (file) => (await loadWorkflowFile(file)).workflow));
  const sdlc = ['linear', 'parallel'].map((type) => join(templatesDir(), 'sdlc', `${type}.yaml`));
  const defaults = await Promise.all(sdlc.map(async (file) => (await loadWorkflowFile(file)).workflow));
  const taken = new Set(given.map(({ spec }) => spec.workflow.id));
  return [...given, ...defaults.filter(({ spec }) => !taken.has(spec.workflow.id))];
}

function specsAt(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  const files = readdirSync(path).filter((name) => SPEC.test(name));
  if (files.length === 0) throw new MaestroError('USAGE', `there are no workflow files in ${path}`);
  return files.sort().map((name) => join(path, name));
}

/** @throws USAGE naming the line, SERVICE_INSECURE when others may read the file */
function tokensOf(file: string | undefined, { env, cwd }: Terminal): Token[] {
  const tokens: Token[] = [];
  if (env.MAESTRO_TOKEN_READ) tokens.push({ scope: 'read', token: env.MAESTRO_TOKEN_READ });
  if (env.MAESTRO_TOKEN_WRITE) tokens.push({ scope: 'write', token: env.MAESTRO_TOKEN_WRITE });
  if (file === undefined) return tokens;
  const path = resolve(cwd, file);
  readTokenFile(path).forEach((line, index) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return;
    const match = /^(read|write)\s+(\S+)$/.exec(text);
    if (match === null) {
      throw new MaestroError('USAGE', `${file}:${index + 1}: a line is \`read TOKEN\` or \`write TOKEN\``);
    }
    tokens.push({ scope: match[1] as Scope, token: match[2] });
  });
  return tokens;
}

function readTokenFile(path: string): string[] {
  try {
    if ((statSync(path).mode & 0o007) !== 0) {
      throw new MaestroError('SERVICE_INSECURE', `everybody on this machine may use ${path}`, {
        next: `chmod 600 ${path}`,
      });
    }
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    throw new MaestroError('USAGE', `the tokens cannot be read: ${toErrorDocument(error).message}`);
  }
}
