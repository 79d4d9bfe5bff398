import { isMaestroError } from '../base/errors.js';
import { compileCondition } from '../policy/condition.js';
import { expandGroups } from '../graph/index.js';
import { graphOf } from './check-graph.js';
import type { Draft, DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** What each node depends on, groups expanded. */
type Graph = ReadonlyMap<string, readonly string[]>;

/** Checks that conditions compile and read only outputs that will be there when they are evaluated. */
export function checkConditions(draft: Draft, findings: Findings): void {
  let graph: Graph | undefined;
  for (const node of draft.nodes) {
    const { condition } = node.fields;
    if (typeof condition !== 'string' || condition === '') continue;
    const path = ['nodes', node.index, 'condition'];
    try {
      const { references } = compileCondition(condition);
      if (references === 'all') continue;
      graph ??= new Map(expandGroups(graphOf(draft)).map(({ id, dependencies }) => [id, dependencies]));
      checkReferences(draft, graph, node, references, path, findings);
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      findings.error('BAD_CONDITION', path, `node ${JSON.stringify(node.id)}: ${error.message}`, node.id);
    }
  }
}

function checkReferences(
  draft: Draft,
  graph: Graph,
  node: DraftNode,
  references: readonly string[],
  path: (string | number)[],
  findings: Findings,
): void {
  const missing = new Set(references);
  if (missing.size > 0) removeAncestors(graph, node.id, missing);
  for (const id of missing) {
    const reads = `the condition of node ${JSON.stringify(node.id)} reads the output of ${JSON.stringify(id)}`;
    const why = draft.byId.has(id)
      ? `which it does not depend on: the output would not be there`
      : `which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error('BAD_CONDITION', path, `${reads}, ${why}`, node.id);
  }
}

/** Walks up from the node until nothing is wanted any more. */
function removeAncestors(graph: Graph, node: string, wanted: Set<string>): void {
  const seen = new Set<string>();
  const queue = [...(graph.get(node) ?? [])];
  for (let id = queue.pop(); id !== undefined && wanted.size > 0; id = queue.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    wanted.delete(id);
    queue.push(...(graph.get(id) ?? []));
  }
}
