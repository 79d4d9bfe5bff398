import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { dependentsOf } from '../graph/queries.js';
import { nextRetryDelayMs } from '../policy/retry.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { Effect, EngineEvent, RerunRequest, WorkflowRequest } from './effects.js';
import { ExecutionState } from './execution-state.js';
import { Propagation } from './propagation.js';
import { finishOfLeaf, type Readiness } from './readiness.js';
import { rerunEvent } from './rerun.js';
import { Starts } from './starts.js';
import { Waits } from './waits.js';

const CANCELLED = { name: 'Cancelled', message: 'the node was cancelled', code: 'STEP_CANCELLED' };

/**
 * One execution: turns engine events into entries (state changes to persist) and effects (things to do).
 * Pure: no clock, no I/O, no timers; the caller passes the time, persists the entries, performs the effects.
 */
export class ExecutionEngine {
  readonly state: ExecutionState;
  private readonly starts: Starts;
  private readonly waits: Waits;
  private readonly propagation: Propagation;
  private effects: Effect[] = [];
  /** Number of the open turn, kept by the caller. */
  turn = 0;

  constructor(
    readonly definition: EngineDefinition,
    private readonly random: Random,
    state?: ExecutionState,
  ) {
    const { plan } = definition;
    this.state = state ?? new ExecutionState(plan);
    this.starts = new Starts(definition, this.state);
    this.propagation = new Propagation(definition, this.state, this.starts, {
      act: (effect) => this.effects.push(effect),
      ready: (node) => this.enqueue(node),
      failed: (node, atMs) => this.fail(node, atMs),
    });
    this.waits = new Waits(definition, this.state, {
      wake: (node, atMs) => this.effects.push({ kind: 'wake', node, atMs }),
      ended: (node, finish, atMs) =>
        finish === 'failed' ? this.fail(node, atMs) : this.propagation.tell(node, finish, atMs),
    });
  }

  get readiness(): Readiness {
    return this.propagation.readiness;
  }

  /** Takes one event. Late and stale ones change nothing. @throws ILLEGAL_TRANSITION on a bug */
  apply(event: EngineEvent, atMs: number): void {
    switch (event.type) {
      case 'attemptSucceeded':
        if (!this.columns.isCurrent(event)) return;
        this.state.sendNode(
          event.node,
          {
            type: 'attemptSucceeded',
            output: event.output,
            artifacts: event.artifacts,
            durationMs: event.durationMs,
          },
          atMs,
        );
        this.propagation.tell(event.node, 'succeeded', atMs);
        break;
      case 'attemptFailed':
        if (this.columns.isCurrent(event)) this.failAttempt(event.node, event.error, event.durationMs, atMs);
        break;
      case 'attemptLost':
        if (!this.columns.isCurrent(event)) return;
        this.state.sendNode(event.node, { type: 'recovered', reason: 'worker' }, atMs);
        this.enqueue(event.node);
        break;
      case 'conditionEvaluated':
        this.propagation.answer(event.node, event.question, event.verdict, atMs);
        break;
      case 'woke':
        if (this.columns.leaf[event.node] === LEAF['failed.retrying']) this.enqueue(event.node);
        else this.waits.woke(event.node, atMs);
        break;
      case 'signalReceived':
      case 'reviewDecided':
      case 'reviewCommented':
        this.waits.answer(event, atMs);
        break;
      case 'nodeCancelRequested':
        for (const node of [event.node, ...(this.definition.plan.groups.get(event.node) ?? [])])
          this.cancelNode(node, atMs);
        break;
      default:
        this.applyRequest(event, atMs);
    }
    this.beginWaits(atMs);
    this.settle(atMs);
  }

  private applyRequest(event: WorkflowRequest, atMs: number): void {
    switch (event.type) {
      case 'startRequested':
        if (this.state.sendWorkflow({ type: 'started' }, atMs)) this.propagation.admitAll(atMs);
        break;
      case 'pauseRequested':
      case 'resumeRequested':
        this.state.sendWorkflow({ type: event.type }, atMs);
        break;
      case 'cancelRequested':
        if (this.state.sendWorkflow({ type: 'cancelRequested', reason: event.reason }, atMs))
          this.cancelNodes(atMs);
        break;
      case 'abandonRequested':
        if (this.state.sendWorkflow({ type: 'abandoned', error: event.error }, atMs)) this.cancelNodes(atMs);
        break;
      case 'retryRequested':
        if (this.state.sendWorkflow({ type: 'retryRequested' }, atMs))
          this.startOver(this.columns.failures, atMs);
        break;
      case 'rerunRequested':
        this.rerun(event, atMs);
        break;
    }
  }

