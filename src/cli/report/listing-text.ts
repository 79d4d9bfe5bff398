import type { Colors } from 'picocolors/types.js';
import { colorStatus } from '../format/status.js';
import { formatAgo, formatSeconds, formatTable, oneLine } from '../format/text.js';
import type { ListedExecution } from './listing.js';

/** A table of executions. */
export function formatListing(executions: readonly ListedExecution[], color: Colors, nowMs: number): string {
  if (executions.length === 0) return 'no executions';
  const header = ['ID', 'STATUS', 'WORKFLOW', 'NODES', 'STARTED', 'DURATION'].map(color.dim);
  const rows = executions.map((execution) => [
    execution.execution_id,
    colorStatus(color, execution.interrupted ? 'interrupted' : execution.status),
    oneLine(execution.workflow_id),
    `${execution.completed_nodes}/${execution.total_nodes}`,
    formatAgo(Date.parse(execution.started_at ?? execution.created_at), nowMs),
    execution.duration_seconds === null ? '–' : formatSeconds(execution.duration_seconds),
  ]);
  return formatTable([header, ...rows]).join('\n');
}
