import type { NodeSpec, WorkflowSpec } from '../../runtime/index.js';
import { count, oneLine } from '../format/text.js';

/** Which queue a node is in, and what it takes of it; undefined: it is in none. */
export function queueLabel({ queue, slots = 1 }: NodeSpec): string | undefined {
  if (queue === undefined) return undefined;
  return `queue ${oneLine(queue)}${slots === 1 ? '' : `, ${count(slots, 'slot')}`}`;
}

/** A line for each node in a queue. */
export function queueLines({ nodes }: WorkflowSpec): string[] {
  return nodes.flatMap((node) => {
    const label = queueLabel(node);
    return label === undefined ? [] : [`  ${oneLine(node.id)} is in ${label}`];
  });
}

/** The nodes in queues, by id. */
export function queuesDocument({ workflow, nodes }: WorkflowSpec): { queues?: Record<string, object> } {
  const named = nodes.flatMap(({ id, queue, slots = 1, priority = workflow.priority ?? 0 }) =>
    queue === undefined ? [] : [[id, { queue, slots, priority }] as const],
  );
  return named.length === 0 ? {} : { queues: Object.fromEntries(named) };
}
