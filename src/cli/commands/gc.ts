import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { count } from '../format/text.js';
import { parseDuration, parseWhole } from '../options.js';
import {
  ENDED_STATUSES,
  isMaestroError,
  isValidId,
  MaestroError,
  type CollectReport,
  type EndedStatus,
  type RetentionPolicy,
  type Runtime,
} from '../../runtime/index.js';
import { withRuntime, withStoredRuntime, type CommandContext } from '../session.js';
import { storeExists } from '../store-location.js';

interface GcOptions {
  olderThan?: number;
  keep?: number;
  status?: EndedStatus[];
  dryRun?: boolean;
}

export function addGcCommand({ program, bind }: Registry): void {
  program
    .command('gc')
    .description('delete old executions that have ended')
    .option('--older-than <age>', 'ended at least this long ago: 30m, 24h, 7d', parseDuration)
    .option('--keep <n>', 'never the newest n', parseWhole)
    .addOption(new Option('--status <status...>', 'only these').choices(ENDED_STATUSES))
    .option('--dry-run', 'say what would be deleted')
    .addHelpText(
      'after',
      `\nWhat has not ended is never deleted. Given both, --older-than and --keep must both allow it.\n${examples(
        'maestro gc --older-than 24h --dry-run',
        'maestro gc --older-than 7d --keep 1000',
        'maestro gc --keep 100 --status completed',
      )}`,
    )
    .action(bind(gc));
}

async function gc(context: CommandContext, options: GcOptions): Promise<number> {
  const { ui, store } = context;
  if (options.olderThan === undefined && options.keep === undefined) {
    throw new MaestroError('USAGE', 'say what may go: --older-than AGE, --keep N, or both', {
      next: 'The usual one is `maestro gc --older-than 24h`.',
    });
  }
  const dryRun = options.dryRun === true;
  const report: CollectReport = storeExists(store)
    ? await withRuntime(context, {}, (runtime) => runtime.collect({ ...policyOf(options), dryRun }))
    : { deleted: [], dryRun };
  const { orphans = [], cached = 0 } = report;
  if (ui.json)
    ui.document({
      deleted: report.deleted,
      dry_run: dryRun,
      ...(orphans.length > 0 && { orphans }),
      ...(cached > 0 && { cached }),
    });
  else {
    ui.print(`${count(report.deleted.length, 'execution')} ${dryRun ? 'would be deleted' : 'deleted'}`);
    if (orphans.length > 0)
      ui.print(
        `artifacts of ${count(orphans.length, 'execution')} that are not there any more ${dryRun ? 'would be ' : ''}deleted`,
      );
    if (cached > 0)
      ui.print(`${count(cached, 'kept result')} of steps ${dryRun ? 'would be ' : ''}deleted: too old`);
    if (dryRun) for (const id of report.deleted) ui.print(`  ${id}`);
  }
  return EXIT.success;
}

/** Statuses not named have a rule without conditions: nothing of theirs goes. */
function policyOf({ olderThan, keep, status }: GcOptions): RetentionPolicy {
  const rule = { olderThanMs: olderThan, keep };
  if (status === undefined) return rule;
  const others = ENDED_STATUSES.filter((each) => !status.includes(each)).map((each) => [each, {}]);
  return { ...rule, perStatus: Object.fromEntries(others) as RetentionPolicy['perStatus'] };
}

export function addDeleteCommand({ program, bind }: Registry): void {
  program
    .command('delete')
    .description('delete an execution that has ended: its record, events and outputs')
    .argument('<id>', 'execution id, or a unique beginning of one')
    .option('--force', 'also what has not ended when nobody runs it, and what is damaged')
    .addHelpText('after', examples('maestro delete 0198c0de', 'maestro delete my-run --force'))
    .action(bind(remove));
}

async function remove(context: CommandContext, ref: string, options: { force?: boolean }): Promise<number> {
  const { ui } = context;
  return withStoredRuntime(context, async (runtime) => {
    const id = await idOf(runtime, ref);
    if (!(await runtime.delete(id, { force: options.force }))) {
      throw new MaestroError('EXECUTION_NOT_FOUND', `no execution ${JSON.stringify(ref)} is stored`);
    }
    if (ui.json) ui.document({ execution_id: id, deleted: true });
    else ui.print(`deleted ${id}`);
    return EXIT.success;
  });
}

/** A damaged execution cannot be found by a beginning of its id: that takes its record. */
async function idOf(runtime: Runtime, ref: string): Promise<string> {
  try {
    if (isValidId(ref) && (await runtime.get(ref)) !== undefined) return ref;
  } catch (error) {
    if (isMaestroError(error, 'RECORD_CORRUPT')) return ref;
    throw error;
  }
  return resolveExecutionId(runtime, ref);
}
