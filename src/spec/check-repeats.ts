import { waitNameOf } from './check-waits.js';
import type { Draft } from './draft.js';
import type { Findings } from './findings.js';

/** Checks that what repeats executes something. Groups are checked with what belongs to their members. */
export function checkRepeats(draft: Draft, findings: Findings): void {
  for (const node of draft.nodes) {
    if (node.fields.repeat === undefined) continue;
    const wait = waitNameOf(node);
    if (wait === null) continue;
    const message = `node ${JSON.stringify(node.id)} has ${wait} and "repeat": only what executes something can repeat`;
    findings.error('BAD_REPEAT', ['nodes', node.index, 'repeat'], message, node.id);
  }
}
