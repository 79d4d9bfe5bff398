import type { Entry } from '../../src/engine/entries.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import { LEAF } from '../../src/engine/columns.js';
import { ExecutionState } from '../../src/engine/execution-state.js';
import { stageOf } from '../../src/graph/index.js';
import { edgeConditionsOf, planOf, type EdgeConditions, type NodeSpec } from '../../src/spec/index.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import type { NodeOutput } from '../../src/base/model.js';
import type { WorkflowEvent } from '../../machines/events.js';
import { WORKFLOW } from '../../src/engine/entries.js';
import { outlasts } from '../support/trigger-oracle.js';
import { Answers } from './answers.js';
import { checkGroupOutput, Restarts } from './groups.js';
import type { Lineage } from './lineage.js';
import { approves } from './model.js';
import { unmetDependency } from './open-attempts.js';
import { fateOf, outputOf, type Planned } from './scenario.js';
import { Rules } from './rules.js';
import { Starts } from './starts.js';
import { asksOf } from './triggers.js';
import { demand } from './violation.js';

/** What one execution has to do with others, as far as that is on disk. */
export interface Surroundings {
  /** What attempt `key` of a subworkflow node has started. */
  childOf(parent: Shadow, node: number, key: string): Shadow | undefined;
  /** The results that were kept under this hash. */
  cached(hash: string): readonly string[];
}

/** What a witness knows of one execution from what is on disk alone: its journal, replayed as it is written. */
export class Shadow {
  readonly state: ExecutionState;
  record: ExecutionRecord | null = null;
  /** Journal records on disk. */
  sequence = 0;
  /** A row of it was damaged: from then on only that it is noticed counts. */
  damaged = false;
  /** Something charged an attempt that the fates do not say: the outcome cannot be foretold. */
  disturbed = false;
  /** Somebody asked for a retry or a rerun. */
  againAsked = false;
  /** Its record was taken away. */
  deleted = false;
  /** A start was asked for and has not been answered. */
  starting = false;
  /** Somebody asked for it to be deleted whatever its state. */
  forced = false;
  /** Somebody asked for its cancellation with compensation. */
  compensationAsked = false;
  /** How it has ended so far. */
  readonly endings = new Set<string>();
  /** Its time was over. */
  timedOut = false;
  /** Conditions on edges, by the node they lead to, then by where they come from. */
  readonly conditions: EdgeConditions;
  /** Outputs that have rows of their own, by `node/run`. */
  readonly large = new Map<string, string>();
  /** Runs that have a result, or iterations, since this was last looked at. */
  successes: { readonly node: number; readonly run: number; readonly isIteration: boolean }[] = [];
  readonly answers: Answers;
  /** The text of each node's result, as far as it is a result still. */
  readonly results = new Map<number, string>();
  private readonly everHad = new Set<string>();
  private readonly starts: Starts;
  private readonly restarts = new Restarts(this);
  private readonly rules = new Rules(this);
  private cacheHit: string | null = null;
  private suspect: { node: number; code: string; why: string } | null = null;
  private readonly ended = new Set<string>();

  constructor(
    readonly planned: Planned,
    /** Of a fork. */
    readonly lineage: Lineage | null = null,
    readonly parent: Shadow | null = null,
    private readonly surroundings: Surroundings = { childOf: () => undefined, cached: () => [] },
  ) {
    const { spec } = planned.workflow;
    this.state = new ExecutionState(planOf(spec));
    this.conditions = edgeConditionsOf(spec, this.plan);
    const { columns } = this.state;
    const isOver = (): boolean => this.damaged || this.deleted || this.hasEnded;
    this.answers = new Answers(planned.id, columns, isOver);
    this.starts = new Starts(planned.failureMode, this.plan, columns, (node) => this.isCompensation(node));
  }

  /**
   * It had ended and was deleted before its start was answered, and the start that its user had sent once more made a new
   * execution of that id: an id is known as long as the execution is stored. What was seen so far says nothing about it.
   */
  restarted(): void {
    this.deleted = false;
    this.damaged = true;
  }

  get hasEnded(): boolean {
    return this.record !== null && isWorkflowStatusEnded(this.record.status);
  }

  /** Of an item of a map: what its stage is. */
  specOf(node: number): NodeSpec {
    return this.planned.workflow.spec.nodes[stageOf(this.plan, node)];
  }

  isItem(node: number): boolean {
    return node >= this.plan.fixedCount;
  }

