import { isMaestroError } from '../base/errors.js';
import { parseDepends, tasksOf } from '../policy/depends.js';
import { isGroup, membersOf } from './check-groups.js';
import type { Draft, DraftNode } from './draft.js';
import type { Findings } from './findings.js';

/**
 * Checks trigger rules and dependency expressions, and folds the nodes that an expression names into the node's
 * dependencies: before the graph is checked, which then sees them like all others.
 */
export function checkTriggers(draft: Draft, findings: Findings): void {
  const groupOf = new Map<string, DraftNode>();
  for (const node of draft.nodes)
    if (isGroup(node)) for (const member of membersOf(node)) groupOf.set(member, node);
  for (const node of draft.nodes) {
    const { depends, trigger_rule } = node.fields;
    if (typeof depends !== 'string' || depends === '') continue;
    const path = ['nodes', node.index, 'depends'];
    const name = JSON.stringify(node.id);
    if (trigger_rule !== undefined) {
      const message = `node ${name} has "depends" and "trigger_rule": only one can say when it runs`;
      findings.error('TWO_TRIGGERS', path, message, node.id);
    }
    try {
      foldTasks(node, tasksOf(parseDepends(depends)), findings);
      checkMember(node, groupOf.get(node.id), findings);
    } catch (error) {
      if (!isMaestroError(error, 'SPEC_INVALID')) throw error;
      findings.error('BAD_DEPENDS', path, `node ${name}: ${error.message}`, node.id);
    }
  }
}

function foldTasks(node: DraftNode, tasks: readonly string[], findings: Findings): void {
  if (node.dependencies.length === 0) {
    node.dependencies = tasks;
    return;
  }
  const named = new Set(tasks);
  const listed = new Set(node.dependencies);
  const [first] = [
    ...node.dependencies.filter((id) => !named.has(id)),
    ...tasks.filter((id) => !listed.has(id)),
  ];
  if (first === undefined) return;
  const message = `node ${JSON.stringify(node.id)}: "depends" and "dependencies" differ about ${JSON.stringify(first)}; leave "dependencies" out`;
  findings.error('DEPENDS_MISMATCH', ['nodes', node.index, 'dependencies'], message, node.id);
}

/** What a group depends on, those members must name that depend on no other member: they wait for it, too. */
function checkMember(node: DraftNode, group: DraftNode | undefined, findings: Findings): void {
  if (group === undefined) return;
  const members = new Set(membersOf(group));
  if (node.dependencies.some((id) => members.has(id))) return;
  const missing = group.dependencies.find((id) => !node.dependencies.includes(id));
  if (missing === undefined) return;
  const message = `node ${JSON.stringify(node.id)}: its group ${JSON.stringify(group.id)} depends on ${JSON.stringify(missing)}, so its "depends" must name that, too`;
  findings.error('BAD_DEPENDS', ['nodes', node.index, 'depends'], message, node.id);
}
