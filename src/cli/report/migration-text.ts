import type { Colors } from 'picocolors/types.js';
import type { MigrationDocument, WorkflowStatus } from '../../runtime/index.js';
import { oneLine } from '../format/text.js';
import { formatDifference } from './definition-text.js';

/** What becomes, or would become, of an execution under another definition. */
export function formatMigration(migration: MigrationDocument, status: WorkflowStatus, color: Colors): string {
  return [formatDifference(migration.difference, color), ...verdictLines(migration, status, color)].join(
    '\n',
  );
}

function verdictLines(
  { execution_id, migrated, dry_run, allowed, refusals, nodes }: MigrationDocument,
  status: WorkflowStatus,
  color: Colors,
): string[] {
  if (!allowed)
    return [
      color.red(`execution ${execution_id} cannot be migrated:`),
      ...refusals.map((text) => `  ${color.red('✗')} ${oneLine(text)}`),
      ...nodes.flatMap(({ node_id, change, why }) =>
        why === undefined ? [] : [`  ${color.red('✗')} ${oneLine(node_id)} is ${change}: ${oneLine(why)}`],
      ),
    ];
  const next = `maestro ${status === 'failed' ? 'retry' : 'resume'} ${execution_id}`;
  if (migrated)
    return [`execution ${execution_id} has this definition now; go on with \`${color.bold(next)}\``];
  return [
    dry_run
      ? `execution ${execution_id} can be migrated`
      : `execution ${execution_id} has this definition already`,
  ];
}
