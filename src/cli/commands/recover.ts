import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { storedWarning } from '../environment/flag-report.js';
import { EXIT } from '../error-report.js';
import { allRecords, findExecution } from '../execution-ref.js';
import { colorStatus } from '../format/status.js';
import { count, formatAgo, formatTable, listSome, oneLine } from '../format/text.js';
import { parseDuration } from '../options.js';
import { actionOf, recoveryPlan, type RecoveryPlan } from '../report/recovery-plan.js';
import {
  compareStructure,
  linearWorkflow,
  MaestroError,
  parallelWorkflow,
  structureMismatch,
  type ExecutionDocument,
  type Runtime,
  type WorkflowSpec,
} from '../../runtime/index.js';
import { addRuntimeFlags, type RuntimeFlags } from '../runtime-options.js';
import { withStoredRuntime, type CommandContext } from '../session.js';
import { storeExists } from '../store-location.js';
import { proceed, RESUME, resumeAll, RETRY } from './resume.js';

interface RecoverOptions extends RuntimeFlags {
  list?: boolean;
  all?: boolean;
  dryRun?: boolean;
  markStale?: number;
  workflowType: 'auto' | 'linear' | 'parallel';
}

export function addRecoverCommand({ program, bind }: Registry): void {
  const command = program
    .command('recover')
    .description('find and continue what was interrupted, paused or failed')
    .argument('[id]', 'execution id, a unique beginning of one, or `last`')
    .option('--list', 'what can be recovered, and how')
    .option('--all', 'continue every execution whose process died')
    .option('--dry-run', 'say what would be done; run and write nothing')
    .addOption(
      new Option('--workflow-type <type>', 'demand the structure of the SDLC workflow of this type')
        .choices(['auto', 'linear', 'parallel'])
        .default('auto'),
    )
    .option(
      '--mark-stale <age>',
      'fail what nobody runs and has not changed for 30m, 1h, 7d …',
      parseDuration,
    )
    .addHelpText(
      'after',
      examples(
        'maestro recover --list',
        'maestro recover last --dry-run',
        'maestro recover --all',
        'maestro recover --mark-stale 1h --dry-run',
      ),
    );
  addRuntimeFlags(command).action(bind(recover));
}

function recover(context: CommandContext, ref: string | undefined, options: RecoverOptions): Promise<number> {
  const ways = [ref !== undefined, options.list, options.all, options.markStale !== undefined];
  if (ways.filter(Boolean).length !== 1) {
    throw new MaestroError('USAGE', 'give one of: an execution id, --list, --all, --mark-stale AGE', {
      next: 'See what can be recovered with `maestro recover --list`.',
    });
  }
  if (options.markStale !== undefined) return markStale(context, options.markStale, options.dryRun === true);
  if (options.list === true) return list(context);
  if (ref === undefined) return options.dryRun === true ? planAll(context) : resumeAll(context, options);
  return recoverOne(context, ref, options);
}

async function recoverOne(context: CommandContext, ref: string, options: RecoverOptions): Promise<number> {
  const plan = await withStoredRuntime(context, async (runtime) => {
    const document = await findExecution(runtime, ref);
    const spec = await definitionOf(runtime, document);
    demandType(document, spec, options.workflowType);
    return recoveryPlan(document, spec);
  });
  if (options.dryRun === true) {
    report(context, [plan]);
    return EXIT.success;
  }
  if (plan.action === 'none') {
    throw new MaestroError(
      'EXECUTION_STATE',
      `execution ${plan.execution_id} is ${plan.status}: there is nothing to recover`,
    );
  }
  return proceed(context, plan.execution_id, plan.action === 'retry' ? RETRY : RESUME, options);
}

/** @throws STRUCTURE_MISMATCH listing what is missing on either side */
function demandType(
  { workflow_id }: ExecutionDocument,
  spec: WorkflowSpec,
  type: RecoverOptions['workflowType'],
): void {
  if (type === 'auto') return;
  const generate = type === 'linear' ? linearWorkflow : parallelWorkflow;
  const difference = compareStructure(spec, generate(() => ({ run: 'true' })).build().spec);
  if (difference !== null) throw structureMismatch(workflow_id, difference);
}

async function definitionOf(runtime: Runtime, { execution_id }: ExecutionDocument): Promise<WorkflowSpec> {
  const spec = await runtime.definition(execution_id);
  if (spec !== undefined) return spec;
  throw new MaestroError('EXECUTION_NOT_FOUND', `execution ${execution_id} was deleted at this moment`);
}

