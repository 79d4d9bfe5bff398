import { commandLine } from '../attach.js';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { parseSince } from '../options.js';
import { formatExecution } from '../report/execution-text.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

export function addReplayCommand({ program, bind }: Registry): void {
  program
    .command('replay')
    .description('show an execution as it was at a past moment')
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .option('--at <moment>', 'after how many state changes, a time, or 30s, 5m, 2h ago; default: now')
    .option('--all', 'every node, however many')
    .addHelpText(
      'after',
      examples(
        'maestro replay last --at 10',
        'maestro replay last --at 2026-01-31T10:00:00Z',
        'maestro replay last --at 5m --json',
      ),
    )
    .action(bind(replay));
}

async function replay(
  context: CommandContext,
  ref: string,
  options: { at?: string; all?: boolean },
): Promise<number> {
  const { ui, terminal } = context;
  const at = options.at === undefined ? undefined : momentOf(options.at, terminal.nowMs());
  const document = await withStoredRuntime(context, async (runtime) =>
    runtime.replay(await resolveExecutionId(runtime, ref), at),
  );
  if (ui.json) {
    ui.document(document);
    return EXIT.success;
  }
  const { at_change, total_changes, at_time } = document;
  ui.print(`after ${at_change} of ${total_changes} state changes, ${at_time}\n`);
  const commandFor = (action: string): string => commandLine(context, action, document.execution_id);
  const style = { color: ui.color, nowMs: Date.parse(at_time), verbose: ui.verbose };
  ui.print(formatExecution(document, { ...style, all: options.all === true, commandFor }));
  return EXIT.success;
}

/** A whole number is a number of changes; all else a moment. @throws USAGE */
function momentOf(text: string, nowMs: number): number | Date {
  return /^\d+$/.test(text) ? Number(text) : new Date(parseSince(text, nowMs, '--at'));
}
