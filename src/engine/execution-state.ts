import {
  NODE_LEAVES,
  WORKFLOW_LEAVES,
  type NodeEvent,
  type WorkflowContext,
  type WorkflowEvent,
  type WorkflowLeaf,
} from '../../machines/events.js';
import { compiledNode, compiledWorkflow } from '../../machines/index.js';
import { MaestroError } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { RareMap } from '../base/rare-map.js';
import { RareSet } from '../base/rare-set.js';
import { growingPlan, planForExecution } from '../graph/growing-plan.js';
import type { Plan } from '../graph/plan.js';
import { dependentsOf } from '../graph/queries.js';
import { MAX_GROUP_RESTARTS } from '../policy/group.js';
import type { RestartWindow } from '../policy/restart-intensity.js';
import { LEAF, NodeColumns } from './columns.js';
import { RecentEvents } from './recent-events.js';
import { Signals } from './signals.js';
import { WORKFLOW, type Entry, type OpenEntry, type WorkflowRow } from './entries.js';

const KEEPS_RESULT = new Set([LEAF.running, LEAF.completed, LEAF.skipped, LEAF['failed.exhausted']]);

/**
 * Where an execution is: the row of the workflow, and the columns that hold its nodes. What nobody looks at is its
 * row: the compiled machine steps it there, and an XState actor comes into being only for who holds a reference (see
 * Replicas). Every change of state goes through `sendNode` or `sendWorkflow`, which record it as an entry of the open
 * turn.
 */
export class ExecutionState {
  readonly columns: NodeColumns;
  readonly signals = new Signals();
  /** Entries accepted since the last `takeEntries`. */
  private entries: OpenEntry[] = [];
  private workflowLeafCode = compiledWorkflow.initialLeaf;
  workflowContext: WorkflowContext = compiledWorkflow.initialContext;
  private startedAtMs = 0;
  private endedAtMs = 0;
  private reopenedAtMs = 0;
  /** Nodes that keep results whose inputs were made again since. */
  private readonly outdated = new RareSet<number>();
  /** When each group was restarted since a retry or rerun was last asked for: newest first, and no more than matter. */
  private readonly restarts = new RareMap<number, RestartWindow>();
  /** The nodes that could be compensated, in the order in which they completed last. */
  private readonly completions = new RareSet<number>();
  /** When anything in it changed last, as far as entries say; 0 when none has been seen since a checkpoint. */
  changedAtMs = 0;
  /** Told of every change of a node's leaf but those replayed. */
  moved: ((node: number, from: number, to: number) => void) | null = null;
  /** The last entries, for the story of an illegal transition. */
  private readonly recent = new RecentEvents();

  /** Of this execution alone when it has maps. */
  readonly plan: Plan;

  constructor(plan: Plan) {
    this.plan = planForExecution(plan);
    this.columns = new NodeColumns(plan.nodeCount, plan.fixedCount);
  }

  get workflowLeaf(): WorkflowLeaf {
    return WORKFLOW_LEAVES[this.workflowLeafCode];
  }

  /** The workflow's own row, as checkpoints keep it. */
  get workflowRow(): WorkflowRow {
    const { failedNode, error, rerun, compensating } = this.workflowContext;
    const signals = this.signals.row;
    const edges = this.columns.edges.rows;
    const maps = growingPlan(this.plan)?.rows ?? [];
    return {
      leaf: this.workflowLeafCode,
      startedAtMs: this.startedAtMs,
      endedAtMs: this.endedAtMs,
      ...(this.reopenedAtMs > 0 && { reopenedAtMs: this.reopenedAtMs }),
      failedNode,
      error,
      ...(signals !== undefined && { signals }),
      ...(edges !== undefined && { edges }),
      ...(rerun !== null && { rerun }),
      ...(compensating !== null && { compensating }),
      ...(this.columns.cached.size > 0 && { cached: [...this.columns.cached] }),
      ...(this.outdated.size > 0 && { outdated: [...this.outdated] }),
      ...(this.restarts.size > 0 && { restarts: [...this.restarts] }),
      ...(this.completions.size > 0 && {
        completions: [...this.completions].map((node) => this.plan.ids[node]),
      }),
      ...(maps.length > 0 && { maps }),
    };
  }

