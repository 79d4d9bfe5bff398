import type { Ending } from '../../machines/events.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import { LEAF } from './columns.js';
import { Compensations } from './compensations.js';
import type { EngineDefinition } from './definition.js';
import type { EngineEvent, WorkflowRequest } from './effects.js';
import type { ExecutionState } from './execution-state.js';

const CANCELLED = { name: 'Cancelled', message: 'the node was cancelled', code: 'STEP_CANCELLED' };

interface EndingsHost {
  /** The node is cancelled, if it has not ended. */
  stop(node: number, atMs: number): void;
  /** Every node was told. */
  stopped(): void;
  ready(node: number): void;
}

/** How an execution ends: by itself, by its time, by a user; at once, or when what completed is compensated. */
export class Endings {
  /** null: no node says how it is undone. */
  readonly compensations: Compensations | null = null;

  constructor(
    definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly host: EndingsHost,
  ) {
    if (definition.compensations.size > 0)
      this.compensations = new Compensations(definition, state, (node) => host.ready(node));
  }

  /** A second time it ends at once, unless compensation is what is asked for. */
  cancel({ reason, compensate = false }: WorkflowRequest & { type: 'cancelRequested' }, atMs: number): void {
    const ending = { kind: 'cancelled' as const, ...(reason !== undefined && { reason }) };
    if (this.compensations?.isUnderWay !== true) this.endBy(ending, compensate, atMs);
    else if (!compensate && this.end(ending, atMs)) this.cancelNodes(atMs);
  }

  /** The compensations that would follow if this came now. */
  compensationsOf(event: EngineEvent): readonly number[] {
    const { compensations } = this;
    if (compensations === null || event.type !== 'cancelRequested') return [];
    const { compensate = false } = event;
    if (compensations.isUnderWay) return compensate ? compensations.all : [];
    return compensations.dueAfter('cancelled', compensate);
  }

  /** What is left is cancelled. @param compensate whatever the workflow says */
  endBy(ending: Ending, compensate: boolean, atMs: number): void {
    const { workflowLeaf } = this.state;
    const isOpen = workflowLeaf === 'running' || workflowLeaf === 'paused';
    const begins = isOpen && this.compensations?.begin(ending, compensate, atMs) === true;
    if (begins || this.end(ending, atMs)) this.cancelNodes(atMs);
  }

  /** Nobody ran it for too long: nothing is run for it any more. */
  abandon(error: ErrorDocument, atMs: number): void {
    if (this.state.sendWorkflow({ type: 'abandoned', error }, atMs)) this.cancelNodes(atMs);
  }

  /** Nothing executes. @returns whether it is about to end, and compensates what completed */
  goesOn(atMs: number): boolean {
    if (this.compensations?.isUnderWay !== true) return false;
    const ending = this.compensations.advance(atMs);
    if (ending !== null) this.end(ending, atMs);
    return true;
  }

  /** Nothing can happen any more. @param isHeld whether that is because something holds nodes back */
  settle(isHeld: boolean, atMs: number): void {
    const { columns } = this.state;
    const unneeded = this.compensations?.pending.length ?? 0;
    // Items wait for their map, which is among the rest.
    const waiting = columns.countIn(LEAF.pending);
    const stuck = isHeld ? 0 : waiting - unneeded;
    invariant(stuck === 0, `${stuck} nodes wait for nothing`);
    const node = columns.firstFailed();
    if (node < 0) {
      this.compensations?.skip(atMs);
      this.state.sendWorkflow({ type: 'allNodesSettled' }, atMs);
      return;
    }
    const ending = { kind: 'failed' as const, node, error: columns.error.get(node) ?? CANCELLED };
    if (this.compensations?.begin(ending, false, atMs) === true) this.goesOn(atMs);
    else this.end(ending, atMs);
  }

  /** What starts over in a retry. */
  startingOver(failures: readonly number[]): Iterable<number> {
    return this.compensations?.undone(failures) ?? failures;
  }

  /** @returns false when it had ended already */
  private end(ending: Ending, atMs: number): boolean {
    switch (ending.kind) {
      case 'failed': {
        const { node, error } = ending;
        return this.state.sendWorkflow({ type: 'nodeFailedForGood', node, error }, atMs);
      }
      case 'timedOut':
        return this.state.sendWorkflow({ type: 'abandoned', error: ending.error }, atMs);
      case 'cancelled':
        return this.state.sendWorkflow({ type: 'cancelRequested', reason: ending.reason }, atMs);
    }
  }

  /** The workflow is cancelled: so is every node that could still move, but for what compensates. */
  private cancelNodes(atMs: number): void {
    const spared = this.compensations?.isUnderWay === true ? this.compensations : null;
    const { nodeCount } = this.state.columns;
    for (let node = 0; node < nodeCount; node++) if (spared?.has(node) !== true) this.host.stop(node, atMs);
    this.host.stopped();
  }
}
