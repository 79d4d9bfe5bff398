import { NODE_LEAVES, type NodeContext, type NodeEvent, type NodeLeaf } from '../../machines/events.js';
import { compiledNode } from '../../machines/index.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import { grown } from '../base/grown.js';
import type {
  ContractVerdict,
  EndedIteration,
  NodeOutput,
  NodeStatus,
  ReviewComment,
  Wait,
} from '../base/model.js';
import { RareCounts } from '../base/rare-counts.js';
import { RareMap } from '../base/rare-map.js';
import { EdgeVerdicts } from './edge-verdicts.js';
import type { NodeRow } from './entries.js';

/** Codes of the node leaves: indices into NODE_LEAVES. */
export const LEAF = Object.fromEntries(NODE_LEAVES.map((leaf, code) => [leaf, code])) as Record<
  NodeLeaf,
  number
>;

const STATUS_OF_LEAF = NODE_LEAVES.map((leaf) => leaf.split('.')[0] as NodeStatus);

/** The canonical status of a leaf code; both leaves of `failed` are reported as failed. */
export function statusOfLeaf(leaf: number): NodeStatus {
  return STATUS_OF_LEAF[leaf];
}

/** Whether a node in this leaf will not move by itself any more (blocked counts: only a rerun frees it). */
export function isSettledLeaf(leaf: number): boolean {
  return (
    leaf !== LEAF.pending && leaf !== LEAF.ready && leaf !== LEAF.running && leaf !== LEAF['failed.retrying']
  );
}

/** By attempt: the contexts of nodes to which nothing else has happened, as most are. They are shared, so nobody may change them. */
const PLAIN_CONTEXTS: readonly NodeContext[] = [0, 1].map((attempt) => ({
  attempt,
  run: 0,
  wakeAtMs: 0,
  error: null,
}));

/**
 * The state of all nodes of one execution, by columns: a pending node costs a few dozen bytes. What is rare
 * (errors, artifacts, reasons, wake times) is sparse. `apply` is the only way a row changes.
 */
export class NodeColumns {
  leaf: Uint8Array;
  attempt: Int32Array;
  run: Int32Array;
  /** First attempt's start and last attempt's end of the current run, epoch ms; 0 when unset. */
  startedAtMs: Float64Array;
  endedAtMs: Float64Array;
  readonly output: (NodeOutput | null)[];
  readonly artifacts = new RareMap<number, readonly string[]>();
  readonly error = new RareMap<number, ErrorDocument>();
  readonly condition = new RareMap<number, string>();
  readonly wakeAtMs = new RareMap<number, number>();
  /** Nodes that run without executing anything, and what they wait for. */
  readonly waits = new RareMap<number, Wait>();
  /** How many of them wait for a child. */
  children = 0;
  readonly comments = new RareMap<number, readonly ReviewComment[]>();
  /** What the results were made from that were kept from before. */
  readonly cached = new RareMap<number, string>();
  /** What conditions on edges came to. */
  readonly edges = new EdgeVerdicts();
  /** Of nodes that repeat: the iteration that ended last. */
  readonly iterations = new RareMap<number, EndedIteration>();
  /** What became of a node's contracts when they were last checked. */
  readonly contracts = new RareMap<number, readonly ContractVerdict[]>();
  /** Nodes per leaf. Always equals a recount. */
  readonly counts: Int32Array;
  /** Those of `counts` that are items of maps: they have no say in how the workflow ends, their map has. */
  readonly itemCounts = new RareCounts();

  constructor(
    public nodeCount: number,
    /** Nodes of the definition; items of maps come after them. */
    private readonly fixedCount = nodeCount,
  ) {
    this.leaf = new Uint8Array(nodeCount);
    this.attempt = new Int32Array(nodeCount);
    this.run = new Int32Array(nodeCount);
    this.startedAtMs = new Float64Array(nodeCount);
    this.endedAtMs = new Float64Array(nodeCount);
    this.output = new Array<NodeOutput | null>(nodeCount).fill(null);
    this.counts = new Int32Array(NODE_LEAVES.length);
    this.counts[LEAF.pending] = nodeCount;
  }

  /** Pending nodes are added. */
  grow(nodeCount: number): void {
    const more = nodeCount - this.nodeCount;
    if (more === 0) return;
    this.nodeCount = nodeCount;
    this.leaf = grown(this.leaf, nodeCount);
    this.attempt = grown(this.attempt, nodeCount);
    this.run = grown(this.run, nodeCount);
    this.startedAtMs = grown(this.startedAtMs, nodeCount);
    this.endedAtMs = grown(this.endedAtMs, nodeCount);
    for (let i = 0; i < more; i++) this.output.push(null);
    this.counts[LEAF.pending] += more;
    this.itemCounts.add(LEAF.pending, more);
  }