  isCompensation(node: number): boolean {
    return this.specOf(node).compensates !== undefined;
  }

  /** Whether a node waits instead of executing something. */
  isWait(node: number): boolean {
    const { type, wait_for, sleep, wait_until } = this.specOf(node);
    return type === 'human_review' || (wait_for ?? sleep ?? wait_until) !== undefined;
  }

  /** Whether a node's output is not its own: the words of somebody, what others gave, or what was kept from before. */
  speaksForOthers(node: number): boolean {
    const isOfOthers = this.plan.groups.has(node) || this.plan.mapOf.has(node);
    const { cache, type } = this.specOf(node);
    return isOfOthers || cache !== undefined || type === 'subworkflow' || this.isWait(node);
  }

  /** What a node gives in its present attempt, unless it speaks for others. */
  ownText(node: number): string {
    const { run, attempt } = this.state.columns;
    return outputOf(this.plan.ids[node], run[node], attempt[node]);
  }

  /** Whether a dependency of a node has completed, and the edge from it was taken; null: that is not known. */
  hasCome(from: number, to: number): boolean | null {
    if (!this.isCompleted(from)) return false;
    if (this.conditions.get(to)?.has(from) !== true) return true;
    return this.state.columns.edges.get(from, to)?.taken ?? null;
  }

  /** Whether this was ever the result of a node. Large ones are told by their size alone. */
  had(node: number, output: NodeOutput): boolean {
    return typeof output === 'string' ? this.everHad.has(`${node} ${output}`) : this.results.has(node);
  }

  get plan(): ExecutionState['plan'] {
    return this.state.plan;
  }

  isCompleted(node: number): boolean {
    return this.state.columns.leaf[node] === LEAF.completed;
  }

  dependenciesOf(node: number): readonly number[] {
    const { dependencies, dependencyOffsets } = this.plan;
    return [...dependencies.slice(dependencyOffsets[node], dependencyOffsets[node + 1])];
  }

  /** What an attempt of a node may be given the outputs of, and under which ids. */
  inputsOf(node: number): readonly number[] {
    const target = this.specOf(node).compensates;
    if (target !== undefined) {
      const of = this.plan.indexOf.get(target)!;
      return [...this.dependenciesOf(of), of];
    }
    const outside = this.isItem(node) ? this.outsideOf(stageOf(this.plan, node)) : [];
    return [...outside, ...this.dependenciesOf(node)];
  }

  /** What the stage of a map depends on, other stages aside. */
  outsideOf(stage: number): readonly number[] {
    const { mapOf } = this.plan;
    return this.dependenciesOf(stage).filter((at) => mapOf.get(at) !== mapOf.get(stage));
  }

  /** Takes a journal record that is on disk now. */
  takeRecord(entries: readonly Entry[]): void {
    const isFork = this.lineage !== null && this.sequence === 0;
    if (isFork) {
      this.lineage.check(this, entries);
      this.disturbed ||= this.lineage.source.disturbed;
    }
    for (const entry of entries) this.take(entry, isFork);
    this.answers.checkKept();
    this.sequence++;
  }

  private take(entry: Entry, isKept: boolean): void {
    const { columns } = this.state;
    const { id } = this.planned;
    const before = this.state.workflowLeaf;
    const { type } = entry.event;
    this.checkSuspect(entry);
    if (before === 'cancelled' && (type === 'retryRequested' || type === 'rerunRequested')) {
      demand(this.againAsked, 'CANCELLED_IS_FINAL', `${id} took ${type}, but nobody asked for that`);
    } else if (before === 'cancelled') {
      demand(type === 'cancelRequested', 'CANCELLED_IS_FINAL', `${id} took ${type} after it was cancelled`);
    }
    this.rules.take(entry, isKept);
    this.noteTime(entry);
    if (type === 'cacheHit') this.takeHit(entry.node, (entry.event as { hash: string }).hash);
    if (type === 'iterationEnded')
      this.takeIteration(entry.node, (entry.event as { output: NodeOutput }).output);
    if (entry.node === WORKFLOW) this.starts.requested(entry.event as WorkflowEvent, before);
    if (type === 'attemptStarted' || type === 'waitStarted') this.checkStart(entry.node, before, isKept);
    if (type === 'attemptSucceeded' || type === 'attemptFailed') {
      const { node } = entry;
      const name = `${this.plan.ids[node]} run ${columns.run[node]} attempt ${columns.attempt[node]}`;
      demand(!this.ended.has(name), 'ATTEMPT_ENDS_ONCE', `${id}: ${name} ended twice`);
      this.ended.add(name);
      if (!isKept && columns.waits.get(node)?.kind === 'child') this.checkChild(entry);
      if (type === 'attemptSucceeded') this.takeResult(node, entry.event.output, name, isKept);
    }
    if (entry.event.type === 'attemptFailed') this.noteFailure(entry.node, entry.event.error.code);
    // What starts over, and what is cancelled meanwhile, depends on who was how far.
    if (type === 'groupRestarted' || (type === 'cancelRequested' && entry.node >= 0)) this.disturbed = true;
    this.restarts.take(entry);
    this.noteWait(entry);
    this.answers.take(entry);
    try {
      this.state.replay(entry);
    } catch (error) {
      demand(false, 'LEGAL_TRANSITIONS', `${id}: ${(error as Error).message}`);
    }
    if (type === 'attemptStarted') this.checkAttempt(entry.node);
  }

