import { isMaestroError } from '../base/errors.js';
import { compileCondition } from '../policy/condition.js';
import { expandGroups } from '../graph/index.js';
import { graphOf } from './check-graph.js';
import { isRecord, type Draft } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** What each node depends on, groups expanded. */
type Graph = ReadonlyMap<string, readonly string[]>;

/** A condition of a node, or on an edge, where it is written. */
interface Given {
  readonly condition: unknown;
  readonly path: (string | number)[];
  /** As messages name what it belongs to. */
  readonly owner: string;
  readonly nodeId: string;
  /** Whose outputs it can read: what comes before this node, and with `itself` its own. */
  readonly before: string;
  readonly itself: boolean;
}

/** Checks that conditions compile and read only outputs that will be there when they are evaluated. */
export function checkConditions(draft: Draft, findings: Findings): void {
  let graph: Graph | undefined;
  for (const given of conditionsOf(draft)) {
    const { condition, path, owner, nodeId } = given;
    if (typeof condition !== 'string' || condition === '') continue;
    try {
      const { references } = compileCondition(condition);
      if (references === 'all') continue;
      graph ??= new Map(expandGroups(graphOf(draft)).map(({ id, dependencies }) => [id, dependencies]));
      checkReferences(draft, graph, given, references, findings);
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      findings.error('BAD_CONDITION', path, `${owner}: ${error.message}`, nodeId);
    }
  }
}

function conditionsOf({ nodes, edges }: Draft): Given[] {
  return [
    ...nodes.map(({ id, index, fields }): Given => {
      const path = ['nodes', index, 'condition'];
      const owner = `node ${JSON.stringify(id)}`;
      return { condition: fields.condition, path, owner, nodeId: id, before: id, itself: false };
    }),
    ...nodes.flatMap(({ id, index, fields: { repeat } }): Given[] => {
      if (!isRecord(repeat)) return [];
      const path = ['nodes', index, 'repeat', 'until'];
      const owner = `the loop of node ${JSON.stringify(id)}`;
      return [{ condition: repeat.until, path, owner, nodeId: id, before: id, itself: true }];
    }),
    ...edges.map(({ index, from, to, condition }): Given => {
      const path = ['edges', index, 'condition'];
      const owner = `the edge from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
      return { condition, path, owner, nodeId: to, before: from, itself: true };
    }),
  ];
}

function checkReferences(
  draft: Draft,
  graph: Graph,
  { path, owner, nodeId, before, itself }: Given,
  references: readonly string[],
  findings: Findings,
): void {
  const missing = new Set(references);
  if (itself) missing.delete(before);
  if (missing.size > 0) removeAncestors(graph, before, missing);
  for (const id of missing) {
    const reads = `the condition of ${owner} reads the output of ${JSON.stringify(id)}`;
    const without = itself ? `${JSON.stringify(before)} does not depend on` : 'it does not depend on';
    const why = draft.byId.has(id)
      ? `which ${without}: the output would not be there`
      : `which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error('BAD_CONDITION', path, `${reads}, ${why}`, nodeId);
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
