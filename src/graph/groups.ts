import { dependenciesOf } from './queries.js';
import type { GraphNode, Plan } from './plan.js';

/**
 * A group has no edges of its own: it ends when its members have ended, and what it depends on its members depend
 * on, those aside that depend on another member already. Members that are no nodes are left out.
 */
export function expandGroups(nodes: readonly GraphNode[]): readonly GraphNode[] {
  if (nodes.every(({ members }) => members === undefined)) return nodes;
  const ids = new Set(nodes.map(({ id }) => id));
  const groupOf = new Map<string, GraphNode>();
  for (const group of nodes) for (const member of group.members ?? []) groupOf.set(member, group);
  return nodes.map((node) => {
    const { id, dependencies, members } = node;
    if (members !== undefined) return { ...node, dependencies: members.filter((member) => ids.has(member)) };
    const group = groupOf.get(id);
    if (group === undefined || dependencies.some((dependency) => groupOf.get(dependency) === group))
      return node;
    return { ...node, dependencies: [...dependencies, ...group.dependencies] };
  });
}

/** The members of each group, by the group's index; groups are expanded already. */
export function groupsOf(
  nodes: readonly GraphNode[],
  plan: Pick<Plan, 'dependencies' | 'dependencyOffsets'>,
): Pick<Plan, 'groups' | 'groupOf'> {
  const groups = new Map<number, Uint32Array>();
  const groupOf = new Map<number, number>();
  nodes.forEach(({ members }, index) => {
    if (members === undefined) return;
    groups.set(index, dependenciesOf(plan, index));
    for (const member of dependenciesOf(plan, index)) groupOf.set(member, index);
  });
  return { groups, groupOf };
}
