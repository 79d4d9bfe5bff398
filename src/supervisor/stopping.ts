import { RareMap } from '../base/rare-map.js';
import { mapOfNode } from '../graph/index.js';
import type { RunningJob } from './running-job.js';

const NONE: readonly RunningJob[] = [];

/**
 * Attempts that were cancelled and have not ended, and those that wait for them: no attempt of a node is sent while an
 * earlier one still stops, and none of a group while any of its members does. So attempts of one node never overlap,
 * and a group starts over only when all of it has stopped.
 */
export class Stopping {
  /** Attempts that wait until everything has stopped: of compensations, and those that there is no room for until then. */
  private last: RunningJob[] = [];
  private readonly families = new RareMap<number, { readonly open: Set<number>; due: RunningJob[] }>();

  /** Attempts that still stop. */
  size = 0;

  get isEmpty(): boolean {
    return this.families.size === 0;
  }

  /** An attempt was told to stop. */
  add(job: RunningJob): void {
    const key = familyOf(job);
    const family = this.families.get(key) ?? { open: new Set(), due: [] };
    this.families.set(key, family);
    if (!family.open.has(job.id)) this.size++;
    family.open.add(job.id);
  }

  /** @returns whether this attempt has to wait; it is among those that `ended` gives later */
  holds(job: RunningJob): boolean {
    if (this.isEmpty) return false;
    const { definition, running, concurrency } = job.execution;
    if (definition.compensations.has(job.node) || running > concurrency) {
      this.last.push(job);
      return true;
    }
    const family = this.families.get(familyOf(job));
    family?.due.push(job);
    return family !== undefined;
  }

  /** An attempt has ended, told to stop or not. @returns those that need not wait any more */
  ended(job: RunningJob): readonly RunningJob[] {
    if (this.isEmpty) return NONE;
    const key = familyOf(job);
    const family = this.families.get(key);
    if (family?.open.delete(job.id) !== true) return [];
    this.size--;
    if (family.open.size > 0) return [];
    this.families.delete(key);
    if (!this.isEmpty || this.last.length === 0) return family.due;
    const { last } = this;
    this.last = [];
    return [...family.due, ...last];
  }
}

/**
 * The group of a member, which has no attempts itself; of an item of a map that only so many items may be done of at
 * once, its map; else the node.
 */
function familyOf({ execution, node }: RunningJob): number {
  const { plan } = execution.definition;
  const { maps } = execution.engine.definition;
  const map = node < plan.fixedCount ? -1 : mapOfNode(plan, node);
  if (map >= 0 && maps.get(plan.maps[map].gate)!.maxConcurrency < Infinity) return plan.maps[map].gate;
  return plan.groupOf.get(node) ?? node;
}
