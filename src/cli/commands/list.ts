import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { storedWarning } from '../environment/flag-report.js';
import { EXIT } from '../error-report.js';
import { listSome } from '../format/text.js';
import { formatListing } from '../report/listing-text.js';
import { describeRecord } from '../report/listing.js';
import { WORKFLOW_STATUSES, type ListFilter, type WorkflowStatus } from '../../runtime/index.js';
import { parseCount, parseSince } from '../options.js';
import { withRuntime, type CommandContext } from '../session.js';
import { storeExists } from '../store-location.js';

type StatusFilter = WorkflowStatus | 'interrupted';

interface ListOptions {
  status?: StatusFilter;
  workflow?: string;
  since?: string;
  limit: number;
  after?: string;
}

export function addListCommand({ program, bind }: Registry): void {
  program
    .command('list')
    .description('list stored executions, newest first')
    .addOption(
      new Option('--status <status>', 'only these').choices([...WORKFLOW_STATUSES, 'interrupted'] as const),
    )
    .option('--workflow <id>', 'only executions of this workflow')
    .option('--since <when>', 'only newer ones: 30m, 12h, 7d or a date')
    .option('--limit <n>', 'how many at most', parseCount, 20)
    .option('--after <cursor>', 'go on after a page: the `next` it ended with')
    .addHelpText(
      'after',
      examples(
        'maestro list',
        'maestro list --status failed --since 7d',
        'maestro list --status interrupted --json',
      ),
    )
    .action(bind(list));
}

async function list(context: CommandContext, options: ListOptions): Promise<number> {
  const { ui, terminal, store } = context;
  const filter = filterOf(options, terminal.nowMs());
  if (!storeExists(store)) {
    if (ui.json) ui.document({ executions: [] });
    else
      ui.print(
        `no executions: ${store.path === null ? 'the memory store is empty' : `there is no store at ${store.path}`}`,
      );
    return EXIT.success;
  }
  return withRuntime(context, {}, async (runtime) => {
    const page = await runtime.list(filter);
    const described = await Promise.all(page.records.map((record) => describeRecord(runtime, record)));
    const executions = options.status === 'interrupted' ? described.filter((e) => e.interrupted) : described;
    if (ui.json) ui.document({ executions, ...(page.next === undefined ? {} : { next: page.next }) });
    else {
      ui.print(formatListing(executions, ui.color, terminal.nowMs()));
      warnOfDamage(context, page.damaged);
      const crowded = storedWarning(await runtime.counts());
      if (crowded !== undefined) ui.warn(crowded);
      if (page.next !== undefined) ui.notice(`there are more: maestro list --after ${page.next}`);
    }
    return EXIT.success;
  });
}

function warnOfDamage({ ui }: CommandContext, damaged: readonly string[] = []): void {
  if (damaged.length > 0) {
    ui.warn(`damaged, so not listed: ${listSome(damaged, 5)}. See \`maestro snapshot verify\`.`);
  }
}

function filterOf(options: ListOptions, nowMs: number): ListFilter {
  return {
    status: options.status === 'interrupted' ? ['running', 'pending'] : options.status,
    workflowId: options.workflow,
    createdFromMs: options.since === undefined ? undefined : parseSince(options.since, nowMs),
    limit: options.limit,
    after: options.after,
  };
}
