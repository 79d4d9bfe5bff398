/**
 * A document that may be wrong anywhere, read as far as it makes sense: so that the checks on meaning can run
 * beside those on form, and a user sees every problem at once.
 */
export interface Draft {
  readonly nodes: readonly DraftNode[];
  readonly byId: NodesById;
  readonly edges: readonly DraftEdge[];
  /** The workflow's default. */
  readonly isolation: unknown;
}

export interface DraftNode {
  /** Position in the document's `nodes`; of a `compensate` step, behind all of these. */
  readonly index: number;
  /** The node whose `compensate` it is. */
  readonly owner?: DraftNode;
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Own dependencies, or those that `edges` give it; no repeats. Set when edges are folded in. */
  dependencies: readonly string[];
}

export interface DraftEdge {
  readonly index: number;
  readonly from: string;
  readonly to: string;
  readonly condition: unknown;
}

export function readDraft(value: unknown): Draft {
  const root = isRecord(value) ? value : {};
  const nodes: DraftNode[] = [];
  asArray(root.nodes).forEach((fields, index) => {
    if (!isRecord(fields) || typeof fields.id !== 'string') return;
    nodes.push({ index, id: fields.id, fields, dependencies: unique(fields.dependencies) });
  });
  for (const node of compensationNodes(nodes, asArray(root.nodes).length)) nodes.push(node);
  const edges: DraftEdge[] = [];
  asArray(root.edges).forEach((edge, index) => {
    if (!isRecord(edge) || typeof edge.from !== 'string' || typeof edge.to !== 'string') return;
    edges.push({ index, from: edge.from, to: edge.to, condition: edge.condition });
  });
  const isolation = isRecord(root.workflow) ? root.workflow.isolation : undefined;
  return { nodes, byId: new NodesById(nodes), edges, isolation };
}

/** The nodes by id; of those with the same one, the first. */
export class NodesById {
  /** The place of each in the list of nodes. */
  readonly places: ReadonlyMap<string, number>;

  constructor(private readonly nodes: readonly DraftNode[]) {
    const places = new Map<string, number>();
    nodes.forEach(({ id }, place) => places.set(id, place));
    // The first one last: it stays.
    if (places.size < nodes.length) for (let k = nodes.length - 1; k >= 0; k--) places.set(nodes[k].id, k);
    this.places = places;
  }

  /** Of different ids. */
  get size(): number {
    return this.places.size;
  }

  has(id: string): boolean {
    return this.places.has(id);
  }

  get(id: string): DraftNode | undefined {
    const place = this.places.get(id);
    return place === undefined ? undefined : this.nodes[place];
  }

  keys(): Iterable<string> {
    return this.places.keys();
  }

  values(): DraftNode[] {
    return Array.from(this.places.values(), (place) => this.nodes[place]);
  }
}

/** Each `compensate` is a node of its own, behind all others. */
function compensationNodes(nodes: readonly DraftNode[], count: number): DraftNode[] {
  const compensated = nodes.filter(({ fields }) => isRecord(fields.compensate));
  return compensated.map((owner, k) => {
    const fields = { type: 'custom', ...(owner.fields.compensate as object), compensates: owner.id };
    const id = compensationId(owner.id);
    return { index: count + k, id, fields, dependencies: [owner.id], owner };
  });
}

/** The id of the node that a `compensate` becomes. */
export function compensationId(id: string): string {
  return `compensate:${id}`;
}

function unique(value: unknown): readonly string[] {
  const ids = asArray(value);
  if (!ids.every((id) => typeof id === 'string')) return unique(ids.filter((id) => typeof id === 'string'));
  // Repeats are rare, and a Set for each of many short lists is not cheap.
  const repeats = ids.length < 10 ? ids.some((id, index) => ids.indexOf(id) < index) : true;
  return repeats ? [...new Set(ids)] : ids;
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
