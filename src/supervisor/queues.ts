import type { QueueNumbers } from '../observe/metrics.js';
import { FairLine } from '../policy/fair-line.js';
import { UNKNOWN_QUEUE, type QueueLimits, type QueueWish } from '../policy/queue.js';
import type { TimerHeap } from './timer-heap.js';
import type { ActiveExecution } from './active-execution.js';

/** A lane of an execution in which a node waits for a queue. */
interface Waiting {
  readonly execution: ActiveExecution;
  readonly lane: number;
  gone: boolean;
}

interface Queue {
  readonly name: string;
  limits: QueueLimits;
  readonly line: FairLine<Waiting>;
  /** Attempts that were started in it and have not ended, by the slots that they wish for. */
  readonly held: Map<number, number>;
  used: number;
  nextStartAtMs: number;
  isWaking: boolean;
}

/** What became of an attempt to start the next node of a lane. */
export type Try = 'started' | 'no room' | 'not now';

interface QueueHost {
  /** Starts the next node of a lane. */
  start(this: void, execution: ActiveExecution, lane: number): Try;
  /** The next node of one of its lanes is in no queue. */
  offer(this: void, execution: ActiveExecution): void;
}

/**
 * Limits over all executions of a runtime. Only the first in line is looked at, so a start costs what finding the next
 * one does; nothing is looked at in queues in which nobody waits.
 * Invariant: a queue's used slots are those of attempts that were started in it and have not ended, stopped ones included;
 * an attempt that wishes for more than there are has all of them, also when the queue becomes smaller or larger meanwhile.
 */
export class Queues {
  private readonly queues = new Map<string, Queue>();
  /** Those in which somebody waits. */
  private readonly busy = new Set<Queue>();
  private readonly places = new Map<ActiveExecution, Map<number, Waiting>>();
  private readonly keys = new WeakMap<ActiveExecution, string>();
  /** What was set for all processes of the store; it goes before `limits`. */
  private settings: ReadonlyMap<string, QueueLimits> = new Map();

  constructor(
    /** What this process was started with. */
    private readonly limits: ReadonlyMap<string, QueueLimits>,
    private readonly timers: Pick<TimerHeap, 'add'>,
    /** A queue may let somebody through now. */
    private readonly due: () => void,
  ) {}

  /** The next node of this lane waits for its queue. */
  wait(execution: ActiveExecution, lane: number, { queue: name, priority }: QueueWish): void {
    const lanes = this.places.get(execution) ?? new Map<number, Waiting>();
    this.places.set(execution, lanes);
    if (lanes.has(lane)) return;
    const place: Waiting = { execution, lane, gone: false };
    lanes.set(lane, place);
    const queue = this.get(name);
    queue.line.add(place, priority, this.keyOf(execution));
    this.busy.add(queue);
  }

  withdraw(execution: ActiveExecution): void {
    for (const place of this.places.get(execution)?.values() ?? []) place.gone = true;
    this.places.delete(execution);
  }

  /** Starts what may start. */
  admit(nowMs: number, host: QueueHost): void {
    for (const queue of this.busy) {
      while (this.admitNext(queue, nowMs, host));
      if (queue.line.size === 0) this.busy.delete(queue);
    }
  }

  /** An attempt has ended that was started in a queue. */
  ended({ queue, slots }: QueueWish): void {
    hold(this.get(queue), slots, -1);
  }

  /** Takes over what is set for all processes of the store. What runs goes on; what waits may start, or waits longer. */
  configure(settings: ReadonlyMap<string, QueueLimits>): void {
    this.settings = settings;
    for (const queue of this.queues.values()) {
      queue.limits = this.limitsOf(queue.name);
      queue.used = usedOf(queue);
      // Its timer is for the rate that it had; this one's is set when it is looked at.
      queue.isWaking = false;
    }
    this.due();
  }

