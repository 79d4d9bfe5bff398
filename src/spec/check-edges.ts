import type { Draft, DraftEdge, DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** The edges that lead to one node, by where they come from. */
interface Incoming {
  readonly sources: Map<string, DraftEdge>;
  /** One without a condition is among them: then they are all there are. */
  whole: boolean;
}

/**
 * Edges give dependencies to nodes that list none. Where a node lists its own and edges lead to it as well, both
 * must say the same; edges with conditions alone may leave dependencies out: those have none.
 */
export function foldEdges(draft: Draft, findings: Findings): void {
  if (draft.edges.length === 0) return;
  const incoming = new Map<string, Incoming>();
  for (const edge of draft.edges) {
    checkEnd(draft, edge, 'from', findings);
    checkEnd(draft, edge, 'to', findings);
    const into = incoming.get(edge.to) ?? { sources: new Map<string, DraftEdge>(), whole: false };
    const twin = into.sources.get(edge.from);
    if (twin !== undefined) checkTwins(twin, edge, findings);
    if (edge.condition === undefined) into.whole = true;
    into.sources.set(edge.from, edge);
    incoming.set(edge.to, into);
  }
  for (const node of draft.nodes) {
    const into = incoming.get(node.id);
    if (into === undefined) continue;
    if (node.dependencies.length === 0) node.dependencies = [...into.sources.keys()];
    else compareEdges(node, into, findings);
  }
}

function checkEnd(draft: Draft, edge: DraftEdge, end: 'from' | 'to', findings: Findings): void {
  const id = edge[end];
  if (draft.byId.has(id)) return;
  const message = `edges[${edge.index}].${end} is ${JSON.stringify(id)}, which is not a node${didYouMean(id, draft.byId.keys())}`;
  findings.error('UNKNOWN_DEPENDENCY', ['edges', edge.index, end], message);
}

/** The same edge twice means no harm, unless only one of them can be meant. */
function checkTwins(first: DraftEdge, second: DraftEdge, findings: Findings): void {
  if (first.condition === second.condition) return;
  const pair = `${JSON.stringify(first.from)} to ${JSON.stringify(first.to)}`;
  const message = `edges[${second.index}] leads from ${pair}, as edges[${first.index}] does, under another condition: give one edge the whole condition`;
  findings.error('EDGE_MISMATCH', ['edges', second.index], message, second.to);
}

function compareEdges(node: DraftNode, { sources, whole }: Incoming, findings: Findings): void {
  const listed = new Set(node.dependencies);
  const name = JSON.stringify(node.id);
  for (const [from, { index }] of sources) {
    if (listed.has(from)) continue;
    const message = `edges[${index}] says that ${name} depends on ${JSON.stringify(from)}, but its dependencies do not`;
    findings.error('EDGE_MISMATCH', ['edges', index], message, node.id);
  }
  if (!whole) return;
  node.dependencies.forEach((id) => {
    if (sources.has(id)) return;
    const message = `the dependencies of ${name} have ${JSON.stringify(id)}, but edges, which lead to it from others, do not`;
    findings.error('EDGE_MISMATCH', ['nodes', node.index, 'dependencies'], message, node.id);
  });
}
