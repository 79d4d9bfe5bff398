import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { nextRetryDelayMs } from '../policy/retry.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { ConditionVerdict, Effect, EngineEvent, RerunRequest, WorkflowRequest } from './effects.js';
import { ExecutionState } from './execution-state.js';
import { Lanes } from './lanes.js';
import { Readiness, type Finish } from './readiness.js';
import { failedDependency, rerunEvent, StartLimit } from './rerun.js';
import { Waits } from './waits.js';

/**
 * One execution: turns engine events into entries (state changes to persist) and effects (things to do).
 * Pure: no clock, no I/O, no timers; the caller passes the time, persists the entries, performs the effects.
 */
export class ExecutionEngine {
  readonly state: ExecutionState;
  readonly readiness: Readiness;
  private readonly lanes: Lanes;
  private readonly waits: Waits;
  private readonly limit = new StartLimit();
  private effects: Effect[] = [];
  /** Condition evaluations asked for and not answered. */
  private evaluating = 0;
  /** The turn that made each node ready: its dispatch must wait until that turn is durable. */
  private readonly readyTurn: Uint32Array;
  /** Number of the open turn, kept by the caller. */
  turn = 0;

  constructor(
    readonly definition: EngineDefinition,
    private readonly random: Random,
    state?: ExecutionState,
  ) {
    const { plan } = definition;
    this.state = state ?? new ExecutionState(plan);
    this.readiness = new Readiness(plan);
    this.readyTurn = new Uint32Array(plan.nodeCount);
    this.lanes = new Lanes(definition);
    this.waits = new Waits(definition, this.state, {
      wake: (node, atMs) => this.effects.push({ kind: 'wake', node, atMs }),
      ended: (node, finish, atMs) => this.propagate(node, finish, atMs),
    });
  }