  /** Failures that the fates do not foretell: crashed workers; what a jumping clock makes late. */
  private noteFailure(node: number, code: string | undefined): void {
    const { attempt, run } = this.state.columns;
    if (!this.planned.fates.has(this.plan.ids[stageOf(this.plan, node)])) return;
    const { outcome } = fateOf(this.planned, this.plan.ids[node], attempt[node], run[node]);
    const { cache, type } = this.specOf(node);
    if (cache !== undefined || type === 'subworkflow') this.disturbed = true;
    const foretold =
      code === 'CONDITION_FAILED' || (code === 'STEP_FAILED' ? outcome === 'fail' : code !== 'WORKER_LOST');
    if (!foretold || outcome === 'hang' || outcome === 'late') this.disturbed = true;
  }

  /** Deadlines, and reviewers who decide otherwise than fated, lead where the fates do not. */
  private noteWait({ node, event }: Entry): void {
    if (event.type === 'waitEnded' && event.by === 'deadline') this.disturbed = true;
    if (event.type !== 'attemptSucceeded' && event.type !== 'attemptFailed') return;
    if (!this.isWait(node) || this.specOf(node).type !== 'human_review') return;
    const rejected = event.type === 'attemptFailed' || JSON.stringify(event.output).includes('rejected');
    if (rejected === approves(this.planned, this.plan.ids[node])) this.disturbed = true;
  }

  private checkAttempt(node: number): void {
    const { attempt, run } = this.state.columns;
    const allowed = this.specOf(node).retry_policy?.max_attempts ?? 1;
    const what = `${this.planned.id}: ${this.plan.ids[node]} run ${run[node]} began attempt ${attempt[node]}`;
    demand(attempt[node] <= allowed, 'ATTEMPTS_OF_POLICY', `${what} of ${allowed}`);
  }

  private checkStart(node: number, status: string, isKept: boolean): void {
    const name = `${this.planned.id}: ${this.plan.ids[node]}`;
    const wasKeptBefore = isKept && this.lineage?.wasKeptBefore(node) === true;
    const early = wasKeptBefore ? null : unmetDependency(this, node);
    const why = `before ${this.plan.ids[early ?? 0]} had completed`;
    if (early !== null) this.suspect = { node, code: 'DEPENDENCIES_FIRST', why };
    if (early !== null && !this.mayFailUnstarted(node)) this.checkSuspect(null);
    // A group executes nothing: it ends with its members, whatever else may start. So does a map with its items.
    if (this.plan.groups.has(node) || this.plan.mapOf.has(node)) return;
    const asks = asksOf(this.specOf(node));
    const isExempt = this.isCompensation(node) || (asks !== undefined && outlasts(asks));
    const refusal = isExempt ? null : this.starts.refusal(node);
    demand(status !== 'cancelled', 'CANCELLED_IS_FINAL', `${name} began after the cancellation`);
    if (status !== 'running')
      this.suspect = { node, code: 'STARTS_ONLY_WHILE_RUNNING', why: `while ${status}` };
    else if (refusal !== null) this.suspect = { node, code: 'FAIL_FAST_HOLDS', why: refusal };
  }

  /** What fails for want of what its start is decided by begins an attempt that is none. */
  private mayFailUnstarted(node: number): boolean {
    return this.conditions.has(node) || this.plan.mapOf.has(node);
  }

