import { dependenciesOf } from './queries.js';
import type { GraphNode, MapUnit, Plan } from './plan.js';

/** The maps of nodes whose groups are expanded, in their order. */
export function mapsOf(
  nodes: readonly GraphNode[],
  rank: Uint32Array,
  plan: Pick<Plan, 'dependencies' | 'dependencyOffsets'>,
): Pick<Plan, 'maps' | 'mapOf'> {
  const maps: MapUnit[] = [];
  const mapOf = new Map<number, number>();
  nodes.forEach(({ mapped = false, members }, index) => {
    if (!mapped) return;
    const stages = members === undefined ? [index] : [...dependenciesOf(plan, index)];
    if (stages.length === 0) return;
    stages.sort((a, b) => rank[a] - rank[b]);
    const inner = new Set(stages.flatMap((stage) => [...dependenciesOf(plan, stage)]));
    for (const stage of stages) mapOf.set(stage, maps.length);
    maps.push({
      stages,
      gate: stages[0],
      group: members === undefined ? -1 : index,
      sinks: stages.filter((stage) => !inner.has(stage)),
    });
  });
  return { maps, mapOf };
}

/** What a node is an instance of; itself when it is of the definition. */
export function stageOf(plan: Pick<Plan, 'fixedCount' | 'itemStages'>, node: number): number {
  return node < plan.fixedCount ? node : plan.itemStages[node - plan.fixedCount];
}

/** The map that a stage or an item belongs to, as a position in `maps`; -1 when there is none. */
export function mapOfNode(plan: Plan, node: number): number {
  return plan.maps.length === 0 ? -1 : (plan.mapOf.get(stageOf(plan, node)) ?? -1);
}