  /** Takes one event. Late and stale ones change nothing. @throws ILLEGAL_TRANSITION on a bug */
  apply(event: EngineEvent, atMs: number): void {
    switch (event.type) {
      case 'attemptSucceeded':
        if (!this.isCurrent(event)) return;
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
        this.propagate(event.node, 'succeeded', atMs);
        break;
      case 'attemptFailed':
        if (this.isCurrent(event)) this.failAttempt(event.node, event.error, event.durationMs, atMs);
        break;
      case 'attemptLost':
        if (!this.isCurrent(event)) return;
        this.state.sendNode(event.node, { type: 'recovered', reason: 'worker' }, atMs);
        this.enqueue(event.node);
        break;
      case 'conditionEvaluated':
        this.evaluating--;
        if (this.awaitsCondition(event.node, event.run))
          this.settleCondition(event.node, event.verdict, atMs);
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
        this.cancelNode(event.node, atMs);
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
        if (this.state.sendWorkflow({ type: 'started' }, atMs)) this.admitPending(atMs);
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
    return node >= 0 && this.lanes.isWait(node) ? -1 : node;
  }

  private next(lane: number): number {
    if (this.state.workflowLeaf !== 'running' || this.halted) return -1;
    let node = this.lanes.peek(lane);
    // A node cancelled while queued is dropped here, not searched for when it is cancelled.
    for (; node >= 0 && !this.isStartable(node); node = this.lanes.peek(lane)) this.lanes.pop(lane);
    return this.isHeldInOrder(node) ? -1 : node;
  }

  /** Starts the next node of a lane: its attempt is charged, its dispatch becomes an effect. */
  start(lane: number, atMs: number): number {
    const node = this.peek(lane);
    invariant(node >= 0, 'start() without a node that may start');
    this.lanes.pop(lane);
    this.state.sendNode(node, { type: 'attemptStarted' }, atMs);
    const { attempt, run } = this.columns;
    this.effects.push({
      kind: 'dispatch',
      node,
      attempt: attempt[node],
      run: run[node],
      readyTurn: this.readyTurn[node],
    });
    return node;
  }

  /** Waits begin by themselves: they take room nowhere. In topological order one begins when nothing else runs. */
  private beginWaits(atMs: number): void {
    if (!this.definition.hasWaits) return;
    const inOrder = this.definition.startOrder === 'topological';
    const lane = this.lanes.ofWaits;
    for (let node = this.next(lane); node >= 0 && this.lanes.isWait(node); node = this.next(lane)) {
      if (inOrder && this.columns.executing > 0) return;
      this.lanes.pop(lane);
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
    return this.columns.executing === 0 && this.evaluating === 0;
  }

  /**
   * After a restore: nodes that executed when the process died become ready again, the counters are recounted, and
   * everything that was on its way (conditions, retries, starts, waits) is set going again.
   */
  recover(atMs: number): void {
    const { leaf, wakeAtMs, waits } = this.columns;
    this.readiness.recount(leaf);
    this.waits.restore();
    this.limit.set(this.state.workflowContext.rerun, leaf);
    for (let node = 0; node < leaf.length; node++) {
      if (leaf[node] === LEAF.running && !waits.has(node))
        this.state.sendNode(node, { type: 'recovered', reason: 'process' }, atMs);
      if (leaf[node] === LEAF.ready) this.enqueue(node);
    }
    for (const [node, at] of wakeAtMs) this.effects.push({ kind: 'wake', node, atMs: at });
    if (this.state.workflowLeaf === 'running' || this.state.workflowLeaf === 'paused')
      this.admitPending(atMs);
    this.beginWaits(atMs);
    this.settle(atMs);
  }

  private get columns(): ExecutionState['columns'] {
    return this.state.columns;
  }

  /** Under fail_fast nothing new starts once a node has failed for good or was cancelled, but for a rerun. */
  private get halted(): boolean {
    if (this.definition.failureMode !== 'fail_fast') return false;
    const failures = this.columns.counts[LEAF['failed.exhausted']] + this.columns.counts[LEAF.cancelled];
    return failures > 0 && failures > (this.state.workflowContext.rerun?.standing ?? 0);
  }

  /** Nodes in a leaf that may start as far as a rerun's limit goes. */
  private countIn(leaf: number): number {
    return this.columns.counts[leaf] - this.limit.heldIn(leaf);
  }

  /** In topological order a node that waits (also for its retry or its condition) holds back those after it. */
  private isHeldInOrder(next: number): boolean {
    if (this.definition.startOrder !== 'topological') return false;
    const { waits, wakeAtMs } = this.columns;
    if (this.evaluating > 0 || waits.size > 0) return true;
    const { rank } = this.definition.plan;
    for (const node of wakeAtMs.keys()) if (rank[node] < rank[next] && this.limit.allows(node)) return true;
    return false;
  }

  private isStartable(node: number): boolean {
    const leaf = this.columns.leaf[node];
    return leaf === LEAF.ready || leaf === LEAF['failed.retrying'];
  }

  private isCurrent(event: { node: number; run: number; attempt: number }): boolean {
    const { leaf, run, attempt } = this.columns;
    return (
      leaf[event.node] === LEAF.running &&
      run[event.node] === event.run &&
      attempt[event.node] === event.attempt
    );
  }

  /** An answer that comes after the workflow ended changes nothing, nor one about outputs that are made again. */
  private awaitsCondition(node: number, run: number): boolean {
    const open = this.state.workflowLeaf === 'running' || this.state.workflowLeaf === 'paused';
    const waits = this.columns.leaf[node] === LEAF.pending && this.columns.run[node] === run;
    return open && waits && this.limit.allows(node) && this.readiness.decide(node) === 'run';
  }

  private enqueue(node: number): void {
    if (!this.limit.allows(node)) return;
    this.readyTurn[node] = this.turn;
    this.lanes.push(node);
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
    this.propagate(node, 'failed', atMs);
  }

  /** Tells the dependents of a finished node, and theirs as far as the news travels. Iterative: graphs are deep. */
  private propagate(first: number, finish: Finish, atMs: number): void {
    const { dependentOffsets, dependents, ids } = this.definition.plan;
    const work: { node: number; finish: Finish }[] = [{ node: first, finish }];
    for (let item = work.pop(); item !== undefined; item = work.pop()) {
      for (let k = dependentOffsets[item.node]; k < dependentOffsets[item.node + 1]; k++) {
        const dependent = dependents[k];
        const decision = this.readiness.note(dependent, item.finish);
        if (this.columns.leaf[dependent] !== LEAF.pending) continue;
        if (decision === 'run') this.makeReady(dependent, atMs);
        else if (decision === 'block') {
          this.state.sendNode(dependent, { type: 'dependencyFailed', by: item.node }, atMs);
          work.push({ node: dependent, finish: 'failed' });
        } else if (decision === 'skip') {
          const condition = `dependency "${ids[item.node]}" was skipped`;
          this.state.sendNode(dependent, { type: 'conditionNotMet', condition }, atMs);
          work.push({ node: dependent, finish: 'skipped' });
        }
      }
    }
  }

  private makeReady(node: number, atMs: number): void {
    if (!this.limit.allows(node)) return;
    if (this.definition.hasCondition(node)) {
      this.evaluating++;
      this.effects.push({ kind: 'evaluate', node, run: this.columns.run[node] });
      return;
    }
    this.state.sendNode(node, { type: 'dependenciesMet' }, atMs);
    this.enqueue(node);
  }

  private settleCondition(node: number, verdict: ConditionVerdict, atMs: number): void {
    if (verdict.met === false) {
      this.state.sendNode(node, { type: 'conditionNotMet', condition: verdict.condition }, atMs);
      this.propagate(node, 'skipped', atMs);
      return;
    }
    this.state.sendNode(node, { type: 'dependenciesMet' }, atMs);
    if (verdict.met === true) {
      this.enqueue(node);
      return;
    }
    // A condition that cannot be evaluated fails its node for good: it never runs by accident.
    this.state.sendNode(node, { type: 'attemptStarted' }, atMs);
    this.state.sendNode(node, { type: 'attemptFailed', error: verdict.error, durationMs: 0 }, atMs);
    this.propagate(node, 'failed', atMs);
  }

  /** Looks at every pending node once, dependencies first: at the start, after a restore, after a retry. */
  private admitPending(atMs: number): void {
    const { plan } = this.definition;
    const { leaf } = this.columns;
    for (const node of plan.order) {
      if (leaf[node] !== LEAF.pending) continue;
      const decision = this.readiness.decide(node);
      if (decision === 'run') this.makeReady(node, atMs);
      else if (decision === 'block') {
        const by = failedDependency(plan, leaf, node);
        this.state.sendNode(node, { type: 'dependencyFailed', by }, atMs);
        this.propagate(node, 'failed', atMs);
      } else if (decision === 'skip') {
        this.state.sendNode(node, { type: 'conditionNotMet', condition: 'a dependency was skipped' }, atMs);
        this.propagate(node, 'skipped', atMs);
      }
    }
  }

  private cancelNode(node: number, atMs: number): void {
    const wasRunning = this.columns.leaf[node] === LEAF.running;
    if (!this.state.sendNode(node, { type: 'cancelRequested' }, atMs)) return;
    if (wasRunning) this.effects.push({ kind: 'cancel', node });
    this.propagate(node, 'failed', atMs);
  }

  /** The workflow is cancelled: so is every node that could still move. */
  private cancelNodes(atMs: number): void {
    const { leaf } = this.columns;
    for (let node = 0; node < leaf.length; node++) {
      if (leaf[node] === LEAF.running) this.effects.push({ kind: 'cancel', node });
      this.state.sendNode(node, { type: 'cancelRequested' }, atMs);
    }
    this.readiness.recount(leaf);
    this.lanes.clear();
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
    this.limit.set(this.state.workflowContext.rerun, leaf);
    this.lanes.clear();
    for (const node of this.columns.nodesIn(LEAF.ready)) this.enqueue(node);
    for (const [node, at] of wakeAtMs) this.effects.push({ kind: 'wake', node, atMs: at });
    this.admitPending(atMs);
  }

  /** Ends the workflow when nothing can happen any more. */
  private settle(atMs: number): void {
    if (this.state.workflowLeaf !== 'running' || this.columns.executing > 0) return;
    const { counts, waits } = this.columns;
    if (this.halted) for (const node of this.waits.withdraw(atMs)) this.enqueue(node);
    else {
      if (this.evaluating + waits.size + this.countIn(LEAF.ready) + this.countIn(LEAF['failed.retrying']) > 0)
        return;
      const stuck = this.limit.isSet ? 0 : counts[LEAF.pending];
      invariant(stuck === 0, `${stuck} nodes wait for nothing`);
    }
    const failed = this.columns.firstFailed();
    if (failed < 0) {
      this.state.sendWorkflow({ type: 'allNodesSettled' }, atMs);
      return;
    }
    const error = this.columns.error.get(failed) ?? {
      name: 'Cancelled',
      message: 'the node was cancelled',
      code: 'STEP_CANCELLED',
    };
    this.state.sendWorkflow({ type: 'nodeFailedForGood', node: failed, error }, atMs);
  }
}
