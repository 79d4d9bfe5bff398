import { ATTEMPT_STARTED } from '../../machines/events.js';
import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { nextRetryDelayMs } from '../policy/retry.js';
import { LEAF } from './columns.js';
import { Deadlines } from './deadlines.js';
import type { EngineDefinition } from './definition.js';
import type {
  AttemptReport,
  AttemptSuccess,
  Effect,
  EngineEvent,
  RerunRequest,
  WorkflowRequest,
} from './effects.js';
import { Endings } from './endings.js';
import { ExecutionState } from './execution-state.js';
import { FreshStarts } from './fresh-starts.js';
import { Propagation } from './propagation.js';
import { Maps } from './maps.js';
import type { Finish, Readiness } from './readiness.js';
import { Repeats } from './repeats.js';
import { cancelledWith, rerunEvent, waitsToStart } from './rerun.js';
import { Starts } from './starts.js';
import { Waits } from './waits.js';

/**
 * One execution: turns engine events into entries (state changes to persist) and effects (things to do).
 * Pure: no clock, no I/O, no timers; the caller passes the time, persists the entries, performs the effects.
 */
export class ExecutionEngine {
  readonly state: ExecutionState;
  private readonly starts: Starts;
  private readonly waits: Waits;
  /** null: nothing repeats. */
  private readonly repeats: Repeats | null = null;
  private readonly deadlines: Deadlines;
  private readonly freshStarts: FreshStarts;
  readonly endings: Endings;
  private readonly propagation: Propagation;
  /** null: nothing is done for each item of a list. */
  private readonly maps: Maps | null;
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
    this.propagation = new Propagation(definition, this.state, this.starts, this);
    if (definition.repeats.size > 0) this.repeats = new Repeats(definition, this.state, this);
    this.freshStarts = new FreshStarts(definition, this.state, this.propagation.readiness);
    this.endings = new Endings(definition, this.state, this);
    this.deadlines = new Deadlines(definition, this.state, this.starts, this);
    this.maps = definition.maps.size > 0 ? new Maps(definition, this.state, this.propagation, this) : null;
    this.propagation.maps = this.maps;
    this.waits = new Waits(definition, this.state, this);
  }

  get readiness(): Readiness {
    return this.propagation.readiness;
  }

  /** Takes one event. Late and stale ones change nothing. @throws ILLEGAL_TRANSITION on a bug */
  apply(event: EngineEvent, atMs: number): void {
    switch (event.type) {
      case 'attemptSucceeded':
      case 'attemptFailed':
        if (!this.columns.isCurrent(event)) return;
        this.reported(event, atMs);
        break;
      case 'childEnded':
        this.waits.childEnded(event, atMs);
        break;
      case 'iterationJudged':
        this.repeats?.judge(event, atMs);
        break;
      case 'attemptLost':
        if (!this.columns.isCurrent(event)) return;
        this.state.sendNode(event.node, { type: 'recovered', reason: 'worker' }, atMs);
        this.ready(event.node);
        break;
      case 'conditionEvaluated':
        this.propagation.answer(event, atMs);
        break;
      case 'mapEvaluated':
        this.propagation.answerMap(event.node, event.question, event.list, atMs);
        break;
      case 'woke':
        if (waitsToStart(this.columns.leaf[event.node]) && this.columns.wakeAtMs.has(event.node))
          this.ready(event.node);
        else this.waits.woke(event.node, atMs);
        break;
      case 'deadlinePassed':
        this.deadlines.passed(event.node, atMs);
        break;
      case 'signalReceived':
      case 'reviewDecided':
      case 'reviewCommented':
        this.waits.answer(event, atMs);
        break;
      case 'nodeCancelRequested':
        for (const node of cancelledWith(this.definition.plan, event.node)) this.cancel(node, atMs);
        break;
      default:
        this.applyRequest(event, atMs);
    }
    this.comeToRest(atMs);
  }

  private applyRequest(event: WorkflowRequest, atMs: number): void {
    switch (event.type) {
      case 'startRequested':
        if (!this.state.sendWorkflow({ type: 'started' }, atMs)) break;
        this.deadlines.armWorkflow();
        this.propagation.admitAll(atMs);
        break;
      case 'pauseRequested':
      case 'resumeRequested':
        if (this.state.sendWorkflow({ type: event.type }, atMs))
          this.waits.steerChildren(event.type === 'pauseRequested' ? 'pause' : 'resume');
        break;
      case 'cancelRequested':
        this.endings.cancel(event, atMs);
        break;
      case 'abandonRequested':
        this.endings.abandon(event.error, atMs);
        break;
      case 'retryRequested':
        if (this.state.sendWorkflow({ type: 'retryRequested' }, atMs))
          this.startOver(
            this.endings.startingOver(this.maps?.retried(this.columns.failures) ?? this.columns.failures),
            atMs,
          );
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

  /** Nodes in a lane, some of which may turn out not to start. */
  inLine(lane: number): number {
    return this.starts.lanes.sizeOf(lane);
  }

  private next(lane: number): number {
    return this.starts.next(lane, this.propagation.evaluating);
  }

  /** Starts the next node of a lane, as `peek` says it: its attempt is charged, its dispatch becomes an effect. */
  start(lane: number, atMs: number, node = this.peek(lane)): number {
    invariant(node >= 0, 'start() without a node that may start');
    this.starts.lanes.pop(lane);
    this.state.sendNode(node, ATTEMPT_STARTED, atMs);
    this.deadlines.armNode(node);
    const { attempt, run } = this.columns;
    this.act({
      kind: 'dispatch',
      node,
      attempt: attempt[node],
      run: run[node],
      readyTurn: this.starts.turnBefore(node, this.turn),
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
      this.deadlines.armNode(node);
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
   * everything that was on its way (conditions, retries, starts, waits) is set going again. What `overdue` ends next is
   * left as it was: its last attempt counts.
   */
  recover(atMs: number): void {
    const { leaf, wakeAtMs, waits } = this.columns;
    this.readiness.recount();
    this.starts.groups.recount();
    this.maps?.recount();
    this.waits.restore();
    this.starts.takeLimit();
    const isOver = this.deadlines.isOver(atMs);
    for (let node = 0; node < leaf.length; node++) {
      if (leaf[node] === LEAF.running && !waits.has(node) && !isOver(node))
        this.state.sendNode(node, { type: 'recovered', reason: 'process' }, atMs);
      if (leaf[node] === LEAF.ready && !wakeAtMs.has(node)) this.ready(node);
    }
    for (const [node, at] of wakeAtMs) this.wake(node, at);
    this.deadlines.armAll();
    if (this.state.workflowLeaf === 'running' || this.state.workflowLeaf === 'paused')
      this.propagation.admitAll(atMs);
    this.comeToRest(atMs);
  }

  /*
   * What its parts have it do, as their hosts say. Methods instead of functions made for each part: executions are many.
   */

  act(effect: Effect): void {
    this.effects.push(effect);
  }

  wake(node: number, atMs: number): void {
    this.act({ kind: 'wake', node, atMs });
  }

  ready(node: number): void {
    this.starts.enqueue(node, this.turn);
  }

  reported(report: AttemptReport, atMs: number): void {
    if (report.type === 'attemptSucceeded') {
      if (this.repeats?.holds(report) !== true) this.succeeded(report, atMs);
      return;
    }
    this.noteContracts(report, atMs);
    this.failAttempt(report.node, report.error, report.durationMs, atMs);
  }

  succeeded(event: AttemptSuccess, atMs: number): void {
    const { node, output, artifacts, durationMs, cached } = event;
    if (cached !== undefined) this.state.sendNode(node, { type: 'cacheHit', hash: cached }, atMs);
    this.noteContracts(event, atMs);
    this.state.sendNode(node, { type: 'attemptSucceeded', output, artifacts, durationMs }, atMs);
    this.propagation.tell(node, 'succeeded', atMs);
  }

  /** The node has failed for good: what supervises it says what comes of that. */
  failed(node: number, atMs: number): void {
    if (this.restart(node, atMs)) return;
    this.propagation.tell(node, 'failed', atMs);
    for (const other of this.starts.groups.endingWith(node)) this.cancel(other, atMs);
  }

  ended(node: number, finish: Finish, atMs: number): void {
    if (finish === 'failed') this.failed(node, atMs);
    else this.propagation.tell(node, finish, atMs);
  }

  nodeIsOver(node: number, error: ErrorDocument, atMs: number): void {
    if (this.columns.leaf[node] === LEAF.running) this.act(this.waits.cancellation(node, error));
    this.state.sendNode(node, { type: 'timedOut', error }, atMs);
    this.failed(node, atMs);
  }

  workflowIsOver(error: ErrorDocument, atMs: number): void {
    this.endings.endBy({ kind: 'timedOut', error }, false, atMs);
  }

  /** @returns false when it had ended already */
  stop(node: number, atMs: number): boolean {
    if (this.columns.leaf[node] === LEAF.running) this.act(this.waits.cancellation(node));
    return this.state.sendNode(node, { type: 'cancelRequested' }, atMs);
  }

  stopped(): void {
    this.readiness.recount();
    this.starts.lanes.clear();
  }

  cancel(node: number, atMs: number): void {
    if (this.stop(node, atMs)) this.propagation.tell(node, 'failed', atMs);
  }

  grow(): void {
    this.starts.grow();
  }

  private get columns(): ExecutionState['columns'] {
    return this.state.columns;
  }

  private noteContracts({ node, contracts: verdicts }: AttemptReport, atMs: number): void {
    if (verdicts !== undefined) this.state.sendNode(node, { type: 'contractsChecked', verdicts }, atMs);
  }

  private failAttempt(node: number, error: ErrorDocument, durationMs: number, atMs: number): void {
    const policy = this.definition.retryPolicyOf(node);
    const delayMs =
      policy === null ? null : nextRetryDelayMs(policy, this.columns.attempt[node], error, this.random);
    if (delayMs !== null) {
      const retryAtMs = atMs + Math.ceil(delayMs);
      this.state.sendNode(node, { type: 'attemptFailed', error, durationMs, retryAtMs }, atMs);
      this.wake(node, retryAtMs);
      return;
    }
    this.state.sendNode(node, { type: 'attemptFailed', error, durationMs }, atMs);
    this.failed(node, atMs);
  }

  /** The events of deadlines that passed while nobody was there: to be applied once what was sent meanwhile is heard. */
  overdue(atMs: number): EngineEvent[] {
    return this.deadlines.overdue(atMs).map((node) => ({ type: 'deadlinePassed', node }));
  }

  /** Members of its group start over instead. Costs what starts over and its dependents. @returns false: they do not */
  private restart(node: number, atMs: number): boolean {
    if (this.starts.isHaltedByOthers) return false;
    const again = this.starts.groups.startingOver(node, atMs, (at) => this.starts.allows(at));
    if (again.length === 0) return false;
    const { plan } = this.definition;
    this.state.sendWorkflow({ type: 'groupRestarted', group: plan.groupOf.get(node)!, node }, atMs);
    const untold = [node, ...this.propagation.untold];
    this.freshStarts.restart(again, untold, (at) => this.stop(at, atMs), atMs);
    this.propagation.takeBack(again);
    this.maps?.recount();
    for (const at of [...again, ...this.freshStarts.unblock(again, atMs)]) this.propagation.admit(at, atMs);
    return true;
  }

  /** A request that no longer fits is late: who asks looks before and after. */
  private rerun(request: RerunRequest, atMs: number): void {
    const { compensations } = this.endings;
    if (compensations?.isUnderWay === true) return;
    const rerun = rerunEvent(this.definition, this.columns, request);
    if (rerun !== null && this.state.sendWorkflow(rerun.event, atMs))
      this.startOver(compensations?.withRerun(rerun.again) ?? rerun.again, atMs);
  }

  /** The nodes given start over, what only they blocked waits again, all other results stay. */
  private startOver(nodes: Iterable<number>, atMs: number): void {
    this.freshStarts.begin(nodes, atMs);
    this.endings.compensations?.reset();
    const { wakeAtMs } = this.columns;
    this.propagation.reopen();
    this.maps?.recount();
    this.starts.takeLimit();
    this.starts.lanes.clear();
    for (const node of this.columns.nodesIn(LEAF.ready)) if (!wakeAtMs.has(node)) this.ready(node);
    for (const [node, at] of wakeAtMs) this.wake(node, at);
    this.deadlines.armAll();
    this.propagation.admitAll(atMs);
  }

  /** Begins the waits whose turn it is, and ends the workflow when nothing can happen any more. */
  private comeToRest(atMs: number): void {
    do this.beginWaits(atMs);
    while (this.settle(atMs));
  }

  /** @returns whether nodes were let through, which may be waits */
  private settle(atMs: number): boolean {
    if (this.state.workflowLeaf !== 'running' || this.columns.executing + this.columns.children > 0)
      return false;
    if (this.endings.goesOn(atMs)) return false;
    const { isHalted, isLimited, outlasting } = this.starts;
    if (isHalted)
      for (const node of this.waits.withdraw((at) => this.starts.holdsBack(at), atMs)) this.ready(node);
    else if (this.isUnderWay) return false;
    if (outlasting.length > 0 && (isHalted || isLimited)) {
      if (this.propagation.evaluating > 0 || (isHalted && this.starts.isAnyUnderWay())) return false;
      if (this.propagation.admitOutlasting(atMs)) return true;
    }
    this.endings.settle(isHalted || isLimited, atMs);
    return false;
  }

  private get isUnderWay(): boolean {
    const { starts, propagation, columns } = this;
    const toStart = starts.countIn(LEAF.ready) + starts.countIn(LEAF['failed.retrying']);
    return propagation.evaluating + columns.waits.size + toStart > 0;
  }
}