  set workflowRow(row: WorkflowRow) {
    this.workflowLeafCode = row.leaf;
    this.workflowContext = {
      failedNode: row.failedNode,
      error: row.error,
      rerun: row.rerun ?? null,
      compensating: row.compensating ?? null,
    };
    this.outdated.clear();
    this.restarts.clear();
    this.completions.clear();
    for (const node of row.outdated ?? []) this.outdated.add(node);
    for (const [group, times] of row.restarts ?? []) this.restarts.set(group, times);
    for (const id of row.completions ?? []) {
      const node = this.plan.indexOf.get(id);
      if (node !== undefined) this.completions.add(node);
    }
    this.startedAtMs = row.startedAtMs;
    this.endedAtMs = row.endedAtMs;
    this.reopenedAtMs = row.reopenedAtMs ?? 0;
    this.signals.restore(row.signals);
    this.columns.edges.restore(row.edges);
    for (const [node, hash] of row.cached ?? []) this.columns.cached.set(node, hash);
    if (row.maps === undefined) return;
    growingPlan(this.plan)?.restore(row.maps);
    this.columns.grow(this.plan.nodeCount);
  }

  /** Epoch ms of its start and its end; 0 before. */
  get span(): Pick<WorkflowRow, 'startedAtMs' | 'endedAtMs'> {
    const { startedAtMs, endedAtMs } = this;
    return { startedAtMs, endedAtMs };
  }

  /** When it started, or was last taken up again after its end, epoch ms. */
  get beganAtMs(): number {
    return Math.max(this.startedAtMs, this.reopenedAtMs);
  }

  /** Whether a node keeps a result whose inputs were made again since. */
  isOutdated(node: number): boolean {
    return this.outdated.has(node);
  }

  /** When a group was restarted since a retry or rerun was last asked for: newest first. */
  restartsOf(group: number): RestartWindow {
    return this.restarts.get(group) ?? [];
  }

  /** @returns false when the event came late and is harmless. @throws ILLEGAL_TRANSITION */
  sendNode(node: number, event: NodeEvent, atMs: number): boolean {
    const { columns } = this;
    const leaf = columns.leaf[node];
    const context = columns.contextOf(node);
    const next = compiledNode.step(leaf, context, event);
    if (next === undefined)
      throw this.illegal(`node "${this.plan.ids[node]}"`, node, NODE_LEAVES[leaf], event.type);
    if (next.isLate) return false;
    this.takeSignal(node, event);
    columns.apply(node, next.leaf, next.context, event, atMs);
    this.moved?.(node, leaf, next.leaf);
    this.noteCompletion(node, event);
    if (isFreshStart(event)) this.noteRerun(node);
    this.record({ node, event, atMs, fromLeaf: leaf, from: context });
    return true;
  }

  /** @returns false when the event came late and is harmless. @throws ILLEGAL_TRANSITION */
  sendWorkflow(event: WorkflowEvent, atMs: number): boolean {
    const leaf = this.workflowLeafCode;
    const next = compiledWorkflow.step(leaf, this.workflowContext, event);
    if (next === undefined) throw this.illegal('the workflow', WORKFLOW, WORKFLOW_LEAVES[leaf], event.type);
    if (next.isLate) return false;
    this.record({ node: WORKFLOW, event, atMs, fromLeaf: leaf, from: this.workflowContext });
    this.enterWorkflow(next.leaf, next.context, event, atMs);
    return true;
  }

  /** Applies a journal entry: machines decide, nothing is recorded. @throws RECORD_CORRUPT */
  replay(entry: Entry): void {
    this.changedAtMs = entry.atMs;
    if (entry.node !== WORKFLOW) {
      this.takeSignal(entry.node, entry.event as NodeEvent);
      this.columns.replay(entry.node, entry.event as NodeEvent, entry.atMs);
      this.noteCompletion(entry.node, entry.event as NodeEvent);
      if (isFreshStart(entry.event)) this.noteRerun(entry.node);
      return;
    }
    const event = entry.event as WorkflowEvent;
    const next = compiledWorkflow.step(this.workflowLeafCode, this.workflowContext, event);
    if (next === undefined) {
      throw new MaestroError(
        'RECORD_CORRUPT',
        `the journal says ${event.type} for a workflow that is ${this.workflowLeaf}`,
      );
    }
    this.enterWorkflow(next.leaf, next.context, event, entry.atMs);
  }