  /** The next node to start in a lane; -1 when nothing may start now. */
  peek(lane: number): number {
    const node = this.next(lane);
    return node >= 0 && this.starts.lanes.isWait(node) ? -1 : node;
  }

  private next(lane: number): number {
    return this.starts.next(lane, this.propagation.evaluating);
  }

  /** Starts the next node of a lane: its attempt is charged, its dispatch becomes an effect. */
  start(lane: number, atMs: number): number {
    const node = this.peek(lane);
    invariant(node >= 0, 'start() without a node that may start');
    this.starts.lanes.pop(lane);
    this.state.sendNode(node, { type: 'attemptStarted' }, atMs);
    const { attempt, run } = this.columns;
    this.effects.push({
      kind: 'dispatch',
      node,
      attempt: attempt[node],
      run: run[node],
      readyTurn: this.starts.readyTurn[node],
    });
    return node;
  }

  /** Waits begin by themselves: they take room nowhere. In topological order one begins when nothing else runs. */
  private beginWaits(atMs: number): void {
    if (!this.definition.hasWaits) return;
    const inOrder = this.definition.startOrder === 'topological';
    const lane = this.starts.lanes.ofWaits;
    for (let node = this.next(lane); node >= 0 && this.starts.lanes.isWait(node); node = this.next(lane)) {
      if (inOrder && this.columns.executing > 0) return;
      this.starts.lanes.pop(lane);
      this.waits.begin(node, atMs);
    }
  }

  takeEffects(): readonly Effect[] {
    const taken = this.effects;
    this.effects = [];
    return taken;
  }

  /** Nothing executes and nothing is being evaluated. */
  get isIdle(): boolean {
    return this.columns.executing === 0 && this.propagation.evaluating === 0;
  }

  /**
   * After a restore: nodes that executed when the process died become ready again, the counters are recounted, and
   * everything that was on its way (conditions, retries, starts, waits) is set going again.
   */
  recover(atMs: number): void {
    const { leaf, wakeAtMs, waits } = this.columns;
    this.readiness.recount(leaf);
    this.starts.groups.recount();
    this.waits.restore();
    this.starts.takeLimit();
    for (let node = 0; node < leaf.length; node++) {
      if (leaf[node] === LEAF.running && !waits.has(node))
        this.state.sendNode(node, { type: 'recovered', reason: 'process' }, atMs);
      if (leaf[node] === LEAF.ready) this.enqueue(node);
    }
    for (const [node, at] of wakeAtMs) this.effects.push({ kind: 'wake', node, atMs: at });
    if (this.state.workflowLeaf === 'running' || this.state.workflowLeaf === 'paused')
      this.propagation.admitAll(atMs);
    this.beginWaits(atMs);
    this.settle(atMs);
  }

  private get columns(): ExecutionState['columns'] {
    return this.state.columns;
  }

  private enqueue(node: number): void {
    this.starts.enqueue(node, this.turn);
  }

  private failAttempt(node: number, error: ErrorDocument, durationMs: number, atMs: number): void {
    const policy = this.definition.retryPolicyOf(node);
    const delayMs =
      policy === null ? null : nextRetryDelayMs(policy, this.columns.attempt[node], error, this.random);
    if (delayMs !== null) {
      const retryAtMs = atMs + Math.ceil(delayMs);
      this.state.sendNode(node, { type: 'attemptFailed', error, durationMs, retryAtMs }, atMs);
      this.effects.push({ kind: 'wake', node, atMs: retryAtMs });
      return;
    }
    this.state.sendNode(node, { type: 'attemptFailed', error, durationMs }, atMs);
    this.fail(node, atMs);
  }

  /** The node has failed for good: what supervises it says what comes of that. */
  private fail(node: number, atMs: number): void {
    if (this.restart(node, atMs)) return;
    this.propagation.tell(node, 'failed', atMs);
    for (const other of this.starts.groups.endingWith(node)) this.cancelNode(other, atMs);
  }