/** Every execution that recovery could do something for, newest first. */
async function* recoverable(runtime: Runtime): AsyncGenerator<RecoveryPlan & { updated_at: string }> {
  for await (const { executionId, status } of allRecords(runtime)) {
    if (status === 'completed') continue;
    const document = await runtime.get(executionId);
    if (document === undefined || actionOf(document) === 'none') continue;
    const { plan, ...rest } = recoveryPlan(document, await definitionOf(runtime, document));
    // Somebody runs it: that is theirs.
    if (document.status === 'running' && !document.interrupted) continue;
    yield { ...rest, plan, updated_at: document.updated_at };
  }
}

async function list(context: CommandContext): Promise<number> {
  const { ui, terminal, store } = context;
  if (!storeExists(store)) {
    if (ui.json) ui.document({ executions: [], stored: 0 });
    else ui.print('nothing to recover: no execution is stored');
    return EXIT.success;
  }
  return withStoredRuntime(context, async (runtime) => {
    const found: (RecoveryPlan & { updated_at: string })[] = [];
    for await (const plan of recoverable(runtime)) found.push(plan);
    const counts = await runtime.counts();
    if (ui.json) {
      const executions = found.map(({ plan: _, ...rest }) => rest);
      ui.document({ executions, stored: Object.values(counts).reduce((sum, n) => sum + n, 0) });
    } else if (found.length === 0) ui.print('nothing to recover');
    else {
      const header = ['ID', 'STATUS', 'WORKFLOW', 'DONE', 'TO RUN', 'CHANGED', 'CONTINUE WITH'].map(
        ui.color.dim,
      );
      const rows = found.map((each) => [
        each.execution_id,
        colorStatus(ui.color, each.status),
        oneLine(each.workflow_id),
        `${each.counts.completed}/${each.total_nodes}`,
        String(each.plan.flat().length),
        formatAgo(Date.parse(each.updated_at), terminal.nowMs()),
        `maestro recover ${each.execution_id}`,
      ]);
      ui.print(formatTable([header, ...rows]).join('\n'));
    }
    const warning = storedWarning(counts);
    if (warning !== undefined) ui.warn(warning);
    return EXIT.success;
  });
}

/** What --all would do: only what was interrupted. */
async function planAll(context: CommandContext): Promise<number> {
  return withStoredRuntime(context, async (runtime) => {
    const plans: RecoveryPlan[] = [];
    for await (const { updated_at: _, ...plan } of recoverable(runtime)) {
      if (plan.status === 'interrupted') plans.push(plan);
    }
    report(context, plans);
    return EXIT.success;
  });
}

function report({ ui }: CommandContext, plans: readonly RecoveryPlan[]): void {
  if (ui.json) return ui.document(plans.length === 1 ? plans[0] : { executions: plans });
  if (plans.length === 0) ui.print('nothing was interrupted');
  for (const { execution_id, workflow_id, status, action, counts, plan } of plans) {
    ui.print(`execution ${execution_id}  ${oneLine(workflow_id)}  ${colorStatus(ui.color, status)}`);
    const { completed, pending, failed, interrupted, skipped } = counts;
    ui.print(
      `  completed ${completed}, skipped ${skipped}, pending ${pending}, failed ${failed}, interrupted ${interrupted}`,
    );
    if (action === 'none') ui.print('  nothing to recover');
    else ui.print(`  would ${action}: ${count(plan.flat().length, 'node')} to run`);
    plan.forEach((group, index) =>
      ui.print(`  ${String(index + 1).padStart(4)}  ${oneLine(listSome(group, 12))}`),
    );
  }
}

async function markStale(context: CommandContext, olderThanMs: number, dryRun: boolean): Promise<number> {
  const { ui } = context;
  return withStoredRuntime(context, async (runtime) => {
    const ids = await runtime.markStale({ olderThanMs, dryRun });
    if (ui.json) ui.document({ marked: ids, dry_run: dryRun });
    else {
      ui.print(
        `${count(ids.length, 'execution')} ${dryRun ? 'would be' : ids.length === 1 ? 'was' : 'were'} marked failed`,
      );
      for (const id of ids) ui.print(`  ${id}`);
      if (ids.length > 0 && !dryRun) ui.notice('`maestro retry <id>` runs one again from where it was');
    }
    return EXIT.success;
  });
}
