import type { Colors } from 'picocolors/types.js';
import type { ExecutionEvent } from '../../runtime/index.js';
import { oneLine, truncate } from '../format/text.js';
import { describeEvent, errorText } from '../progress/lines.js';

const DATA_WIDTH = 100;

/** A stored event on one line: time of day (UTC), type, and what it says. */
export function formatEventLine(event: ExecutionEvent, color: Colors): string {
  const time = color.dim(event.timestamp.slice(11, 23));
  return `${time}  ${describeEvent(event, color) ?? describeOther(event)}`;
}

function describeOther(event: ExecutionEvent): string {
  const name = event.event_type.replaceAll('_', ' ');
  const node = event.node_id === undefined ? '' : ` ${oneLine(event.node_id)}`;
  if (event.event_type === 'workflow_failed') {
    const failed = typeof event.data.failed_node === 'string' ? ` at ${oneLine(event.data.failed_node)}` : '';
    return `${name}${failed}: ${errorText(event.data.error)}`;
  }
  const data = Object.keys(event.data).length === 0 ? '' : ` ${oneLine(JSON.stringify(event.data))}`;
  return `${name}${node}${truncate(data, DATA_WIDTH)}`;
}
