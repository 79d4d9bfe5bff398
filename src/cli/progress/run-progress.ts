import { NODE_STATUSES, type ExecutionEvent, type NodeStatus } from '../../runtime/index.js';

export interface RunningNode {
  readonly id: string;
  /** Epoch ms. */
  readonly startedAtMs: number;
  /** 0..1 when the step said so. */
  fraction?: number;
  message?: string;
}

export type StatusCounts = Record<NodeStatus, number>;

/** Statuses after which a node takes no more time, unless somebody asks for a retry. */
const SETTLED: ReadonlySet<NodeStatus> = new Set(['completed', 'skipped', 'failed', 'blocked', 'cancelled']);

/** What a retry brings back to life. */
const REVIVED: ReadonlySet<NodeStatus> = new Set(['failed', 'blocked', 'cancelled']);

/**
 * An execution as its events tell it: the status of every node, who runs and for how long, how long attempts took.
 * Fed with history first and live events later, it ends in the same state as if it had watched from the start.
 */
export class RunProgress {
  /** Of the definition, and items of maps as they become known. */
  totalNodes: number;
  readonly counts: StatusCounts;
  readonly running = new Map<string, RunningNode>();
  /** Seconds all attempts of a node took, by node. */
  readonly nodeSeconds = new Map<string, number>();
  /** Attempts after the first. */
  retries = 0;
  /** Nodes that failed and wait for their next attempt. */
  readonly retrying = new Set<string>();
  /** Sum of the weights of settled nodes. */
  settledWeight = 0;
  totalWeight: number;
  readonly #statuses = new Map<string, NodeStatus>();
  readonly #weightOf: (nodeId: string) => number;
  /** Items of maps have no expected seconds. */
  readonly #isWeighted: boolean;
  #ended = false;

  /** `weights` are expected seconds by node, when they are known for all; otherwise every node counts the same. */
  constructor(totalNodes: number, weights?: ReadonlyMap<string, number>) {
    this.totalNodes = totalNodes;
    this.counts = Object.fromEntries(NODE_STATUSES.map((status) => [status, 0])) as StatusCounts;
    this.counts.pending = totalNodes;
    this.#isWeighted = weights !== undefined;
    this.#weightOf = weights === undefined ? () => 1 : (id) => weights.get(id) ?? 0;
    this.totalWeight = weights === undefined ? totalNodes : [...weights.values()].reduce((a, b) => a + b, 0);
  }

  /** Nodes that need nothing more. */
  get settledNodes(): number {
    const { completed, skipped, failed, blocked, cancelled } = this.counts;
    return completed + skipped + failed + blocked + cancelled - this.retrying.size;
  }

  /** Weight done, with the reported progress of running nodes counted in. */
  get weightDone(): number {
    let done = this.settledWeight;
    for (const node of this.running.values()) done += this.#weightOf(node.id) * (node.fraction ?? 0);
    return done;
  }

  statusOf(nodeId: string): NodeStatus {
    return this.#statuses.get(nodeId) ?? 'pending';
  }

  apply(event: ExecutionEvent): void {
    if (event.node_id === undefined) this.#applyToWorkflow(event);
    else this.#applyToNode(event, event.node_id);
  }

  #applyToWorkflow(event: ExecutionEvent): void {
    switch (event.event_type) {
      case 'workflow_completed':
      case 'workflow_failed':
      case 'workflow_cancelled':
        this.#ended = true;
        return;
      case 'workflow_started':
      case 'workflow_resumed':
        // After a rerun each node that comes back says so.
        if (this.#ended && event.data.rerun === undefined) this.#revive();
        this.#ended = false;
        return;
      case 'workflow_migrated':
        // What is not there any more had at most been about to start.
        for (const id of textsOf(event.data.removed)) this.#become(id, 'pending');
        return;
      default:
    }
  }

  #applyToNode(event: ExecutionEvent, id: string): void {
    switch (event.event_type) {
      case 'map_expanded':
        return this.#addItems(numberOf(event.data.new_nodes));
      case 'node_ready':
      case 'node_recovered':
        return this.#become(id, 'ready');
      case 'node_started':
        this.#become(id, 'running');
        this.running.set(id, { id, startedAtMs: Date.parse(event.timestamp) });
        if (numberOf(event.data.attempt) > 1) this.retries++;
        return;
      case 'node_completed':
        this.#addSeconds(id, event);
        return this.#become(id, 'completed');
      case 'node_failed':
        this.#addSeconds(id, event);
        this.#become(id, 'failed', event.data.will_retry === true);
        return;
      case 'node_skipped':
        return this.#become(id, 'skipped');
      case 'node_blocked':
        return this.#become(id, 'blocked');
      case 'node_cancelled':
        return this.#become(id, 'cancelled');
      case 'node_progress':
        return this.#noteProgress(id, event.data);
      default:
    }
  }

  #become(id: string, status: NodeStatus, willRetry = false): void {
    const before = this.statusOf(id);
    const wasSettled = SETTLED.has(before) && !this.retrying.has(id);
    this.counts[before]--;
    this.counts[status]++;
    this.#statuses.set(id, status);
    if (willRetry) this.retrying.add(id);
    else this.retrying.delete(id);
    if (status !== 'running') this.running.delete(id);
    const isSettled = SETTLED.has(status) && !willRetry;
    if (isSettled !== wasSettled) this.settledWeight += isSettled ? this.#weightOf(id) : -this.#weightOf(id);
  }

  #addItems(count: number): void {
    this.totalNodes += count;
    this.counts.pending += count;
    if (!this.#isWeighted) this.totalWeight += count;
  }

  #revive(): void {
    for (const [id, status] of this.#statuses) if (REVIVED.has(status)) this.#become(id, 'pending');
  }

  /** A node that failed without a measured time (its worker died) took as long as it was seen running. */
  #addSeconds(id: string, event: ExecutionEvent): void {
    const startedAtMs = this.running.get(id)?.startedAtMs;
    const seen = startedAtMs === undefined ? 0 : (Date.parse(event.timestamp) - startedAtMs) / 1000;
    const measured = event.data.execution_time_seconds;
    const seconds = typeof measured === 'number' ? measured : Math.max(0, seen);
    this.nodeSeconds.set(id, (this.nodeSeconds.get(id) ?? 0) + seconds);
  }

  #noteProgress(id: string, data: Record<string, unknown>): void {
    const node = this.running.get(id);
    if (node === undefined) return;
    if (typeof data.fraction === 'number') node.fraction = Math.min(1, Math.max(0, data.fraction));
    if (typeof data.message === 'string') node.message = data.message;
  }
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
