import { setTimeout } from 'node:timers/promises';
import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { cleanLines, oneLine } from '../format/text.js';
import { parseCount } from '../options.js';
import { LogLines, type LogLine } from '../report/log-lines.js';
import { isWorkflowStatusEnded, type LogPage, type Runtime } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface LogsOptions {
  node?: string;
  attempt?: number;
  stream?: 'stdout' | 'stderr';
  follow?: boolean;
  tail?: number;
}

const POLL_MS = 250;

export function addLogsCommand({ program, bind }: Registry): void {
  program
    .command('logs')
    .description(
      'show what the steps of an execution wrote to stdout and stderr (--json: one document per line)',
    )
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .option('--node <id>', 'only of this node')
    .option('--attempt <n>', 'only of this attempt', parseCount)
    .addOption(new Option('--stream <name>', 'only of this stream').choices(['stdout', 'stderr']))
    .option('-f, --follow', 'go on until the execution has ended')
    .option('--tail <n>', 'only the last n lines, and what follows', parseCount)
    .addHelpText(
      'after',
      examples(
        'maestro logs last',
        'maestro logs last --node build --stream stderr',
        'maestro logs last --follow --tail 20',
      ),
    )
    .action(bind(logs));
}

async function logs(context: CommandContext, ref: string, options: LogsOptions): Promise<number> {
  return withStoredRuntime(context, async (runtime) => {
    const id = await resolveExecutionId(runtime, ref);
    const stop = new AbortController();
    let interrupted = false;
    const release = context.terminal.onInterrupt(() => ((interrupted = true), stop.abort()));
    context.ui.onClosed(() => stop.abort());
    try {
      await show(context, runtime, id, options, stop.signal);
    } finally {
      release();
    }
    return interrupted ? EXIT.interrupted : EXIT.success;
  });
}

async function show(
  context: CommandContext,
  runtime: Runtime,
  id: string,
  options: LogsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ui } = context;
  const follow = options.follow === true;
  const lines = new LogLines();
  let tail: LogLine[] | undefined = options.tail === undefined ? undefined : [];
  for (;;) {
    const beganMs = performance.now();
    let ended = true;
    for await (const { status, logs } of pages(runtime, id, options)) {
      ended = !follow || isWorkflowStatusEnded(status);
      for (const log of logs) {
        for (const line of lines.take(log, ended)) {
          if (options.stream !== undefined && line.stream !== options.stream) continue;
          if (ui.closed || signal.aborted) return;
          if (tail === undefined) await print(context, id, options, line);
          else if (tail.push(line) > 2 * options.tail!) tail = tail.slice(-options.tail!);
        }
      }
    }
    for (const line of tail?.slice(-options.tail!) ?? []) await print(context, id, options, line);
    tail = undefined;
    if (ended || ui.closed || signal.aborted) return;
    // Reading takes its share of the machine: no more than a fifth of it.
    const pauseMs = Math.max(POLL_MS, 4 * (performance.now() - beganMs));
    await setTimeout(pauseMs, undefined, { signal }).catch(() => {});
  }
}

async function* pages(runtime: Runtime, id: string, options: LogsOptions): AsyncGenerator<LogPage> {
  let after: string | undefined;
  do {
    const page = await runtime.logs(id, { nodeId: options.node, attempt: options.attempt, after });
    yield page;
    after = page.next;
  } while (after !== undefined);
}

async function print(
  { ui }: CommandContext,
  execution_id: string,
  options: LogsOptions,
  line: LogLine,
): Promise<void> {
  if (ui.json) ui.print(JSON.stringify({ execution_id, ...line }));
  else ui.print(textOf(line, options.node === undefined ? (text) => ui.color.dim(text) : undefined));
  await ui.drained();
}

/** @param prefix how to show whose line it is; undefined: it is clear */
function textOf({ node_id, attempt, text, cut_chars }: LogLine, prefix?: (text: string) => string): string {
  const said = cut_chars === undefined ? cleanLines(text) : `… ${cut_chars} characters cut …`;
  if (prefix === undefined) return said;
  return `${prefix(`${oneLine(node_id)}${attempt > 1 ? `#${attempt}` : ''} |`)} ${said}`;
}