  /** Members of its group start over instead. Costs what starts over and its dependents. @returns false: they do not */
  private restart(node: number, atMs: number): boolean {
    if (this.starts.isHaltedByOthers) return false;
    const again = this.starts.groups.startingOver(node, atMs, (at) => this.starts.allows(at));
    if (again.length === 0) return false;
    const { plan } = this.definition;
    const { leaf } = this.columns;
    this.state.sendWorkflow({ type: 'groupRestarted', group: plan.groupOf.get(node)!, node }, atMs);
    for (const at of again) {
      const finish = at === node ? null : finishOfLeaf(leaf[at]);
      // Nobody is told of the end of this one: it only makes way for its next run.
      if (leaf[at] === LEAF.running) this.stop(at, atMs);
      this.state.sendNode(at, { type: 'rerunRequested' }, atMs);
      if (finish !== null)
        for (const dependent of dependentsOf(plan, at)) this.readiness.retract(dependent, finish);
    }
    for (const at of again) this.propagation.admit(at, atMs);
    return true;
  }

  private cancelNode(node: number, atMs: number): void {
    if (this.stop(node, atMs)) this.propagation.tell(node, 'failed', atMs);
  }

  /** @returns false when it had ended already */
  private stop(node: number, atMs: number): boolean {
    if (this.columns.leaf[node] === LEAF.running) this.effects.push({ kind: 'cancel', node });
    return this.state.sendNode(node, { type: 'cancelRequested' }, atMs);
  }

  /** The workflow is cancelled: so is every node that could still move. */
  private cancelNodes(atMs: number): void {
    const { leaf } = this.columns;
    for (let node = 0; node < leaf.length; node++) this.stop(node, atMs);
    this.readiness.recount(leaf);
    this.starts.lanes.clear();
  }

  /** A request that no longer fits is late: who asks looks before and after. */
  private rerun(request: RerunRequest, atMs: number): void {
    const rerun = rerunEvent(this.definition, this.columns, request);
    if (rerun !== null && this.state.sendWorkflow(rerun.event, atMs)) this.startOver(rerun.again, atMs);
  }

  /** The nodes given start over, what only they blocked waits again, all other results stay. */
  private startOver(nodes: Iterable<number>, atMs: number): void {
    const { leaf, wakeAtMs } = this.columns;
    for (const node of nodes) this.state.sendNode(node, { type: 'rerunRequested' }, atMs);
    // Dependencies first: what still blocks a node is known when it is looked at.
    for (const node of this.definition.plan.order) {
      this.readiness.recountOf(node, leaf);
      if (leaf[node] === LEAF.blocked && this.readiness.decide(node) !== 'block')
        this.state.sendNode(node, { type: 'dependencyRestored' }, atMs);
    }
    this.starts.takeLimit();
    this.starts.lanes.clear();
    for (const node of this.columns.nodesIn(LEAF.ready)) this.enqueue(node);
    for (const [node, at] of wakeAtMs) this.effects.push({ kind: 'wake', node, atMs: at });
    this.propagation.admitAll(atMs);
  }

  /** Ends the workflow when nothing can happen any more. */
  private settle(atMs: number): void {
    if (this.state.workflowLeaf !== 'running' || this.columns.executing > 0) return;
    const { counts, waits } = this.columns;
    if (this.starts.isHalted) for (const node of this.waits.withdraw(atMs)) this.enqueue(node);
    else {
      if (
        this.propagation.evaluating +
          waits.size +
          this.starts.countIn(LEAF.ready) +
          this.starts.countIn(LEAF['failed.retrying']) >
        0
      )
        return;
      const stuck = this.starts.isLimited ? 0 : counts[LEAF.pending];
      invariant(stuck === 0, `${stuck} nodes wait for nothing`);
    }
    const failed = this.columns.firstFailed();
    if (failed < 0) {
      this.state.sendWorkflow({ type: 'allNodesSettled' }, atMs);
      return;
    }
    const error = this.columns.error.get(failed) ?? CANCELLED;
    this.state.sendWorkflow({ type: 'nodeFailedForGood', node: failed, error }, atMs);
  }
}
