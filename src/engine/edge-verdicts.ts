import { RareMap } from '../base/rare-map.js';
import type { EdgeVerdict } from '../../machines/events.js';

/** A verdict as a checkpoint keeps it. */
export type EdgeRow = readonly [from: number, to: number, verdict: EdgeVerdict];

/**
 * What the conditions on edges came to: kept, because outputs may be made again, and then a second look could say
 * something else than what has been acted upon.
 */
export class EdgeVerdicts {
  /** By the node an edge leads to, then by the one it comes from. */
  private readonly byTarget = new RareMap<number, Map<number, EdgeVerdict>>();

  get isEmpty(): boolean {
    return this.byTarget.size === 0;
  }

  get(from: number, to: number): EdgeVerdict | undefined {
    return this.byTarget.get(to)?.get(from);
  }

  set(from: number, to: number, verdict: EdgeVerdict): void {
    const verdicts = this.byTarget.get(to);
    if (verdicts === undefined) this.byTarget.set(to, new Map([[from, verdict]]));
    else verdicts.set(from, verdict);
  }

  /** The edges to this node whose conditions could not be evaluated. */
  errorsInto(to: number): readonly (EdgeVerdict & { taken: null })[] {
    return [...(this.byTarget.get(to)?.values() ?? [])].filter((verdict) => verdict.taken === null);
  }

  /** What each edge to this node came to, as far as it is known. */
  into(to: number): ReadonlyMap<number, EdgeVerdict> | undefined {
    return this.byTarget.get(to);
  }

  /** A node starts over: what was said about the edges to it is asked again. */
  forgetInto(to: number): void {
    this.byTarget.delete(to);
  }

  /** The node that an edge comes from starts over. */
  forget(from: number, to: number): void {
    const verdicts = this.byTarget.get(to);
    if (verdicts?.delete(from) === true && verdicts.size === 0) this.byTarget.delete(to);
  }

  /** undefined when there is nothing to keep. */
  get rows(): readonly EdgeRow[] | undefined {
    if (this.isEmpty) return undefined;
    return [...this.byTarget].flatMap(([to, verdicts]) =>
      [...verdicts].map(([from, verdict]): EdgeRow => [from, to, verdict]),
    );
  }

  restore(rows: readonly EdgeRow[] | undefined): void {
    this.byTarget.clear();
    for (const [from, to, verdict] of rows ?? []) this.set(from, to, verdict);
  }
}
