import type { NodeContext, NodeEvent, WorkflowContext, WorkflowEvent } from '../../machines/events.js';
import { observe, startNodeActor, startWorkflowActor, type NodeActor, type WorkflowActor } from './actors.js';
import type { ObservedNode, ObservedWorkflow } from './actors.js';
import { WORKFLOW, type Entry, type OpenEntry } from './entries.js';
import type { ExecutionState } from './execution-state.js';

/**
 * The actors that users hold. Each starts from the last durable state before its first use and follows the entries
 * that the supervisor publishes, so an observer is told only what is durable.
 */
export class Replicas {
  private readonly nodes = new Map<number, NodeActor>();
  private workflow: WorkflowActor | null = null;

  constructor(
    private readonly state: ExecutionState,
    private readonly sendToRuntime: (node: number, event: NodeEvent | WorkflowEvent) => void,
  ) {}

  /** @param unpublished entries that are decided and not yet published */
  node(node: number, unpublished: readonly OpenEntry[]): ObservedNode {
    let actor = this.nodes.get(node);
    if (actor === undefined) {
      const next = unpublished.find((entry) => entry.node === node);
      const { columns } = this.state;
      actor =
        next === undefined
          ? startNodeActor(columns.leaf[node], { ...columns.contextOf(node) })
          : startNodeActor(next.fromLeaf, { ...(next.from as NodeContext) });
      this.nodes.set(node, actor);
    }
    return observe(actor, (event: NodeEvent) => this.sendToRuntime(node, event));
  }

  workflowActor(unpublished: readonly OpenEntry[]): ObservedWorkflow {
    if (this.workflow === null) {
      const next = unpublished.find((entry) => entry.node === WORKFLOW);
      this.workflow =
        next === undefined
          ? startWorkflowActor(this.state.workflowRow.leaf, this.state.workflowContext)
          : startWorkflowActor(next.fromLeaf, next.from as WorkflowContext);
    }
    return observe(this.workflow, (event: WorkflowEvent) => this.sendToRuntime(WORKFLOW, event));
  }

  publish(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const actor = entry.node === WORKFLOW ? this.workflow : this.nodes.get(entry.node);
      (actor as { send(event: unknown): void } | null | undefined)?.send(entry.event);
    }
  }

  /** The execution left memory: subscriptions complete, snapshots stay readable. */
  stop(): void {
    this.workflow?.stop();
    for (const actor of this.nodes.values()) actor.stop();
  }
}
