import { Command, CommanderError, Option } from 'commander';
import type { Action, Registry } from './command-registry.js';
import { addBenchCommand } from './commands/bench.js';
import { addCacheCommand } from './commands/cache.js';
import { addCheckCommand } from './commands/check.js';
import { addCancelCommand, addPauseCommand } from './commands/control.js';
import { addEventsCommand } from './commands/events.js';
import { addFlagsCommand } from './commands/flags.js';
import { addDeleteCommand, addGcCommand } from './commands/gc.js';
import { addGraphCommand } from './commands/graph.js';
import { addInitCommand } from './commands/init.js';
import { addListCommand } from './commands/list.js';
import { addQueuesCommand } from './commands/queues.js';
import { addArtifactsCommand } from './commands/artifacts.js';
import { addLogsCommand } from './commands/logs.js';
import { addMigrateCommand } from './commands/migrate.js';
import { addRecoverCommand } from './commands/recover.js';
import { addReplayCommand } from './commands/replay.js';
import { addForkCommand, addRerunCommand, addResumeCommand, addRetryCommand } from './commands/resume.js';
import { addReviewCommand, addReviewsCommand } from './commands/review.js';
import { addRunCommand } from './commands/run.js';
import { addScheduleCommand } from './commands/schedule.js';
import { addServeCommand } from './commands/serve.js';
import { addShowCommand } from './commands/show.js';
import { addSignalCommand } from './commands/signal.js';
import { addSimulateCommand } from './commands/simulate.js';
import { addSnapshotCommand } from './commands/snapshot.js';
import { addSystemdCommand } from './commands/systemd.js';
import { addValidateCommand } from './commands/validate.js';
import { EXIT, exitCodeOf } from './error-report.js';
import { parseLogLevels, parseRedactedKeys } from './log-settings.js';
import type { GlobalOptions } from './options.js';
import { DEFAULT_STORE, locateStore } from './store-location.js';
import type { Terminal } from './terminal.js';
import { Ui } from './ui.js';
import { packageVersion } from './version.js';

const EXIT_CODES = `
Exit codes:
  0    success
  1    the workflow failed, or the input is invalid
  2    wrong usage, or something in the environment
  130  interrupted or paused; the execution can be resumed

Executions are kept in ${DEFAULT_STORE.slice('lmdb:'.length)} in the working directory. Environment: MAESTRO_STORE, MAESTRO_DEBUG (stack
traces), NO_COLOR, FORCE_COLOR, and the MAESTRO_ENABLE_* flags.`;

const COMMANDS = [
  addInitCommand,
  addValidateCommand,
  addGraphCommand,
  addRunCommand,
  addSimulateCommand,
  addListCommand,
  addShowCommand,
  addEventsCommand,
  addLogsCommand,
  addPauseCommand,
  addResumeCommand,
  addCancelCommand,
  addRetryCommand,
  addReviewsCommand,
  addReviewCommand,
  addArtifactsCommand,
  addQueuesCommand,
  addSignalCommand,
  addScheduleCommand,
  addRerunCommand,
  addForkCommand,
  addMigrateCommand,
  addRecoverCommand,
  addReplayCommand,
  addDeleteCommand,
  addGcCommand,
  addCacheCommand,
  addFlagsCommand,
  addSnapshotCommand,
  addServeCommand,
  addSystemdCommand,
  addCheckCommand,
  addBenchCommand,
] as const;

/**
 * Runs one command line (without node and script) and resolves to the exit code. Never throws, never ends the
 * process by itself.
 */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.success;
  const program = createProgram(terminal, (code) => (exitCode = code));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.code.startsWith('commander.help')) {
      return args.length === 0 ? EXIT.usage : EXIT.success;
    }
    const code = exitCodeOf(error);
    if (code !== EXIT.success) createUi(terminal, optionsFromWords(args)).error(error);
    return code;
  }
}

function createProgram(terminal: Terminal, done: (exitCode: number) => void): Command {
  const program = new Command('maestro')
    .description('Durable DAG workflows inside Node.js')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.stdout.columns ?? 100, 110) })
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      // Usage errors are reported once, by the caller, in the same form as all others.
      outputError: () => undefined,
    })
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--store <store>', `lmdb:PATH or memory: (default: MAESTRO_STORE or ${DEFAULT_STORE})`)
    .option('--json', 'one JSON document on stdout; notices and errors as JSON lines on stderr')
    .option('-q, --quiet', 'no progress, no notices')
    .option('-v, --verbose', 'stack traces in errors')
    .addOption(
      new Option(
        '--log-level <levels>',
        'log to stderr: debug, info, warn, error; also per part: info,store=debug',
      )
        .env('MAESTRO_LOG_LEVEL')
        .argParser(parseLogLevels),
    )
    .addOption(
      new Option('--log-redact <keys>', 'fields that are not logged, besides password, token and the like')
        .env('MAESTRO_LOG_REDACT')
        .argParser(parseRedactedKeys),
    )
    .addHelpText('after', EXIT_CODES);
  const registry: Registry = {
    program,
    bind:
      <Args extends unknown[]>(action: Action<Args>) =>
      async (...params: unknown[]) => {
        const globals = program.opts<GlobalOptions>();
        const store = locateStore(globals.store, terminal.env, terminal.cwd);
        const context = { terminal, ui: createUi(terminal, globals), globals, store };
        // Commander adds the command itself as the last parameter.
        done(await action(context, ...(params.slice(0, -1) as Args)));
      },
  };
  for (const add of COMMANDS) add(registry);
  return program;
}

function createUi(terminal: Terminal, options: GlobalOptions): Ui {
  return new Ui(terminal, {
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true || Boolean(terminal.env.MAESTRO_DEBUG),
  });
}

/** How to report an error when the command line could not be parsed, or before it was. */
function optionsFromWords(args: readonly string[]): GlobalOptions {
  const end = args.indexOf('--');
  const words = end < 0 ? args : args.slice(0, end);
  return {
    json: words.includes('--json'),
    quiet: words.includes('--quiet') || words.includes('-q'),
    verbose: words.includes('--verbose') || words.includes('-v'),
  };
}
