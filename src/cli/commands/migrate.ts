import { resolve } from 'node:path';
import type { Registry } from '../command-registry.js';
import { examples } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { findExecution } from '../execution-ref.js';
import { loadWorkflowFile } from '../../runtime/index.js';
import { formatMigration } from '../report/migration-text.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface MigrateFlags {
  to: string;
  dryRun?: boolean;
}

export function addMigrateCommand({ program, bind }: Registry): void {
  program
    .command('migrate')
    .description(
      'let a paused, failed or interrupted execution go on under another definition of its workflow',
    )
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .requiredOption('--to <spec>', 'workflow file: what has begun must be in it as it was')
    .option('--dry-run', 'only show the difference, node by node, and whether it may be')
    .addHelpText(
      'after',
      examples(
        'maestro migrate last --to workflow.yaml --dry-run',
        'maestro migrate last --to workflow.yaml',
      ),
    )
    .action(bind((context, ref: string, flags: MigrateFlags) => migrate(context, ref, flags)));
}

async function migrate(context: CommandContext, ref: string, { to, dryRun }: MigrateFlags): Promise<number> {
  const { ui, terminal } = context;
  const { workflow, warnings } = await loadWorkflowFile(resolve(terminal.cwd, to));
  for (const warning of warnings) ui.problem(warning);
  return withStoredRuntime(context, async (runtime) => {
    const { execution_id, status } = await findExecution(runtime, ref);
    const migration = await runtime.migrate(execution_id, workflow, { dryRun });
    if (ui.json) ui.document(migration);
    else ui.print(formatMigration(migration, status, ui.color));
    return migration.allowed ? EXIT.success : EXIT.failed;
  });
}