  /** Nodes that run, those aside that only wait. */
  get executing(): number {
    return this.counts[LEAF.running] - this.waits.size;
  }

  /** The machine context of a node, rebuilt from its row. */
  contextOf(node: number): NodeContext {
    const attempt = this.attempt[node];
    const run = this.run[node];
    if (attempt < PLAIN_CONTEXTS.length && run === 0 && this.wakeAtMs.size === 0 && this.error.size === 0)
      return PLAIN_CONTEXTS[attempt];
    return {
      attempt,
      run,
      wakeAtMs: this.wakeAtMs.size === 0 ? 0 : (this.wakeAtMs.get(node) ?? 0),
      error: this.error.size === 0 ? null : (this.error.get(node) ?? null),
    };
  }

  /** Whether this is about the attempt under way. */
  isCurrent({ node, run, attempt }: { node: number; run: number; attempt: number }): boolean {
    return this.leaf[node] === LEAF.running && this.run[node] === run && this.attempt[node] === attempt;
  }

  /** The nodes that are in any of these leaves, in the order of the plan. O(nodes). */
  nodesIn(...leaves: readonly number[]): number[] {
    const found: number[] = [];
    this.leaf.forEach((leaf, node) => {
      if (leaves.includes(leaf)) found.push(node);
    });
    return found;
  }

  /** Nodes that failed for good or were cancelled, items of maps too. */
  get failures(): number[] {
    return this.nodesIn(LEAF['failed.exhausted'], LEAF.cancelled);
  }

  /** How many nodes of the definition are in a leaf. */
  countIn(leaf: number): number {
    return this.counts[leaf] - this.itemCounts.at(leaf);
  }

  /** How many nodes of the definition failed for good or were cancelled. */
  get failureCount(): number {
    return this.countIn(LEAF['failed.exhausted']) + this.countIn(LEAF.cancelled);
  }

  /** Stores where the machine went, and what the event itself carries. */
  apply(node: number, leaf: number, context: NodeContext, event: NodeEvent, atMs: number): void {
    this.move(node, leaf);
    this.attempt[node] = context.attempt;
    if (this.waits.size > 0 && leaf !== LEAF.running) this.endWait(node);
    switch (event.type) {
      case 'attemptStarted':
        if (this.startedAtMs[node] === 0) this.startedAtMs[node] = atMs;
        this.wakeAtMs.delete(node);
        return;
      case 'attemptSucceeded':
        this.endedAtMs[node] = atMs;
        this.output[node] = event.output;
        if (event.artifacts.length > 0) this.artifacts.set(node, event.artifacts);
        if (this.error.size > 0) this.error.delete(node);
        return;
      case 'attemptFailed':
        this.endedAtMs[node] = atMs;
        this.error.set(node, event.error);
        if (event.retryAtMs !== undefined) this.wakeAtMs.set(node, event.retryAtMs);
        return;
      case 'conditionNotMet':
        this.endedAtMs[node] = atMs;
        this.condition.set(node, event.condition);
        return;
      case 'timedOut':
      case 'cancelRequested':
        this.endedAtMs[node] = atMs;
        this.wakeAtMs.delete(node);
        if (event.type === 'timedOut') this.error.set(node, event.error);
        return;
      case 'rerunRequested':
        this.clear(node, context.run);
        return;
      case 'waitStarted': {
        const { kind, signal, wakeAtMs } = event;
        if (this.startedAtMs[node] === 0) this.startedAtMs[node] = atMs;
        this.waits.set(node, { kind, signal, wakeAtMs });
        if (kind === 'child') this.children++;
        if (wakeAtMs > 0) this.wakeAtMs.set(node, wakeAtMs);
        else this.wakeAtMs.delete(node);
        return;
      }
      case 'commented': {
        const { text, reviewer } = event;
        this.comments.set(node, [...(this.comments.get(node) ?? []), { text, reviewer, atMs }]);
        return;
      }
      case 'cacheHit':
        this.cached.set(node, event.hash);
        return;
      case 'edgeEvaluated':
        this.edges.set(event.from, node, event.verdict);
        return;
      case 'iterationEnded': {
        const { output, nextAtMs } = event;
        this.run[node] = context.run;
        this.endedAtMs[node] = 0;
        this.iterations.set(node, { number: this.iterationOf(node), output });
        if (this.error.size > 0) this.error.delete(node);
        if (nextAtMs !== undefined) this.wakeAtMs.set(node, nextAtMs);
        return;
      }
      case 'contractsChecked':
        return this.noteVerdicts(node, event.verdicts);
      default:
        return;
    }
  }

