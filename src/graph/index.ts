export { carriedExpansions } from './carried-expansions.js';
export { compilePlan, compileRows, cycleError, type DependencyRows } from './compile.js';
export { criticalPath, type CriticalPath } from './critical-path.js';
export { describeCycle, findCycle, findCycles } from './cycle.js';
export { expandGroups } from './groups.js';
export { growingPlan, planForExecution, withMaps, type Expansion, type GrowingPlan } from './growing-plan.js';
export { mapOfNode, stageOf } from './maps.js';
export type { GraphNode, MapUnit, Plan } from './plan.js';
export {
  ancestors,
  components,
  dependenciesOf,
  dependentsOf,
  descendants,
  withMembers,
  generations,
  indexOfNode,
  readyNodes,
} from './queries.js';
export { upwardRanks } from './upward-rank.js';
export { toDot, toMermaid, type EdgeLabel, type Label } from './render.js';
