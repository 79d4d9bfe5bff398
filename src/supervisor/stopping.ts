import { RareMap } from '../base/rare-map.js';
import type { RunningJob } from './jobs.js';

/**
 * Attempts that were cancelled and have not ended, and those that wait for them: no attempt of a node is sent while an
 * earlier one still stops, and none of a group while any of its members does. So attempts of one node never overlap,
 * and a group starts over only when all of it has stopped.
 */
export class Stopping {
  /** Attempts of compensations: they wait until everything has stopped. */
  private last: RunningJob[] = [];
  private readonly families = new RareMap<number, { readonly open: Set<number>; due: RunningJob[] }>();

  get isEmpty(): boolean {
    return this.families.size === 0;
  }

  /** An attempt was told to stop. */
  add(job: RunningJob): void {
    const family = familyOf(job);
    const open = this.families.get(family)?.open;
    if (open === undefined) this.families.set(family, { open: new Set([job.id]), due: [] });
    else open.add(job.id);
  }

  /** @returns whether this attempt has to wait; it is among those that `ended` gives later */
  holds(job: RunningJob): boolean {
    if (this.isEmpty) return false;
    if (job.execution.definition.compensations.has(job.node)) {
      this.last.push(job);
      return true;
    }
    const family = this.families.get(familyOf(job));
    family?.due.push(job);
    return family !== undefined;
  }

  /** An attempt has ended, told to stop or not. @returns those that need not wait any more */
  ended(job: RunningJob): readonly RunningJob[] {
    if (this.isEmpty) return [];
    const key = familyOf(job);
    const family = this.families.get(key);
    if (family?.open.delete(job.id) !== true || family.open.size > 0) return [];
    this.families.delete(key);
    if (!this.isEmpty || this.last.length === 0) return family.due;
    const { last } = this;
    this.last = [];
    return [...family.due, ...last];
  }
}

/** The group of a member, which has no attempts itself; else the node. */
function familyOf({ execution, node }: RunningJob): number {
  return execution.definition.plan.groupOf.get(node) ?? node;
}
