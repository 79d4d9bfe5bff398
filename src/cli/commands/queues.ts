import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { count, formatTable } from '../format/text.js';
import { parseCount } from '../options.js';
import { MaestroError, type QueueDocument, type Runtime, type WorkflowSpec } from '../../runtime/index.js';
import { requireStore, withRuntime, withStoredRuntime, type CommandContext } from '../session.js';

interface QueueLine extends QueueDocument {
  /** Slots that running nodes want of it. */
  used: number;
  /** Nodes that are ready and wait for it. */
  waiting: number;
  /** Executions with such nodes. */
  executions: number;
}

interface SetOptions {
  slots?: number;
  rate?: string;
}

export function addQueuesCommand({ program, bind }: Registry): void {
  const queues = program.command('queues').description('limits over all executions of a process');
  queues
    .command('list', { isDefault: true })
    .description(
      'show how large queues are, their slots in use and nodes that wait, over all unfinished executions',
    )
    .addHelpText('after', examples('maestro queues', 'maestro queues --json'))
    .action(bind(list));
  queues
    .command('set')
    .description('say how large a queue is in each process on the store, also in those that run now')
    .argument('<queue>', 'its name')
    .option('--slots <n>', 'slots that may be taken at once (default: no limit)', parseCount)
    .addOption(new Option('--rate <rate>', 'starts within a time: 10/s, 100/m, 1000/h (default: no limit)'))
    .addHelpText('after', examples('maestro queues set gpu --slots 4', 'maestro queues set api --rate 100/m'))
    .action(bind(set));
  queues
    .command('unset')
    .description('forget that: what each process was started with holds again')
    .argument('<queue>', 'its name')
    .addHelpText('after', examples('maestro queues unset gpu'))
    .action(bind(unset));
}

async function list(context: CommandContext): Promise<number> {
  const { ui } = context;
  const lines = await withStoredRuntime(context, linesOf);
  if (ui.json) ui.document({ queues: lines });
  else if (lines.length === 0) ui.print('no queue is set, and no unfinished execution has nodes in queues');
  else {
    const header = ['QUEUE', 'SLOTS', 'RATE', 'FROM', 'IN USE', 'WAITING', 'IN'].map(ui.color.dim);
    const rows = lines.map((line) => [
      line.queue,
      ...limitsText(line),
      String(line.used),
      count(line.waiting, 'node'),
      count(line.executions, 'execution'),
    ]);
    for (const text of formatTable([header, ...rows])) ui.print(text);
  }
  return EXIT.success;
}

async function set(context: CommandContext, queue: string, { slots, rate }: SetOptions): Promise<number> {
  const { ui } = context;
  if (slots === undefined && rate === undefined) {
    throw new MaestroError('USAGE', 'say how large the queue is: --slots N, --rate N/s, or both', {
      next: `Without a limit it is as each process was started: \`maestro queues unset ${queue}\`.`,
    });
  }
  const document = await withRuntime(context, {}, (runtime) => runtime.queues.set(queue, { slots, rate }));
  if (ui.json) ui.document(document);
  else {
    const [size, speed] = limitsText(document);
    ui.print(`queue ${queue}: slots ${size}, rate ${speed}, in each process on this store`);
  }
  return EXIT.success;
}

async function unset(context: CommandContext, queue: string): Promise<number> {
  const { ui } = context;
  requireStore(context.store);
  const removed = await withRuntime(context, {}, (runtime) => runtime.queues.unset(queue));
  if (ui.json) ui.document({ queue, removed });
  else ui.print(removed ? `queue ${queue} is as each process was started` : `queue ${queue} was not set`);
  return EXIT.success;
}

/** Slots, rate and who says so. Processes that were started differently are told one after the other. */
function limitsText({ setting, processes }: QueueDocument): string[] {
  if (setting !== null) return [slotsText(setting.slots), setting.rate ?? 'no limit', 'the store'];
  if (processes.length === 0) return ['1', 'no limit', 'nobody'];
  const [slots, rates] = [new Set<string>(), new Set<string>()];
  for (const each of processes) {
    slots.add(slotsText(each.slots));
    rates.add(each.rate ?? 'no limit');
  }
  return [
    [...slots].join(' | '),
    [...rates].join(' | '),
    processes.map(({ pid }) => `process ${pid}`).join(', '),
  ];
}

function slotsText(slots: number | null): string {
  return slots === null ? 'no limit' : String(slots);
}

async function linesOf(runtime: Runtime): Promise<QueueLine[]> {
  const lines = new Map<string, QueueLine>();
  const none = { used: 0, waiting: 0, executions: 0 };
  for (const document of await runtime.queues.list()) lines.set(document.queue, { ...document, ...none });
  const lineOf = (queue: string): QueueLine => {
    const line = lines.get(queue) ?? { queue, setting: null, processes: [], ...none };
    lines.set(queue, line);
    return line;
  };
  const known = new Map<string, WorkflowSpec | undefined>();
  let after: string | undefined;
  do {
    const page = await runtime.list({ status: ['running', 'paused'], after });
    for (const { executionId, definitionHash } of page.records) {
      if (!known.has(definitionHash)) known.set(definitionHash, await runtime.definition(executionId));
      const spec = known.get(definitionHash);
      if (spec?.nodes.some(({ queue }) => queue !== undefined))
        await note(runtime, executionId, spec, lineOf);
    }
    after = page.next;
  } while (after !== undefined);
  return [...lines.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

async function note(
  runtime: Runtime,
  executionId: string,
  spec: WorkflowSpec,
  lineOf: (queue: string) => QueueLine,
): Promise<void> {
  const document = await runtime.get(executionId);
  const seen = new Set<string>();
  for (const { id, queue, slots = 1 } of spec.nodes) {
    if (queue === undefined || document === undefined) continue;
    const line = lineOf(queue);
    if (!seen.has(queue)) line.executions++;
    seen.add(queue);
    const { status } = document.node_states[id];
    if (status === 'running') line.used += slots;
    if (status === 'ready') line.waiting++;
  }
}
