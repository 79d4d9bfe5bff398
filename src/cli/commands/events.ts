import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { formatEventLine } from '../report/event-text.js';
import { EVENT_TYPES, type EventType, type ExecutionEvent, type Runtime } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface EventsOptions {
  follow?: boolean;
  type?: EventType[];
  node?: string;
}

export function addEventsCommand({ program, bind }: Registry): void {
  program
    .command('events')
    .description('print the events of an execution, oldest first (--json: one document per line)')
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .option('-f, --follow', 'go on with new events until the execution has ended')
    .addOption(new Option('--type <type...>', 'only events of these types').choices(EVENT_TYPES))
    .option('--node <id>', 'only events of this node')
    .addHelpText(
      'after',
      examples(
        'maestro events last',
        'maestro events last --follow --json',
        'maestro events last --type node_failed node_retry',
      ),
    )
    .action(bind(events));
}

const POLL_MS = 250;

async function events(context: CommandContext, ref: string, options: EventsOptions): Promise<number> {
  return withStoredRuntime(context, async (runtime) => {
    const id = await resolveExecutionId(runtime, ref);
    const stop = new AbortController();
    const release = context.terminal.onInterrupt(() => stop.abort());
    const cursor = { seen: 0, ended: false };
    try {
      for (;;) {
        await printNew(context, runtime, id, options, cursor, stop.signal);
        if (options.follow !== true || cursor.ended || context.ui.closed || stop.signal.aborted) break;
        await sleep(POLL_MS, stop.signal);
      }
    } finally {
      release();
    }
    return stop.signal.aborted ? EXIT.interrupted : EXIT.success;
  });
}

interface Cursor {
  /** Stored events read so far: history only grows at its end. */
  seen: number;
  ended: boolean;
}

/** Prints the stored events after the cursor and moves it. */
async function printNew(
  { ui }: CommandContext,
  runtime: Runtime,
  id: string,
  options: EventsOptions,
  cursor: Cursor,
  signal: AbortSignal,
): Promise<void> {
  let position = 0;
  for await (const event of runtime.events(id)) {
    if (ui.closed || signal.aborted) return;
    if (position++ < cursor.seen) continue;
    cursor.seen = position;
    cursor.ended = endsExecution(event, cursor.ended);
    if (!matches(event, options)) continue;
    ui.print(ui.json ? JSON.stringify(event) : formatEventLine(event, ui.color));
    await ui.drained();
  }
}

/** An execution that has ended can go on again after a retry. */
function endsExecution(event: ExecutionEvent, before: boolean): boolean {
  switch (event.event_type) {
    case 'workflow_completed':
    case 'workflow_failed':
    case 'workflow_cancelled':
      return true;
    case 'workflow_started':
    case 'workflow_resumed':
      return false;
    default:
      return before;
  }
}

function matches(event: ExecutionEvent, { type, node }: EventsOptions): boolean {
  return (
    (type === undefined || type.includes(event.event_type)) && (node === undefined || event.node_id === node)
  );
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
  });
}
