import { RareMap } from '../base/rare-map.js';
import { dependenciesOf } from '../graph/queries.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { Effect } from './effects.js';
import type { ExecutionState } from './execution-state.js';

/**
 * The questions about conditions on edges. One is asked when the node that an edge comes from has completed, and its
 * answer is recorded before it counts.
 * Invariant: an answer about an output that was made again since is not taken.
 */
export class Edges {
  /** Asked and not answered: the number of the last question about each edge. */
  private readonly questions = new RareMap<string, number>();
  private asked = 0;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly host: { act(effect: Effect): void },
  ) {}

  get evaluating(): number {
    return this.questions.size;
  }

  isConditional(from: number, to: number): boolean {
    const { edgeConditions } = this.definition;
    return edgeConditions.size > 0 && edgeConditions.get(to)?.has(from) === true;
  }

  /** The edge counts once this is answered. Nothing is asked for a node that waits for nothing any more. */
  ask(from: number, to: number): void {
    if (this.leaf[to] !== LEAF.pending) return;
    this.questions.set(keyOf(from, to), ++this.asked);
    this.host.act({ kind: 'evaluate', node: to, from, question: this.asked });
  }

  /** Asks what is open about the edges to a node: at the start, after a restore, when nodes start over. */
  askOpen(to: number): void {
    const conditions = this.definition.edgeConditions.get(to);
    if (conditions === undefined) return;
    for (const from of dependenciesOf(this.definition.plan, to)) {
      if (!conditions.has(from) || this.leaf[from] !== LEAF.completed) continue;
      if (this.state.columns.edges.get(from, to) === undefined) this.ask(from, to);
    }
  }

  /** @returns whether this answers the last question about the edge, and the answer still matters */
  takes(from: number, to: number, question: number): boolean {
    const key = keyOf(from, to);
    if (this.questions.get(key) !== question) return false;
    this.questions.delete(key);
    const { workflowLeaf, columns } = this.state;
    if (workflowLeaf !== 'running' && workflowLeaf !== 'paused') return false;
    const isOpen = this.leaf[to] === LEAF.pending && columns.edges.get(from, to) === undefined;
    return isOpen && this.leaf[from] === LEAF.completed;
  }

  private get leaf(): Uint8Array {
    return this.state.columns.leaf;
  }
}

function keyOf(from: number, to: number): string {
  return `${from}>${to}`;
}
