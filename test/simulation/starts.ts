import { LEAF, type NodeColumns } from '../../src/engine/columns.js';
import { descendants, dependentsOf, stageOf, withMaps, type Plan } from '../../src/graph/index.js';
import type { WorkflowEvent } from '../../machines/events.js';
import type { FailureMode } from '../../src/base/model.js';

/**
 * What may start under fail_fast: nothing once a node has failed, but for what a rerun reaches. Written anew, without
 * the engine: from the requests in the journal, and where the nodes are then.
 */
export class Starts {
  /** Failures that a rerun has left as they are. */
  private standing = 0;
  private allowed: Set<number> | null = null;

  constructor(
    private readonly failureMode: FailureMode,
    private readonly plan: Plan,
    private readonly columns: NodeColumns,
    /** Compensations are neither held back, nor hold others back. */
    private readonly isCompensation: (node: number) => boolean,
  ) {}

  /** A request that is about to be replayed; in `status` the workflow is. */
  requested(event: WorkflowEvent, status: string): void {
    if (event.type === 'retryRequested') this.lift();
    if (event.type !== 'rerunRequested' || this.failureMode !== 'fail_fast') return;
    if (status !== 'running' && status !== 'paused') this.lift();
    const { node, cascade } = event;
    const { leaf } = this.columns;
    const family = withMaps(this.plan, [node, ...(this.plan.groups.get(node) ?? [])]);
    const below = withMaps(
      this.plan,
      family.flatMap((each) => descendants(this.plan, each)),
    );
    const waiting = [...dependentsOf(this.plan, node)].filter(
      (at) => leaf[at] === LEAF.ready || leaf[at] === LEAF['failed.retrying'],
    );
    const again = new Set([...family, ...(cascade ? below : waiting)]);
    const nodes = [...leaf.keys()];
    this.standing = nodes.filter((at) => this.isFailure(at) && !again.has(at)).length;
    if (this.standing === 0) return this.lift();
    const reached = cascade ? below : below.filter((at) => leaf[at] === LEAF.blocked);
    const running = nodes.filter((at) => leaf[at] === LEAF.running);
    this.allowed = new Set([...(this.allowed ?? []), ...family, ...reached, ...running]);
  }

  /** Why a node may not start now; null when it may. */
  refusal(node: number): string | null {
    if (this.failureMode !== 'fail_fast') return null;
    const failures = [...this.columns.leaf.keys()].filter((at) => this.isFailure(at)).length;
    if (failures > this.standing) return 'after a failure';
    const isAllowed = this.allowed?.has(node) ?? true;
    return isAllowed || this.allowed!.has(stageOf(this.plan, node)) ? null : 'beside what was to run again';
  }

  /** That of an item is the affair of its map alone. */
  private isFailure(node: number): boolean {
    const leaf = this.columns.leaf[node];
    const isBad = leaf === LEAF['failed.exhausted'] || leaf === LEAF.cancelled;
    return isBad && node < this.plan.fixedCount && !this.isCompensation(node);
  }

  private lift(): void {
    this.standing = 0;
    this.allowed = null;
  }
}
