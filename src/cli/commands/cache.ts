import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { count, formatAgo, formatBytes, formatTable, oneLine } from '../format/text.js';
import { MaestroError, type CacheDocument, type ClearCacheOptions } from '../../runtime/index.js';
import { requireStore, withRuntime, type CommandContext } from '../session.js';

interface ClearOptions {
  all?: boolean;
  expired?: boolean;
  workflow?: string;
  node?: string;
  key?: string;
  dryRun?: boolean;
}

export function addCacheCommand({ program, bind }: Registry): void {
  const cache = program.command('cache').description('results of steps with `cache` that the store keeps');
  cache
    .command('stat', { isDefault: true })
    .description('how many there are, how large and how old, by node')
    .addHelpText('after', examples('maestro cache stat', 'maestro cache stat --json'))
    .action(bind(stat));
  cache
    .command('clear')
    .description('delete them: what is asked for later is made anew')
    .option('--all', 'all of them')
    .option('--expired', 'only what is too old to be taken')
    .option('--workflow <id>', 'only what this workflow has left')
    .option('--node <id>', 'only what nodes of this name have left')
    .option('--key <hash>', 'only this one: `metadata.cached` of a node, or a beginning of it')
    .option('--dry-run', 'say how many would be deleted')
    .addHelpText(
      'after',
      examples(
        'maestro cache clear --expired',
        'maestro cache clear --node convert --dry-run',
        'maestro cache clear --all',
      ),
    )
    .action(bind(clear));
}

async function stat(context: CommandContext): Promise<number> {
  const { ui } = context;
  requireStore(context.store);
  const found = await withRuntime(context, {}, (runtime) => runtime.cache.stat());
  if (ui.json) ui.document(found);
  else for (const line of linesOf(found, ui.color)) ui.print(line);
  return EXIT.success;
}

async function clear(context: CommandContext, options: ClearOptions): Promise<number> {
  const { ui } = context;
  const { all = false, expired, workflow: workflowId, node: nodeId, key, dryRun = false } = options;
  const filter: ClearCacheOptions = { expired, workflowId, nodeId, key };
  const isNarrowed = Object.values(filter).some((each) => each !== undefined);
  if (all === isNarrowed) {
    throw new MaestroError(
      'USAGE',
      'say what may go: --all, or --expired, --workflow, --node, --key together',
      {
        next: 'What is too old goes with `maestro cache clear --expired`.',
      },
    );
  }
  requireStore(context.store);
  const cleared = await withRuntime(context, {}, (runtime) => runtime.cache.clear({ ...filter, dryRun }));
  if (ui.json) ui.document({ cleared, dry_run: dryRun });
  else ui.print(`${count(cleared, 'kept result')} ${dryRun ? 'would be deleted' : 'deleted'}`);
  return EXIT.success;
}

function linesOf(found: CacheDocument, color: CommandContext['ui']['color']): string[] {
  const { entries, expired, damaged, size_bytes, oldest_at, newest_at, nodes } = found;
  if (entries === 0) return ['no results are kept'];
  const parts = [`${count(entries, 'kept result')}, ${formatBytes(size_bytes)}`, `${expired} too old`];
  if (damaged > 0) parts.push(color.red(`${damaged} damaged`));
  const lines = [parts.join(', ')];
  if (oldest_at !== null && newest_at !== null)
    lines.push(`oldest ${ago(oldest_at)}, newest ${ago(newest_at)}`);
  const header = ['WORKFLOW', 'NODE', 'RESULTS', 'TOO OLD', 'SIZE'].map(color.dim);
  const rows = nodes.map((node) => [
    oneLine(node.workflow_id ?? '–'),
    oneLine(node.node_id),
    String(node.entries),
    String(node.expired),
    formatBytes(node.size_bytes),
  ]);
  return [...lines, ...formatTable([header, ...rows])];
}

function ago(time: string): string {
  return formatAgo(Date.parse(time), Date.now());
}
