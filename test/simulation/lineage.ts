import type { Entry } from '../../src/engine/entries.js';
import { LEAF } from '../../src/engine/columns.js';
import { WORKFLOW } from '../../src/engine/entries.js';
import { descendants, withMaps } from '../../src/graph/index.js';
import type { Shadow } from './shadow.js';
import { demand } from './violation.js';

/** Where a fork comes from, and what its source had done when it was asked for. */
export class Lineage {
  private readonly again = new Set<number>();
  private readonly before: ReadonlyMap<number, number>;
  private readonly outdated: ReadonlySet<number>;

  constructor(
    readonly source: Shadow,
    readonly from: readonly number[],
  ) {
    this.before = doneIn(source);
    this.outdated = new Set([...this.before.keys()].filter((node) => source.state.isOutdated(node)));
    const { plan } = source;
    for (const node of from)
      for (const first of withMaps(plan, [node, ...(plan.groups.get(node) ?? [])]))
        for (const each of [first, ...descendants(plan, first)]) this.again.add(each);
  }

  /** What a node began by may be asked again in its source: it was kept although its dependencies ran again. */
  wasKeptBefore(node: number): boolean {
    return this.outdated.has(node) || this.source.state.isOutdated(node);
  }

  /**
   * A fork begins with what its source had: results of its own, nothing of what is to run again, and all that was done
   * from the moment it was asked for until it was stored.
   */
  check(fork: Shadow, entries: readonly Entry[]): void {
    const { source, again, before } = this;
    const name = `${fork.planned.id}, from ${source.planned.id}`;
    const kept = new Set<number>();
    for (const { node, event } of entries) {
      if (node === WORKFLOW) continue;
      const what = `${name}: ${fork.plan.ids[node]}`;
      demand(!again.has(node), 'FORK_IS_SOURCE', `${what} was kept although it is to run again`);
      if (event.type === 'conditionNotMet') kept.add(node);
      if (event.type !== 'attemptSucceeded') continue;
      kept.add(node);
      const had = source.had(node, event.output);
      demand(had, 'FORK_IS_SOURCE', `${what} has a result that its source never had`);
    }
    const now = doneIn(source);
    for (const node of fork.plan.order) {
      // What another execution has undone is nothing to this one.
      if (fork.isCompensation(node)) continue;
      const lasted = before.has(node) && before.get(node) === now.get(node);
      const whole = fork.dependenciesOf(node).every((each) => kept.has(each));
      if (!lasted || !whole || again.has(node)) continue;
      demand(kept.has(node), 'FORK_IS_SOURCE', `${name}: ${fork.plan.ids[node]} was done, and is not kept`);
    }
  }
}

/** Runs of the nodes that are done. */
function doneIn({ state }: Shadow): Map<number, number> {
  const { leaf, run } = state.columns;
  const done = [...leaf.keys()].filter(
    (node) => leaf[node] === LEAF.completed || leaf[node] === LEAF.skipped,
  );
  return new Map(done.map((node) => [node, run[node]]));
}
