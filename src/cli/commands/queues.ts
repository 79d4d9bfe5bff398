import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { count, formatTable } from '../format/text.js';
import type { Runtime, WorkflowSpec } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface QueueLine {
  queue: string;
  /** Slots that running nodes want of it. */
  used: number;
  /** Nodes that are ready and wait for it. */
  waiting: number;
  /** Executions with such nodes. */
  executions: number;
}

export function addQueuesCommand({ program, bind }: Registry): void {
  program
    .command('queues')
    .description(
      'show the queues of the store: slots in use and nodes that wait, over all unfinished executions',
    )
    .addHelpText('after', examples('maestro queues', 'maestro queues --json'))
    .action(bind(queues));
}

async function queues(context: CommandContext): Promise<number> {
  const { ui } = context;
  const lines = await withStoredRuntime(context, linesOf);
  if (ui.json) ui.document({ queues: lines });
  else if (lines.length === 0) ui.print('no unfinished execution has nodes in queues');
  else {
    const header = ['QUEUE', 'SLOTS IN USE', 'WAITING', 'IN'].map(ui.color.dim);
    const rows = lines.map(({ queue, used, waiting, executions }) => [
      queue,
      String(used),
      count(waiting, 'node'),
      count(executions, 'execution'),
    ]);
    for (const line of formatTable([header, ...rows])) ui.print(line);
  }
  return EXIT.success;
}

async function linesOf(runtime: Runtime): Promise<QueueLine[]> {
  const lines = new Map<string, QueueLine>();
  const known = new Map<string, WorkflowSpec | undefined>();
  let after: string | undefined;
  do {
    const page = await runtime.list({ status: ['running', 'paused'], after });
    for (const { executionId, definitionHash } of page.records) {
      if (!known.has(definitionHash)) known.set(definitionHash, await runtime.definition(executionId));
      const spec = known.get(definitionHash);
      if (spec?.nodes.some(({ queue }) => queue !== undefined)) await note(runtime, executionId, spec, lines);
    }
    after = page.next;
  } while (after !== undefined);
  return [...lines.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

async function note(
  runtime: Runtime,
  executionId: string,
  spec: WorkflowSpec,
  lines: Map<string, QueueLine>,
): Promise<void> {
  const document = await runtime.get(executionId);
  const seen = new Set<string>();
  for (const { id, queue, slots = 1 } of spec.nodes) {
    if (queue === undefined || document === undefined) continue;
    const line = lines.get(queue) ?? { queue, used: 0, waiting: 0, executions: 0 };
    lines.set(queue, line);
    if (!seen.has(queue)) line.executions++;
    seen.add(queue);
    const { status } = document.node_states[id];
    if (status === 'running') line.used += slots;
    if (status === 'ready') line.waiting++;
  }
}
