import { isMaestroError } from '../base/errors.js';
import {
  components,
  compilePlan,
  describeCycle,
  expandGroups,
  findCycles,
  type GraphNode,
  type Plan,
} from '../graph/index.js';
import { foldEdges } from './check-edges.js';
import { isGroup, membersOf } from './check-groups.js';
import type { Draft, DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** Guesses cost a look at every id, so only the first few mistakes get one. */
const MAX_GUESSES = 20;
const MAX_CYCLES = 20;

/**
 * Checks ids, dependencies and edges, and folds the edges into the nodes' dependencies.
 * @returns the compiled graph, when it is right
 */
export function checkGraph(draft: Draft, findings: Findings): Plan | undefined {
  checkDuplicates(draft, findings);
  foldEdges(draft, findings);
  const nodes = graphOf(draft);
  const plan = compile(nodes, draft, findings);
  if (plan !== undefined) return plan;
  checkDependencies(draft, findings);
  const known = expandGroups(nodes).map(({ id, dependencies }) => ({
    id,
    dependencies: dependencies.filter((dependency) => dependency !== id && draft.byId.has(dependency)),
  }));
  for (const cycle of findCycles(known, MAX_CYCLES)) {
    const node = draft.byId.get(cycle[0]);
    const path = node === undefined ? [] : dependencyPath(draft, node, cycle[cycle.length - 2]);
    findings.error('CYCLE', path, `the dependencies form a cycle: ${describeCycle(cycle)}`, cycle[0]);
  }
  return undefined;
}

/** What the compiler of plans needs of the draft. */
export function graphOf(draft: Draft): GraphNode[] {
  return draft.byId.values().map((node): GraphNode => {
    const { id, dependencies, fields } = node;
    const { compensates } = fields;
    // Of a million nodes most are this.
    if (compensates === undefined && fields.map === undefined && !isGroup(node)) return node;
    const plain = typeof compensates === 'string' ? { id, dependencies, compensates } : { id, dependencies };
    const own = isGroup(node) ? { ...plain, members: membersOf(node) } : plain;
    return fields.map === undefined ? own : { ...own, mapped: true };
  });
}

/** The graph is right, mostly: only otherwise the costlier search for all mistakes begins. */
function compile(nodes: readonly GraphNode[], draft: Draft, findings: Findings): Plan | undefined {
  const areDistinct = nodes.length === draft.nodes.length;
  try {
    const plan = compilePlan(nodes, areDistinct ? draft.byId.places : undefined);
    const parts = components(plan);
    if (parts > 1) {
      findings.warning('DISCONNECTED', [], `the workflow has ${parts} parts with no dependency between them`);
    }
    return plan;
  } catch (error) {
    if (isMaestroError(error, 'CYCLE') || isMaestroError(error, 'SPEC_INVALID')) return undefined;
    throw error;
  }
}

function checkDuplicates(draft: Draft, findings: Findings): void {
  if (draft.byId.size === draft.nodes.length) return;
  for (const node of draft.nodes) {
    const first = draft.byId.get(node.id);
    if (first === undefined || first === node) continue;
    const message = `nodes[${node.index}] has the id ${JSON.stringify(node.id)}, as nodes[${first.index}] already has`;
    findings.error('DUPLICATE_NODE', ['nodes', node.index, 'id'], message, node.id);
  }
}

/** Every dependency must be a node, and another one. */
function checkDependencies(draft: Draft, findings: Findings): void {
  let wrong = 0;
  for (const node of draft.nodes) {
    for (const id of node.dependencies) {
      if (id !== node.id && draft.byId.has(id)) continue;
      wrong++;
      const path = dependencyPath(draft, node, id);
      const name = JSON.stringify(node.id);
      if (id === node.id) {
        findings.error('SELF_DEPENDENCY', path, `node ${name} depends on itself`, node.id);
      } else if (path[0] === 'nodes') {
        const guess = wrong <= MAX_GUESSES ? didYouMean(id, draft.byId.keys()) : '';
        const message = `node ${name} depends on ${JSON.stringify(id)}, which is not a node${guess}`;
        findings.error('UNKNOWN_DEPENDENCY', path, message, node.id);
      }
    }
  }
}

/** Where it is written that `node` depends on `id`: in the node, its expression, or among the edges. */
function dependencyPath(draft: Draft, node: DraftNode, id: string): (string | number)[] {
  const listed = Array.isArray(node.fields.dependencies) ? node.fields.dependencies.indexOf(id) : -1;
  if (listed >= 0) return ['nodes', node.index, 'dependencies', listed];
  if (node.fields.depends !== undefined) return ['nodes', node.index, 'depends'];
  const edge = draft.edges.find((candidate) => candidate.from === id && candidate.to === node.id);
  return edge === undefined ? ['nodes', node.index] : ['edges', edge.index];
}
