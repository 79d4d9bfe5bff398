import { stageOf, type Plan } from '../graph/index.js';
import type { QueueWish } from '../policy/queue.js';
import type { WorkflowSpec } from '../spec/index.js';

/** Which nodes of a workflow are in queues. Those that can stand in for each other share a lane of the engine. */
export class QueuePlan {
  private readonly wishes = new Map<number, QueueWish>();
  private readonly lanes = new Map<number, number>();
  readonly laneCount: number;
  /** The key of the global context that shares are by; undefined: all executions share alike. */
  readonly fairKey: string | undefined;

  /** @param kindOf nodes of different kinds never wait for each other's room */
  constructor({ workflow, nodes }: WorkflowSpec, firstLane: number, kindOf: (node: number) => number) {
    const known = new Map<string, number>();
    nodes.forEach(({ queue, slots = 1, priority = workflow.priority ?? 0 }, node) => {
      if (queue === undefined) return;
      this.wishes.set(node, { queue, slots, priority });
      const name = JSON.stringify([queue, priority, kindOf(node)]);
      const lane = known.get(name) ?? known.size;
      known.set(name, lane);
      this.lanes.set(node, firstLane + lane);
    });
    this.laneCount = known.size;
    this.fairKey = workflow.fair_key;
  }

  /** The same over the plan of one execution: items of a map are in the queue of their stage. */
  over(plan: Plan): QueuePlan {
    return Object.create(this, { stage: { value: (node: number) => stageOf(plan, node) } }) as QueuePlan;
  }

  wishOf(node: number): QueueWish | undefined {
    return this.wishes.get(this.stage(node));
  }

  laneOf(node: number): number | undefined {
    return this.lanes.get(this.stage(node));
  }

  private stage(node: number): number {
    return node;
  }
}
