import type { ExecutionEvent } from './events.js';
import { isWanted, type Logger } from './logger.js';

/** What a line says of an event's data. Contexts and outputs may be large, and may be nobody's business. */
const FIELDS = [
  'attempt',
  'attempts',
  'max_attempts',
  'completed_nodes',
  'failed_node',
  'by',
  'error',
  'error_code',
  'will_retry',
  'retry_delay_seconds',
  'execution_time_seconds',
  'reason',
  'retry',
] as const;

/**
 * One line for each event: at info for executions, at debug for nodes; what failed for good at warn. null when nobody
 * would see any: events are then not even made for it.
 */
export function eventLog(logger: Logger): ((event: ExecutionEvent) => void) | null {
  if (!isWanted(logger, 'info')) return null;
  return (event) => {
    const { event_type, workflow_id, execution_id, node_id, data } = event;
    const level = levelOf(event);
    if (level === 'debug' && !isWanted(logger, 'debug')) return;
    const fields: Record<string, unknown> = { event_type, workflow_id, execution_id };
    if (node_id !== undefined) fields.node_id = node_id;
    for (const field of FIELDS) if (data[field] !== undefined) fields[field] = data[field];
    logger[level](fields, event_type.replace('_', ' '));
  };
}

function levelOf({ event_type, data }: ExecutionEvent): 'debug' | 'info' | 'warn' {
  if (event_type === 'workflow_failed') return 'warn';
  if (event_type === 'node_failed') return data.will_retry === true ? 'debug' : 'warn';
  return event_type.startsWith('workflow_') ? 'info' : 'debug';
}
