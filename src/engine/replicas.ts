import type { NodeContext, NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { observe, startNodeActor, startWorkflowActor, type NodeActor, type WorkflowActor } from './actors.js';
import type { ObservedNode, ObservedWorkflow } from './actors.js';
import { WORKFLOW, type Entry } from './entries.js';
import type { ExecutionState } from './execution-state.js';

/**
 * The actors that users hold. Each starts from the state at its first use and follows the entries that the
 * supervisor publishes, so an observer is told only what is durable; entries that the state already contained when
 * the replica was made are passed over.
 */
export class Replicas {
  private readonly nodes = new Map<number, { actor: NodeActor; skip: number }>();
  private workflow: { actor: WorkflowActor; skip: number } | null = null;

  constructor(
    private readonly state: ExecutionState,
    private readonly sendToRuntime: (node: number, event: NodeEvent | WorkflowEvent) => void,
  ) {}

  /** @param unpublished entries that are decided and not yet published */
  node(node: number, unpublished: readonly Entry[]): ObservedNode {
    let held = this.nodes.get(node);
    if (held === undefined) {
      const context: NodeContext = this.state.columns.contextOf(node);
      held = {
        actor: startNodeActor(this.state.columns.leaf[node], context),
        skip: countOf(node, unpublished),
      };
      this.nodes.set(node, held);
    }
    return observe(held.actor, (event: NodeEvent) => this.sendToRuntime(node, event));
  }

  workflowActor(unpublished: readonly Entry[]): ObservedWorkflow {
    if (this.workflow === null) {
      const { leaf, error, failedNode } = this.state.workflowRow;
      this.workflow = {
        actor: startWorkflowActor(leaf, { error, failedNode }),
        skip: countOf(WORKFLOW, unpublished),
      };
    }
    return observe(this.workflow.actor, (event: WorkflowEvent) => this.sendToRuntime(WORKFLOW, event));
  }

  publish(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const held = entry.node === WORKFLOW ? this.workflow : this.nodes.get(entry.node);
      if (held === null || held === undefined) continue;
      if (held.skip > 0) held.skip--;
      else (held.actor as { send(event: unknown): void }).send(entry.event);
    }
  }

  /** The execution left memory: subscriptions complete, snapshots stay readable. */
  stop(): void {
    this.workflow?.actor.stop();
    for (const { actor } of this.nodes.values()) actor.stop();
  }
}

function countOf(node: number, entries: readonly Entry[]): number {
  return entries.reduce((count, entry) => count + (entry.node === node ? 1 : 0), 0);
}
