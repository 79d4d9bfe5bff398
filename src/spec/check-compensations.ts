import { isRecord, type Draft, type DraftNode } from './draft.js';
import { isGroup, membersOf } from './check-groups.js';
import type { Findings } from './findings.js';
import type { NodeSpec } from './types.js';
import { WAIT_KEYS } from './waits.js';

/** What a node cannot have that only runs to undo what another one did. */
const NOT_OF_COMPENSATIONS = [
  ...['trigger_rule', 'depends', 'condition', 'repeat', 'compensate', 'members', 'input_contracts'],
  ...['output_contracts', ...WAIT_KEYS],
];

/**
 * Checks the nodes that compensate others, whether written as `compensate` or in normal form, and makes each depend on
 * the node that it compensates, and on nothing else.
 */
export function checkCompensations(draft: Draft, document: unknown, findings: Findings): void {
  const compensations = draft.nodes.filter(({ fields }) => typeof fields.compensates === 'string');
  const workflow = isRecord(document) && isRecord(document.workflow) ? document.workflow : {};
  if (workflow.compensate !== undefined && compensations.length === 0) {
    const message = 'workflow.compensate has no effect: no node has a "compensate" step';
    findings.warning('UNUSED_COMPENSATE', ['workflow', 'compensate'], message);
  }
  if (compensations.length === 0) return;
  const byTarget = new Map<string, DraftNode>();
  for (const node of compensations) {
    checkCompensation(draft, node, findings);
    const target = node.fields.compensates as string;
    const twin = byTarget.get(target);
    if (twin !== undefined)
      refuse(node, `compensates ${name(target)}, as ${name(twin.id)} does already`, findings);
    byTarget.set(target, node);
    node.dependencies = [target];
  }
  checkNobodyDepends(draft, new Set(compensations.map(({ id }) => id)), findings);
}

function checkCompensation(draft: Draft, node: DraftNode, findings: Findings): void {
  const target = draft.byId.get(node.fields.compensates as string);
  if (target === undefined)
    return refuse(
      node,
      `compensates ${name(String(node.fields.compensates))}, which is not a node`,
      findings,
    );
  if (isGroup(target))
    return refuse(node, `compensates ${name(target.id)}, a group: give its members a "compensate"`, findings);
  if (target.fields.compensates !== undefined)
    return refuse(node, `compensates ${name(target.id)}, which compensates itself`, findings);
  if (node.dependencies.some((id) => id !== target.id))
    refuse(node, 'compensates another and has dependencies: it runs when that is asked for', findings);
  for (const key of NOT_OF_COMPENSATIONS)
    if (node.fields[key] !== undefined)
      refuse(node, `compensates another: ${JSON.stringify(key)} has no place there`, findings, key);
}

function checkNobodyDepends(draft: Draft, compensations: ReadonlySet<string>, findings: Findings): void {
  for (const node of draft.nodes) {
    const id = [...node.dependencies, ...membersOf(node)].find((each) => compensations.has(each));
    if (id === undefined) continue;
    const message = `node ${name(node.id)} depends on ${name(id)}, which only runs to compensate`;
    findings.error('BAD_COMPENSATE', ['nodes', node.index], message, node.id);
  }
  for (const { from, to, index } of draft.edges) {
    if (!compensations.has(from)) continue;
    const message = `edges[${index}] makes ${name(to)} depend on ${name(from)}, which only runs to compensate`;
    findings.error('BAD_COMPENSATE', ['edges', index], message, to);
  }
}

/** The node in normal form that a `compensate` becomes; the config of its node is its own if it has none. */
export function compensationSpec({ id, fields, owner }: DraftNode): NodeSpec {
  const { name: ownName, config } = owner!.fields as unknown as NodeSpec;
  const given = fields as unknown as Partial<NodeSpec>;
  return {
    ...(config !== undefined && { config }),
    ...given,
    type: 'custom',
    name: given.name ?? `Compensate ${ownName}`,
    id,
    dependencies: [owner!.id],
  };
}

function refuse(node: DraftNode, what: string, findings: Findings, key?: string): void {
  const path = ['nodes', node.index, ...(key === undefined ? [] : [key])];
  findings.error('BAD_COMPENSATE', path, `node ${name(node.id)} ${what}`, node.owner?.id ?? node.id);
}

function name(id: string): string {
  return JSON.stringify(id);
}
