import { expandGroups } from '../graph/index.js';
import { graphOf } from './check-graph.js';
import type { Draft } from './draft.js';

/** What each node depends on, groups expanded: made when it is first asked for. */
export class Ancestry {
  private graph: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(private readonly draft: Draft) {}

  /** Which of these a node does not depend on, directly or not. Walks up until nothing is wanted any more. */
  missing(node: string, ids: Iterable<string>): string[] {
    const wanted = new Set(ids);
    if (wanted.size === 0) return [];
    this.graph ??= graphBefore(this.draft);
    const seen = new Set<string>();
    const queue = [...(this.graph.get(node) ?? [])];
    for (const id of queue) wanted.delete(id);
    for (let id = queue.pop(); id !== undefined && wanted.size > 0; id = queue.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      wanted.delete(id);
      queue.push(...(this.graph.get(id) ?? []));
    }
    return [...wanted];
  }
}

/** A list is evaluated before the members of its group are done: what the group itself depends on is there then. */
function graphBefore(draft: Draft): ReadonlyMap<string, readonly string[]> {
  const graph = new Map(expandGroups(graphOf(draft)).map(({ id, dependencies }) => [id, dependencies]));
  for (const { id, fields, dependencies } of draft.nodes)
    if (fields.map !== undefined) graph.set(id, dependencies);
  return graph;
}
