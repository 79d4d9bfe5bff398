import { DEPENDENCIES_MET, type Ending } from '../../machines/events.js';
import { withMaps } from '../graph/index.js';
import { descendants } from '../graph/queries.js';
import { isSettledLeaf, LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { ExecutionState } from './execution-state.js';
import { hasRun } from './rerun.js';

/** What is said of a compensation that was not needed. */
export const NOTHING_TO_COMPENSATE = 'the execution completed: there is nothing to compensate';

/**
 * Compensations are nodes that no dependency lets run. When an execution fails or is cancelled and they are asked for,
 * those of nodes that completed run, one after the other, the last node to complete first; the execution ends when they
 * have. One that fails for good stays failed, and the next one follows.
 * Invariant: which are left follows from the state of the nodes, so that a restart goes on where it was.
 */
export class Compensations {
  /** What is left, the next one last; null: to be found out. */
  private left: number[] | null = null;
  private current = -1;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    /** Nothing is missing but room. */
    private readonly ready: (node: number) => void,
  ) {}

  has(node: number): boolean {
    return this.of.has(node);
  }

  get isUnderWay(): boolean {
    const { workflowLeaf, workflowContext } = this.state;
    return workflowContext.compensating !== null && (workflowLeaf === 'running' || workflowLeaf === 'paused');
  }

  /** Compensations that have not been needed so far. */
  get pending(): number[] {
    return this.all.filter((node) => this.leaf[node] === LEAF.pending);
  }

  get all(): number[] {
    return [...this.of.keys()];
  }

  /** What is to be compensated after such an end, the first one last. @param asked by whoever cancels */
  dueAfter(kind: Ending['kind'], asked: boolean): readonly number[] {
    const { compensateOn } = this.definition;
    const isMeant = compensateOn === 'always' || (kind === 'cancelled') === (compensateOn === 'on_cancel');
    return isMeant || asked ? this.due() : [];
  }

  /** @param asked by whoever cancels @returns false: nothing is to be compensated, it ends at once */
  begin(ending: Ending, asked: boolean, atMs: number): boolean {
    if (this.dueAfter(ending.kind, asked).length === 0) return false;
    this.left = null;
    return this.state.sendWorkflow({ type: 'compensationStarted', ending }, atMs);
  }

  /** Nothing executes: the next one follows. @returns how the execution ends, once none is left */
  advance(atMs: number): Ending | null {
    if (this.current >= 0 && !isSettledLeaf(this.leaf[this.current])) return null;
    if (this.left === null) {
      this.left = this.due();
      // After a restart: what was under way goes on first.
      this.current = this.all.find((node) => isOpen(this.leaf[node])) ?? -1;
      if (this.current >= 0) return null;
    }
    const next = this.left.pop();
    if (next === undefined) return this.state.workflowContext.compensating;
    this.current = next;
    this.state.sendNode(next, DEPENDENCIES_MET, atMs);
    this.ready(next);
    return null;
  }

  /** The execution has completed. */
  skip(atMs: number): void {
    for (const node of this.pending)
      this.state.sendNode(node, { type: 'conditionNotMet', condition: NOTHING_TO_COMPENSATE }, atMs);
  }

  /** What starts over in a retry: what was undone, and everything that ran after it; and all compensations. */
  undone(failures: readonly number[]): Set<number> {
    const begun = [...this.of].filter(([node]) => this.state.columns.attempt[node] > 0);
    const undone = begun.map(([, target]) => target);
    const below = undone.length === 0 ? [] : descendants(this.definition.plan, undone);
    const again = [...failures, ...withMaps(this.definition.plan, [...undone, ...below])].filter(
      (node) => !this.has(node) && hasRun(this.leaf[node]),
    );
    return new Set([...again, ...this.all.filter((node) => isSettledLeaf(this.leaf[node]))]);
  }

  /** With these nodes start over their compensations, and those that failed or were not needed. */
  withRerun(again: readonly number[]): Set<number> {
    const nodes = new Set(again);
    for (const [node, target] of this.of) {
      const stands = this.leaf[node] === LEAF.completed && !nodes.has(target);
      if (isSettledLeaf(this.leaf[node]) && !stands) nodes.add(node);
    }
    return nodes;
  }

  /** After a restore, or when nodes start over. */
  reset(): void {
    this.left = null;
    this.current = -1;
  }

  /** Compensations of completed nodes, that of the one to complete last at the end. */
  private due(): number[] {
    const due = [...this.of].filter(
      ([node, target]) => this.leaf[node] === LEAF.pending && this.leaf[target] === LEAF.completed,
    );
    const byTarget = new Map(due.map(([node, target]) => [target, node]));
    return this.state.inOrderOfCompletion([...byTarget.keys()]).map((target) => byTarget.get(target)!);
  }

  private get of(): ReadonlyMap<number, number> {
    return this.definition.compensations;
  }

  private get leaf(): Uint8Array {
    return this.state.columns.leaf;
  }
}

function isOpen(leaf: number): boolean {
  return leaf === LEAF.ready || leaf === LEAF.running || leaf === LEAF['failed.retrying'];
}
