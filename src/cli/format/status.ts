import type { Colors } from 'picocolors/types.js';
import type { NodeStatus, WorkflowStatus } from '../../runtime/index.js';

/** The colour of a status: green done, red wrong, yellow waiting for somebody, cyan at work, dim not yet. */
export function colorStatus(
  color: Colors,
  status: NodeStatus | WorkflowStatus | 'interrupted',
  text?: string,
): string {
  const shown = text ?? status;
  switch (status) {
    case 'completed':
      return color.green(shown);
    case 'failed':
      return color.red(shown);
    case 'paused':
    case 'cancelled':
    case 'interrupted':
    case 'blocked':
      return color.yellow(shown);
    case 'running':
    case 'ready':
      return color.cyan(shown);
    case 'pending':
    case 'skipped':
      return color.dim(shown);
  }
}
