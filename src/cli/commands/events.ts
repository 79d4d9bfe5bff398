import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { formatEventLine } from '../report/event-text.js';
import { EVENT_TYPES, type EventType, type ExecutionEvent } from '../../runtime/index.js';
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

async function events(context: CommandContext, ref: string, options: EventsOptions): Promise<number> {
  const { ui, terminal } = context;
  return withStoredRuntime(context, async (runtime) => {
    const id = await resolveExecutionId(runtime, ref);
    const stop = new AbortController();
    const { signal } = stop;
    let interrupted = false;
    const release = terminal.onInterrupt(() => ((interrupted = true), stop.abort()));
    ui.onClosed(() => stop.abort());
    try {
      for await (const event of runtime.events(id, { follow: options.follow, signal })) {
        if (!matches(event, options)) continue;
        ui.print(ui.json ? JSON.stringify(event) : formatEventLine(event, ui.color));
        await ui.drained();
      }
    } finally {
      release();
    }
    return interrupted ? EXIT.interrupted : EXIT.success;
  });
}

function matches(event: ExecutionEvent, { type, node }: EventsOptions): boolean {
  return (
    (type === undefined || type.includes(event.event_type)) && (node === undefined || event.node_id === node)
  );
}
