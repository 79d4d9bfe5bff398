import { grown } from '../base/grown.js';
import { stageOf } from '../graph/index.js';
import type { EngineDefinition } from './definition.js';
import type { ExecutionState } from './execution-state.js';
import { Groups } from './groups.js';
import { outlastsFailure } from '../policy/trigger.js';
import { Lanes } from './lanes.js';
import { StartLimit, waitsToStart } from './rerun.js';

const NONE: readonly number[] = [];
const NOBODY: ReadonlySet<number> = new Set();

/** Which nodes may start, and in what order. */
export class Starts {
  readonly lanes: Lanes;
  readonly groups: Groups;
  /** Nodes that fail_fast does not hold back although they wait for others, dependencies first. */
  readonly outlasting: readonly number[];
  private readonly exempt: ReadonlySet<number>;
  private readonly limit: StartLimit;
  /** The turn that made each node ready: its dispatch must wait until that turn is durable. */
  private readyTurn: Uint32Array;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
  ) {
    this.readyTurn = new Uint32Array(definition.plan.nodeCount);
    this.outlasting = outlastingOf(definition);
    this.exempt = exemptOf(definition, this.outlasting);
    this.limit = new StartLimit(definition.plan, this);
    this.lanes = new Lanes(definition);
    this.groups = new Groups(definition, state, this.lanes);
  }

  /** The plan has grown. */
  grow(): void {
    this.readyTurn = grown(this.readyTurn, this.definition.plan.nodeCount);
    this.lanes.grow();
  }

  /** Takes the limit that a rerun has set; what is in line stays there. */
  takeLimit(): void {
    this.limit.set(this.state.workflowContext.rerun, this.columns.leaf);
  }

  enqueue(node: number, turn: number): void {
    if (!this.allows(node)) return;
    this.readyTurn[node] = turn;
    this.lanes.push(node);
  }

  /** The turn that must be durable before a node that starts now is sent. */
  turnBefore(node: number, turn: number): number {
    const { triggers, plan } = this.definition;
    // What runs early is given what there is now: some of that may be of this turn. Items are as their stage is.
    return triggers.has(stageOf(plan, node)) ? turn : this.readyTurn[node];
  }

  /** The next node of a lane; -1 when nothing may start now. */
  next(lane: number, evaluating: number): number {
    let node = this.lanes.peek(lane);
    if (node < 0 || this.state.workflowLeaf !== 'running') return -1;
    const halted = this.isHalted;
    if (halted && this.exempt.size === 0) return -1;
    for (; node >= 0; node = this.lanes.peek(lane)) {
      const group = this.groups.holding(node);
      if (!waitsToStart(this.columns.leaf[node]) || (halted && !this.isExempt(node))) {
        // A node cancelled while queued is dropped here, not searched for when it is cancelled. What fail_fast holds
        // back comes into line again when a retry or rerun lifts that.
        this.lanes.pop(lane);
        this.groups.gaveWay(node);
      } else if (group >= 0) this.lanes.setAside(lane, group);
      else break;
    }
    return this.isHeldInOrder(node, evaluating) ? -1 : node;
  }

  /** Under fail_fast nothing new starts once a node has failed for good or was cancelled, but for a rerun. */
  get isHalted(): boolean {
    return this.isHaltedBy(this.failures);
  }

  /** Whether nothing new would start although this one node had not failed. */
  get isHaltedByOthers(): boolean {
    return this.isHaltedBy(this.failures - 1);
  }

  /** Nodes in a leaf that may start as far as a rerun's limit goes. */
  countIn(leaf: number): number {
    return this.columns.counts[leaf] - this.limit.heldIn(leaf);
  }

  /** Whether fail_fast holds this node back as long as failures stand. */
  holdsBack(node: number): boolean {
    return !this.isExempt(node);
  }

  /** Under a halt: whether anything that it does not hold back may start, waits, or will be tried again. */
  isAnyUnderWay(): boolean {
    const { waits, wakeAtMs, leaf } = this.columns;
    for (const node of waits.keys()) if (this.isExempt(node)) return true;
    for (const node of wakeAtMs.keys()) if (this.isExempt(node) && waitsToStart(leaf[node])) return true;
    for (let lane = 0; lane <= this.lanes.ofWaits; lane++) if (this.next(lane, 0) >= 0) return true;
    return false;
  }

  get isLimited(): boolean {
    return this.limit.isSet;
  }

  allows(node: number): boolean {
    return this.limit.allows(node);
  }

  private isHaltedBy(failures: number): boolean {
    const standing = this.state.workflowContext.rerun?.standing ?? 0;
    return this.definition.failureMode === 'fail_fast' && failures > standing;
  }

  private get failures(): number {
    return this.columns.failureCount;
  }

  /** Items are as their stage is. */
  private isExempt(node: number): boolean {
    return this.exempt.size > 0 && this.exempt.has(stageOf(this.definition.plan, node));
  }

  /** In topological order a node that waits (also for its retry or its condition) holds back those after it. */
  private isHeldInOrder(next: number, evaluating: number): boolean {
    if (this.definition.startOrder !== 'topological') return false;
    const { waits, wakeAtMs } = this.columns;
    if (evaluating > 0 || waits.size > 0) return true;
    const { rank } = this.definition.plan;
    const halted = this.isHalted;
    for (const node of wakeAtMs.keys())
      if (rank[node] < rank[next] && this.allows(node) && !(halted && this.holdsBack(node))) return true;
    return false;
  }

  private get columns(): ExecutionState['columns'] {
    return this.state.columns;
  }
}

function outlastingOf({ plan, triggers }: EngineDefinition): readonly number[] {
  if (triggers.size === 0) return NONE;
  const found = [...triggers].flatMap(([node, trigger]) => (outlastsFailure(trigger) ? [node] : []));
  return found.sort((a, b) => plan.rank[a] - plan.rank[b]);
}

function exemptOf({ compensations }: EngineDefinition, outlasting: readonly number[]): ReadonlySet<number> {
  if (outlasting.length + compensations.size === 0) return NOBODY;
  return new Set([...outlasting, ...compensations.keys()]);
}