  /** These nodes, the one to complete last at the end. */
  inOrderOfCompletion(nodes: readonly number[]): number[] {
    const { endedAtMs } = this.columns;
    const places = new Map([...this.completions].map((node, place) => [node, place]));
    // What a checkpoint of an earlier release does not say came before.
    const placeOf = (node: number): number => places.get(node) ?? -1;
    const { rank } = this.plan;
    return [...nodes].sort(
      (a, b) => placeOf(a) - placeOf(b) || endedAtMs[a] - endedAtMs[b] || rank[a] - rank[b],
    );
  }

  /** What the open turn recorded so far; starts a new turn. */
  takeEntries(): readonly OpenEntry[] {
    const taken = this.entries;
    this.entries = [];
    return taken;
  }

  /** The same, left in place. */
  get openEntries(): readonly OpenEntry[] {
    return this.entries;
  }

  /** A wait that a signal ended has taken it: the first one of its name. */
  private takeSignal(node: number, event: NodeEvent): void {
    if (event.type !== 'waitEnded' || event.by !== 'signal') return;
    const wait = this.columns.waits.get(node);
    if (typeof wait?.signal === 'string') this.signals.take(wait.signal);
  }

  private noteCompletion(node: number, { type }: NodeEvent): void {
    if (type !== 'attemptSucceeded' || !this.plan.compensated.has(node)) return;
    this.completions.delete(node);
    this.completions.add(node);
  }

  private enterWorkflow(leaf: number, context: WorkflowContext, event: WorkflowEvent, atMs: number): void {
    const wasEnded = isWorkflowStatusEnded(this.workflowLeaf);
    this.workflowLeafCode = leaf;
    this.workflowContext = context;
    if (event.type === 'started') this.startedAtMs = atMs;
    if (event.type === 'retryRequested' || event.type === 'rerunRequested') {
      if (wasEnded) this.reopenedAtMs = atMs;
      this.endedAtMs = 0;
      this.restarts.clear();
    }
    if (event.type === 'groupRestarted')
      this.restarts.set(event.group, [atMs, ...this.restartsOf(event.group)].slice(0, MAX_GROUP_RESTARTS));
    if (event.type === 'mapExpanded') {
      growingPlan(this.plan)?.expand(event.node, event.run, event.items, event.digest);
      this.columns.grow(this.plan.nodeCount);
    }
    if (event.type === 'signalReceived') this.signals.add(event.name, event.payload, event.id);
    if (
      event.type === 'allNodesSettled' ||
      event.type === 'nodeFailedForGood' ||
      event.type === 'abandoned' ||
      event.type === 'cancelRequested'
    ) {
      this.endedAtMs = atMs;
    }
  }

  /** Direct dependents that keep a result, or are at one, have it from what this node gave before. */
  private noteRerun(node: number): void {
    this.outdated.delete(node);
    const { edges } = this.columns;
    if (!edges.isEmpty) for (const dependent of dependentsOf(this.plan, node)) edges.forget(node, dependent);
    for (const dependent of dependentsOf(this.plan, node))
      if (KEEPS_RESULT.has(this.columns.leaf[dependent])) this.outdated.add(dependent);
  }

  private record(entry: OpenEntry): void {
    this.changedAtMs = entry.atMs;
    this.entries.push(entry);
    this.recent.note(entry.node, entry.event.type, entry.atMs);
  }

  private illegal(who: string, node: number, state: string, type: string): MaestroError {
    const story = this.recent.of(node);
    return new MaestroError(
      'ILLEGAL_TRANSITION',
      `${who} is ${state} and cannot take ${type}; before: ${story.join(', ') || 'nothing'}`,
      {
        details: { state, event: type, story },
      },
    );
  }
}

/** A node that had ended waits again: what it gave, or that it gave nothing, no longer stands. */
function isFreshStart({ type }: Entry['event']): boolean {
  return type === 'rerunRequested' || type === 'dependencyRestored';
}
