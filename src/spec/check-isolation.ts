import type { StepFunction } from '../base/step.js';
import { isGroup } from './check-groups.js';
import { isRecord, type Draft, type DraftNode } from './draft.js';
import type { Findings } from './findings.js';

/** Checks that each node's step can run where it is said to, and that its limits can be enforced there. */
export function checkIsolation(
  draft: Draft,
  functions: ReadonlyMap<string, StepFunction> | undefined,
  findings: Findings,
): void {
  for (const node of draft.nodes) {
    const { isolation, run, uses, resources } = node.fields;
    if (isGroup(node) || (isolation === undefined && resources === undefined)) continue;
    const name = `node ${JSON.stringify(node.id)}`;
    const refuse = (key: string, message: string): void =>
      findings.error('BAD_ISOLATION', ['nodes', node.index, key], message, node.id);
    if (run !== undefined && isolation !== undefined)
      refuse('isolation', `${name} has "run" and an isolation: a command is always a process of its own`);
    else if (functions?.has(node.id) === true && isolation !== undefined && isolation !== 'inline')
      refuse(
        'isolation',
        `${name} executes a function, which can only run inline: for ${JSON.stringify(isolation)} export it from a module and name it with "uses"`,
      );
    else if (uses === undefined && isolation !== undefined && functions?.has(node.id) !== true)
      refuse('isolation', `${name} has an isolation but no "uses": it would have no effect`);
    if (!limitsHeap(node) || effectiveIsolation(draft, node) === 'process') continue;
    refuse(
      'resources',
      `${name} has "max_heap_mb", which only a child process can be held to: set "isolation: process", with "uses"`,
    );
  }
}

function limitsHeap({ fields: { resources } }: DraftNode): boolean {
  return isRecord(resources) && resources.max_heap_mb !== undefined;
}

function effectiveIsolation({ isolation }: Draft, { fields }: DraftNode): unknown {
  return fields.uses === undefined ? undefined : (fields.isolation ?? isolation);
}
