import { dependenciesOf, type Plan } from '../graph/index.js';
import type { WorkflowSpec } from './types.js';

/** Sources of conditions, by the node an edge leads to, then by the one it comes from. */
export type EdgeConditions = ReadonlyMap<number, ReadonlyMap<number, string>>;

/**
 * The conditions on the edges of a checked workflow. One that leads to a group holds for each member that depends on
 * what the group depends on, unless that has a condition of its own there.
 */
export function edgeConditionsOf({ edges = [] }: WorkflowSpec, plan: Plan): EdgeConditions {
  const conditions = new Map<number, Map<number, string>>();
  const set = (from: number, to: number, condition: string): void => {
    const into = conditions.get(to);
    if (into === undefined) conditions.set(to, new Map([[from, condition]]));
    else if (!into.has(from)) into.set(from, condition);
  };
  const conditional = edges.flatMap(({ from, to, condition }) => {
    return condition === undefined
      ? []
      : [{ from: plan.indexOf.get(from)!, to: plan.indexOf.get(to)!, condition }];
  });
  const ofGroups = conditional.filter(({ to }) => plan.groups.has(to));
  for (const { from, to, condition } of conditional) if (!plan.groups.has(to)) set(from, to, condition);
  for (const { from, to, condition } of ofGroups)
    for (const member of plan.groups.get(to)!)
      if (dependenciesOf(plan, member).includes(from)) set(from, member, condition);
  return conditions;
}