  states(): QueueNumbers[] {
    const names = new Set([...this.settings.keys(), ...this.limits.keys(), ...this.queues.keys()]);
    const waiting = new Map<string, number>();
    for (const [{ engine, definition }, lanes] of this.places)
      for (const lane of lanes.keys()) {
        const node = engine.peek(lane);
        const wish = node < 0 ? undefined : definition.queues?.wishOf(node);
        if (wish !== undefined) waiting.set(wish.queue, (waiting.get(wish.queue) ?? 0) + engine.inLine(lane));
      }
    return [...names].sort().map((name) => {
      const { limits, used } = this.get(name);
      const { size, rate } = limits;
      const from = this.settings.has(name) ? 'store' : this.limits.has(name) ? 'process' : 'default';
      return { queue: name, size, rate, from, used, waiting: waiting.get(name) ?? 0 };
    });
  }

  /** @returns whether the one after it may be looked at */
  private admitNext(queue: Queue, nowMs: number, { start, offer }: QueueHost): boolean {
    const place = queue.line.peek();
    if (place === undefined) return false;
    const { execution, lane, gone } = place;
    const node = gone ? -1 : execution.engine.peek(lane);
    const wish = node < 0 ? undefined : execution.definition.queues?.wishOf(node);
    if (wish?.queue !== queue.name) {
      this.leave(queue, place, 0);
      // What has nothing to start any more is offered again by its next event. In topological order another node may have
      // come before the one that stood here.
      if (wish !== undefined) this.wait(execution, lane, wish);
      else if (node >= 0) offer(execution);
      return true;
    }
    const slots = taken(queue, wish.slots);
    if (queue.used + slots > queue.limits.size || this.isTooSoon(queue, nowMs)) return false;
    const result = start(execution, lane);
    if (result === 'no room') return false;
    if (result === 'not now') return this.leave(queue, place, 0);
    hold(queue, wish.slots, 1);
    queue.nextStartAtMs = Math.max(nowMs, queue.nextStartAtMs) + queue.limits.spacingMs;
    this.leave(queue, place, slots);
    const next = execution.engine.peek(lane);
    const again = next < 0 ? undefined : execution.definition.queues?.wishOf(next);
    if (again !== undefined) this.wait(execution, lane, again);
    return true;
  }

  private leave(queue: Queue, place: Waiting, cost: number): boolean {
    queue.line.take(cost);
    const lanes = this.places.get(place.execution);
    if (lanes?.get(place.lane) === place) lanes.delete(place.lane);
    if (lanes?.size === 0) this.places.delete(place.execution);
    return true;
  }

  private isTooSoon(queue: Queue, nowMs: number): boolean {
    if (queue.limits.spacingMs === 0 || nowMs >= queue.nextStartAtMs) return false;
    // The clock may have been set back: no more than one start is waited for.
    queue.nextStartAtMs = Math.min(queue.nextStartAtMs, nowMs + queue.limits.spacingMs);
    if (!queue.isWaking) {
      queue.isWaking = true;
      this.timers.add(Math.ceil(queue.nextStartAtMs), () => {
        queue.isWaking = false;
        this.due();
      });
    }
    return true;
  }

  private get(name: string): Queue {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      const [limits, line] = [this.limitsOf(name), new FairLine<Waiting>()];
      queue = { name, limits, line, held: new Map(), used: 0, nextStartAtMs: 0, isWaking: false };
      this.queues.set(name, queue);
    }
    return queue;
  }

  private limitsOf(name: string): QueueLimits {
    return this.settings.get(name) ?? this.limits.get(name) ?? UNKNOWN_QUEUE;
  }

  /** Whose share it is: what the global context has under the workflow's `fair_key`. */
  private keyOf(execution: ActiveExecution): string {
    const name = execution.definition.queues?.fairKey;
    if (name === undefined) return '';
    let key = this.keys.get(execution);
    if (key === undefined) {
      const context = JSON.parse(execution.globalContext) as Record<string, unknown>;
      key = JSON.stringify(context[name] ?? null);
      this.keys.set(execution, key);
    }
    return key;
  }
}

function taken({ limits }: Queue, slots: number): number {
  return Math.min(slots, limits.size);
}

/** So many attempts more, or fewer, have slots of it. */
function hold(queue: Queue, slots: number, attempts: 1 | -1): void {
  const count = (queue.held.get(slots) ?? 0) + attempts;
  if (count === 0) queue.held.delete(slots);
  else queue.held.set(slots, count);
  queue.used += attempts * taken(queue, slots);
}

function usedOf(queue: Queue): number {
  let used = 0;
  for (const [slots, count] of queue.held) used += count * taken(queue, slots);
  return used;
}