  /** Which iteration of its loop a node is in: 1 before any has ended, also for nodes that do not repeat. */
  iterationOf(node: number): number {
    return (this.iterations.get(node)?.number ?? 0) + 1;
  }

  /** Replays one journal entry: the machine decides, nothing else happens. @throws RECORD_CORRUPT */
  replay(node: number, event: NodeEvent, atMs: number): void {
    const next =
      node < this.nodeCount ? compiledNode.step(this.leaf[node], this.contextOf(node), event) : undefined;
    if (next === undefined) {
      const where = node < this.nodeCount ? NODE_LEAVES[this.leaf[node]] : 'no such node';
      throw new MaestroError(
        'RECORD_CORRUPT',
        `the journal says ${event.type} for node index ${node} (${where})`,
      );
    }
    this.apply(node, next.leaf, next.context, event, atMs);
  }

  row(node: number): NodeRow {
    return {
      leaf: this.leaf[node],
      attempt: this.attempt[node],
      run: this.run[node],
      startedAtMs: this.startedAtMs[node],
      endedAtMs: this.endedAtMs[node],
      wakeAtMs: this.wakeAtMs.get(node) ?? 0,
      output: this.output[node],
      artifacts: this.artifacts.get(node) ?? [],
      error: this.error.get(node) ?? null,
      condition: this.condition.get(node) ?? null,
      wait: this.waits.get(node) ?? null,
      comments: this.comments.get(node) ?? [],
      iteration: this.iterations.get(node) ?? null,
      contracts: this.contracts.get(node) ?? [],
    };
  }

  setRow(node: number, row: NodeRow): void {
    this.move(node, row.leaf);
    this.attempt[node] = row.attempt;
    this.run[node] = row.run;
    this.startedAtMs[node] = row.startedAtMs;
    this.endedAtMs[node] = row.endedAtMs;
    this.output[node] = row.output;
    if (row.wakeAtMs > 0) this.wakeAtMs.set(node, row.wakeAtMs);
    if (row.artifacts.length > 0) this.artifacts.set(node, row.artifacts);
    if (row.error !== null) this.error.set(node, row.error);
    if (row.condition !== null) this.condition.set(node, row.condition);
    if (row.wait !== null) this.waits.set(node, row.wait);
    if (row.wait?.kind === 'child') this.children++;
    if (row.comments.length > 0) this.comments.set(node, row.comments);
    if (row.iteration !== null) this.iterations.set(node, row.iteration);
    if (row.contracts.length > 0) this.contracts.set(node, row.contracts);
  }

  /**
   * The node of the definition that failed for good first (by time, then order); -1 when none did. What was cancelled at the same moment
   * was cancelled because of it.
   */
  firstFailed(): number {
    const { leaf, endedAtMs } = this;
    let first = -1;
    if (this.failureCount === 0) return first;
    for (let node = 0; node < this.fixedCount; node++) {
      if (leaf[node] !== LEAF['failed.exhausted'] && leaf[node] !== LEAF.cancelled) continue;
      const isCause = leaf[node] !== LEAF.cancelled && first >= 0 && leaf[first] === LEAF.cancelled;
      const isEarlier =
        endedAtMs[node] < endedAtMs[first] || (endedAtMs[node] === endedAtMs[first] && isCause);
      if (first < 0 || isEarlier) first = node;
    }
    return first;
  }

  /** Later ones replace those of the same side. */
  private noteVerdicts(node: number, verdicts: readonly ContractVerdict[]): void {
    const others = (this.contracts.get(node) ?? []).filter(({ side }) => side !== verdicts[0].side);
    this.contracts.set(node, [...others, ...verdicts]);
  }

  private move(node: number, leaf: number): void {
    const from = this.leaf[node];
    this.counts[from]--;
    this.counts[leaf]++;
    this.leaf[node] = leaf;
    if (node < this.fixedCount) return;
    this.itemCounts.add(from, -1);
    this.itemCounts.add(leaf, 1);
  }

  private endWait(node: number): void {
    if (this.waits.get(node)?.kind === 'child') this.children--;
    if (this.waits.delete(node)) this.wakeAtMs.delete(node);
  }

  private clear(node: number, run: number): void {
    this.run[node] = run;
    this.startedAtMs[node] = 0;
    this.endedAtMs[node] = 0;
    this.output[node] = null;
    this.artifacts.delete(node);
    this.error.delete(node);
    this.condition.delete(node);
    this.wakeAtMs.delete(node);
    this.comments.delete(node);
    this.edges.forgetInto(node);
    this.cached.delete(node);
    this.iterations.delete(node);
    this.contracts.delete(node);
  }
}
