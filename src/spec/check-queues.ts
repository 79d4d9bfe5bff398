import { isGroup } from './check-groups.js';
import { isSubworkflow } from './check-subworkflows.js';
import { waitNameOf } from './check-waits.js';
import type { Draft } from './draft.js';
import type { Findings } from './findings.js';

/** Checks that only what takes room stands in queues. */
export function checkQueues(draft: Draft, findings: Findings): void {
  for (const node of draft.nodes) {
    const { queue, slots, priority } = node.fields;
    if (queue === undefined && slots === undefined && priority === undefined) continue;
    const name = `node ${JSON.stringify(node.id)}`;
    const path = ['nodes', node.index];
    if (queue !== undefined) {
      const wait = waitNameOf(node);
      const isContainer = isGroup(node) ? 'a parallel_group' : null;
      const what = isContainer ?? wait ?? (isSubworkflow(node) ? 'a subworkflow' : null);
      if (what === null) continue;
      const message = `${name} is ${what}, which takes no room: it cannot be in a queue`;
      findings.error('BAD_QUEUE', [...path, 'queue'], message, node.id);
      continue;
    }
    for (const [key, value] of [
      ['slots', slots],
      ['priority', priority],
    ] as const) {
      if (value === undefined) continue;
      const message = `${name} has "${key}" but no "queue": it would have no effect`;
      findings.error('BAD_QUEUE', [...path, key], message, node.id);
    }
  }
}
