import type { StepFunction } from '../base/step.js';
import type { Draft, DraftNode } from './draft.js';
import { isRecord } from './draft.js';
import type { Findings } from './findings.js';
import { GROUP_KEYS } from './groups.js';
import { didYouMean } from './suggest.js';
import { SUBWORKFLOW_KEYS } from './subworkflows.js';
import { WAIT_KEYS } from './waits.js';

/** What only a node that executes something, or waits, can have. */
const OF_STEPS = [
  ...['trigger_rule', 'depends', 'condition', 'uses', 'run', 'env', 'isolation', 'resources', 'retry_policy'],
  'repeat',
  'cache',
  ...['timeout_seconds', 'total_timeout_seconds', 'heartbeat_timeout_seconds'],
  ...[...WAIT_KEYS, ...SUBWORKFLOW_KEYS],
];

/** Checks that groups have members, which are in no other group, and nothing that only steps can have. */
export function checkGroups(
  draft: Draft,
  functions: ReadonlyMap<string, StepFunction> | undefined,
  findings: Findings,
): void {
  const groupOf = new Map<string, string>();
  for (const node of draft.nodes) {
    const report = (message: string, ...path: (string | number)[]): void =>
      findings.error(
        'BAD_GROUP',
        ['nodes', node.index, ...path],
        `node ${name(node.id)} ${message}`,
        node.id,
      );
    if (!isGroup(node)) {
      const isMapped = node.fields.map !== undefined;
      const key = GROUP_KEYS.find(
        (each) => node.fields[each] !== undefined && !(isMapped && each === 'max_concurrency'),
      );
      if (key !== undefined) report(`has "${key}", but its type is not parallel_group`, key);
      continue;
    }
    if (node.fields.members === undefined) report('is a parallel_group without "members"');
    for (const key of OF_STEPS)
      if (node.fields[key] !== undefined)
        report(`is a parallel_group, which executes nothing: "${key}" belongs to its members`, key);
    if (functions?.has(node.id) === true)
      report('is a parallel_group, which executes nothing, and there is a function for it');
    membersOf(node).forEach((id, k) => {
      const problem = problemOf(draft, node, id, groupOf);
      if (problem !== null) report(problem, 'members', k);
      else groupOf.set(id, node.id);
    });
    checkRestarts(node, findings);
  }
}

export function isGroup({ fields }: DraftNode): boolean {
  return fields.type === 'parallel_group';
}

/** Ids as they are given. */
export function membersOf({ fields }: DraftNode): readonly string[] {
  const { members } = fields;
  return Array.isArray(members) ? members.filter((id) => typeof id === 'string') : [];
}

function problemOf(
  draft: Draft,
  group: DraftNode,
  id: string,
  groupOf: ReadonlyMap<string, string>,
): string | null {
  const member = draft.byId.get(id);
  if (member === undefined)
    return `has the member ${name(id)}, which is not a node${didYouMean(id, draft.byId.keys())}`;
  if (member === group) return 'is a member of itself';
  if (isGroup(member)) return `has the member ${name(id)}, which is a group: groups cannot be nested`;
  const other = groupOf.get(id);
  if (other === undefined) return null;
  const where = other === group.id ? ' twice' : `, which is in the group ${name(other)} already`;
  return `has the member ${name(id)}${where}`;
}

function checkRestarts(node: DraftNode, findings: Findings): void {
  const { supervision } = node.fields;
  if (!isRecord(supervision) || (supervision.max_restarts ?? 0) !== 0) return;
  const key = ['strategy', 'within_seconds'].find((each) => supervision[each] !== undefined);
  if (key === undefined) return;
  const message = `node ${name(node.id)}: "${key}" has no effect without "max_restarts"`;
  findings.warning('UNUSED_STRATEGY', ['nodes', node.index, 'supervision'], message, node.id);
}

function name(id: string): string {
  return JSON.stringify(id);
}