  /** Only what could not be decided charges an attempt, which never ran, while nothing may start. */
  private checkSuspect(entry: Entry | null): void {
    if (this.suspect === null) return;
    const { node: started, code, why } = this.suspect;
    this.suspect = null;
    const failed =
      entry !== null &&
      entry.node === started &&
      entry.event.type === 'attemptFailed' &&
      UNSTARTED.has(entry.event.error.code ?? '');
    const what = `${this.planned.id}: ${this.plan.ids[started]} started ${why}`;
    demand(failed, code, what);
  }

  private noteTime({ node, event }: Entry): void {
    const isOver =
      (event.type === 'abandoned' && event.error.code === 'WORKFLOW_TIMEOUT') ||
      (event.type === 'compensationStarted' && event.ending.kind === 'timedOut');
    if (isOver) this.timedOut = true;
    if (isOver || event.type === 'timedOut') this.disturbed = true;
    if (node === WORKFLOW && (event.type === 'retryRequested' || event.type === 'rerunRequested'))
      this.timedOut = false;
  }

  private takeIteration(node: number, output: NodeOutput): void {
    const { run } = this.state.columns;
    this.successes.push({ node, run: run[node], isIteration: true });
    if (this.speaksForOthers(node)) return;
    const own = this.ownText(node);
    const fits = output === own || (typeof output !== 'string' && own.length > 64 * 1024);
    const what = `${this.planned.id}: an iteration of ${this.plan.ids[node]} has another's result`;
    demand(fits, 'RESULT_OF_ITS_ATTEMPT', what);
  }

  private takeHit(node: number, hash: string): void {
    const what = `${this.planned.id}: ${this.plan.ids[node]} took what was never kept`;
    demand(this.surroundings.cached(hash).length > 0, 'CACHE', what);
    this.cacheHit = hash;
    this.disturbed = true;
  }

  /** A child has ended before its end counts for its parent, and as it is told there. */
  private checkChild({ node, event }: Entry): void {
    const key = this.state.columns.waits.get(node)!.signal!;
    const child = this.surroundings.childOf(this, node, key);
    if (child === undefined || child.damaged) return;
    const what = `${this.planned.id}: the end of ${child.planned.id} counts as`;
    if (event.type === 'attemptSucceeded')
      demand(child.endings.has('completed'), 'CHILD_ENDS_FIRST', `${what} completed`);
    if (event.type !== 'attemptFailed') return;
    const { code } = event.error;
    if (code === 'SUBWORKFLOW_FAILED')
      demand(child.endings.has('failed'), 'CHILD_ENDS_FIRST', `${what} failed`);
    if (code === 'SUBWORKFLOW_CANCELLED')
      demand(child.endings.has('cancelled'), 'CHILD_ENDS_FIRST', `${what} cancelled`);
  }

  /** What is kept of a source has its run and attempt; what waited, the words of others. */
  private takeResult(node: number, output: NodeOutput, name: string, isKept: boolean): void {
    const { columns } = this.state;
    const { id } = this.planned;
    const own = this.ownText(node);
    const hit = this.cacheHit;
    this.cacheHit = null;
    this.successes.push({ node, run: columns.run[node], isIteration: false });
    const isOfOthers = this.speaksForOthers(node) && (this.specOf(node).cache === undefined || hit !== null);
    const foreign = isKept || isOfOthers;
    const isGroup = this.plan.groups.has(node) && !this.plan.maps.some(({ group }) => group === node);
    if (!isKept && isGroup) checkGroupOutput(this, node, output as string);
    const text = typeof output === 'string' ? output : this.largeText(node, isKept, foreign ? null : own);
    const isLarge = typeof output !== 'string' && own.length > 64 * 1024;
    demand(
      foreign || isLarge || output === own,
      'RESULT_OF_ITS_ATTEMPT',
      `${id}: ${name} has another's result`,
    );
    if (hit !== null) {
      const what = `${id}: ${name} took ${text.slice(0, 80)}, which was not kept`;
      demand(this.surroundings.cached(hit).includes(text), 'CACHE', what);
    }
    this.results.set(node, text);
    this.everHad.add(`${node} ${text}`);
  }

  /** @param own when it must be that */
  private largeText(node: number, isKept: boolean, own: string | null): string {
    if (isKept) return this.lineage!.source.results.get(node)!;
    return own ?? this.large.get(`${node}/${this.state.columns.run[node]}`) ?? '';
  }
}

/** Why an attempt may fail that never ran. */
const UNSTARTED = new Set(['CONDITION_FAILED', 'MAP_LIST', 'MAP_FAILED', 'CONTRACT_UNVERIFIED']);
