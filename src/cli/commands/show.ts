import { commandLine } from '../attach.js';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { findExecution } from '../execution-ref.js';
import { formatExecution, formatNode } from '../report/execution-text.js';
import { MaestroError, type ExecutionDocument, type NodeStateDocument } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface ShowOptions {
  node?: string;
  all?: boolean;
}

export function addShowCommand({ program, bind }: Registry): void {
  program
    .command('show')
    .description('show an execution and its nodes')
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .option('--node <id>', 'one node in detail, or an item of a map: its output, artifacts and error')
    .option('--all', 'every node, however many')
    .addHelpText(
      'after',
      examples(
        'maestro show last',
        'maestro show last --node build',
        "maestro show last --node 'work[17]'",
        'maestro show last --json | jq .node_outputs',
      ),
    )
    .action(bind(show));
}

async function show(context: CommandContext, ref: string, options: ShowOptions): Promise<number> {
  const { ui, terminal } = context;
  const items = options.node === undefined ? [] : [options.node];
  const document = await withStoredRuntime(context, (runtime) => findExecution(runtime, ref, items));
  const style = { color: ui.color, nowMs: terminal.nowMs(), verbose: ui.verbose };
  const commandFor = (action: string) => commandLine(context, action, document.execution_id);
  if (options.node !== undefined) {
    const node = nodeOf(document, options.node);
    if (ui.json) ui.document(node);
    else ui.print(formatNode(node, style));
  } else if (ui.json) ui.document(document);
  else ui.print(formatExecution(document, { ...style, all: options.all === true, commandFor }));
  return EXIT.success;
}

function nodeOf(document: ExecutionDocument, id: string): NodeStateDocument {
  if (Object.hasOwn(document.node_states, id)) return document.node_states[id];
  throw new MaestroError(
    'NODE_NOT_FOUND',
    `execution ${document.execution_id} has no node ${JSON.stringify(id)}`,
  );
}
