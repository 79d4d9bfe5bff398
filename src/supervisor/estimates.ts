import { upwardRanks, type Plan } from '../graph/index.js';

/** Shorter nodes count as nothing: to order them would cost more than it gains. */
const WORTH_MS = 5;
/** Weight of the newest duration. */
const NEWEST_WEIGHT = 0.3;
/** A change of an estimate by more than this part of it orders nodes anew. */
const TELLING_CHANGE = 0.2;

/**
 * How long the nodes of a workflow take, as declared or as measured here before, and what follows for their order:
 * whoever has the longest way before it goes first. What is measured counts more than what is declared.
 */
export class Estimates {
  /** Milliseconds; null: nothing is known. */
  private durations: Float64Array | null = null;
  private ranks: Float64Array | null = null;

  /** @param declaredSeconds by node; undefined: it is not declared */
  constructor(
    private readonly plan: Plan,
    declaredSeconds: (node: number) => number | undefined,
  ) {
    for (let node = 0; node < plan.nodeCount; node++) {
      const seconds = declaredSeconds(node);
      if (seconds !== undefined && seconds * 1000 >= WORTH_MS) this.known()[node] = seconds * 1000;
    }
  }

  /** An attempt of a node has succeeded, and took so long. */
  note(node: number, durationMs: number): void {
    if (this.durations === null && durationMs < WORTH_MS) return;
    const durations = this.known();
    const before = durations[node];
    const now = before === 0 ? durationMs : before + NEWEST_WEIGHT * (durationMs - before);
    if (Math.max(before, now) < WORTH_MS) return;
    durations[node] = now;
    if (Math.abs(now - before) > TELLING_CHANGE * before) this.ranks = null;
  }

  /** The upward ranks for an execution that begins now, in milliseconds; null: nothing is known. */
  current(): Float64Array | null {
    const { durations } = this;
    if (durations === null) return null;
    return (this.ranks ??= upwardRanks(this.plan, (node) => durations[node]));
  }

  private known(): Float64Array {
    return (this.durations ??= new Float64Array(this.plan.nodeCount));
  }
}
