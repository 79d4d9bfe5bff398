import type { Entry } from '../../src/engine/entries.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import { LEAF } from '../../src/engine/columns.js';
import { ExecutionState } from '../../src/engine/execution-state.js';
import { planOf } from '../../src/spec/index.js';
import type { ExecutionRecord } from '../../src/store/types.js';
import type { NodeOutput } from '../../src/base/model.js';
import type { WorkflowEvent } from '../../machines/events.js';
import { WORKFLOW } from '../../src/engine/entries.js';
import { outlasts } from '../support/trigger-oracle.js';
import { Answers } from './answers.js';
import { checkGroupOutput, unmetDependency, Restarts } from './groups.js';
import type { Lineage } from './lineage.js';
import { approves } from './model.js';
import { fateOf, outputOf, type Planned } from './scenario.js';
import { Starts } from './starts.js';
import { asksOf } from './triggers.js';
import { demand } from './violation.js';

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
  readonly answers: Answers;
  /** The text of each node's result, as far as it is a result still. */
  readonly results = new Map<number, string>();
  private readonly everHad = new Set<string>();
  private readonly starts: Starts;
  private readonly restarts = new Restarts(this);
  private suspect: { node: number; code: string; why: string } | null = null;
  private readonly ended = new Set<string>();

  constructor(
    readonly planned: Planned,
    /** Of a fork. */
    readonly lineage: Lineage | null = null,
  ) {
    this.state = new ExecutionState(planOf(planned.workflow.spec));
    const { columns } = this.state;
    const isOver = (): boolean => this.damaged || this.deleted || this.hasEnded;
    this.answers = new Answers(planned.id, columns, isOver);
    this.starts = new Starts(planned.failureMode, this.plan, columns);
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

  /** Whether a node waits instead of executing something. */
  isWait(node: number): boolean {
    const { type, wait_for, sleep, wait_until } = this.planned.workflow.spec.nodes[node];
    return type === 'human_review' || (wait_for ?? sleep ?? wait_until) !== undefined;
  }

  /** Whether a node's output is not its own: the words of somebody, or the outputs of members. */
  speaksForOthers(node: number): boolean {
    return this.isWait(node) || this.plan.groups.has(node);
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
    if (entry.node === WORKFLOW) this.starts.requested(entry.event as WorkflowEvent, before);
    if (type === 'attemptStarted' || type === 'waitStarted') this.checkStart(entry.node, before);
    if (type === 'attemptSucceeded' || type === 'attemptFailed') {
      const { node } = entry;
      const name = `${this.plan.ids[node]} run ${columns.run[node]} attempt ${columns.attempt[node]}`;
      demand(!this.ended.has(name), 'ATTEMPT_ENDS_ONCE', `${id}: ${name} ended twice`);
      this.ended.add(name);
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
    const { outcome } = fateOf(this.planned, this.plan.ids[node], attempt[node], run[node]);
    const foretold =
      code === 'CONDITION_FAILED' || (code === 'STEP_FAILED' ? outcome === 'fail' : code !== 'WORKER_LOST');
    if (!foretold || outcome === 'hang' || outcome === 'late') this.disturbed = true;
  }

  /** Deadlines, and reviewers who decide otherwise than fated, lead where the fates do not. */
  private noteWait({ node, event }: Entry): void {
    if (event.type === 'waitEnded' && event.by === 'deadline') this.disturbed = true;
    if (event.type !== 'attemptSucceeded' && event.type !== 'attemptFailed') return;
    if (!this.isWait(node) || this.planned.workflow.spec.nodes[node].type !== 'human_review') return;
    const rejected = event.type === 'attemptFailed' || JSON.stringify(event.output).includes('rejected');
    if (rejected === approves(this.planned, this.plan.ids[node])) this.disturbed = true;
  }

  private checkAttempt(node: number): void {
    const { attempt, run } = this.state.columns;
    const allowed = this.planned.workflow.spec.nodes[node].retry_policy?.max_attempts ?? 1;
    const what = `${this.planned.id}: ${this.plan.ids[node]} run ${run[node]} began attempt ${attempt[node]}`;
    demand(attempt[node] <= allowed, 'ATTEMPTS_OF_POLICY', `${what} of ${allowed}`);
  }

  private checkStart(node: number, status: string): void {
    const name = `${this.planned.id}: ${this.plan.ids[node]}`;
    const early = unmetDependency(this, node);
    const what = `${name} started before ${this.plan.ids[early ?? 0]} had completed`;
    demand(early === null, 'DEPENDENCIES_FIRST', what);
    // A group executes nothing: it ends with its members, whatever else may start.
    if (this.plan.groups.has(node)) return;
    const asks = asksOf(this.planned.workflow.spec.nodes[node]);
    const refusal = asks !== undefined && outlasts(asks) ? null : this.starts.refusal(node);
    if (status !== 'running')
      this.suspect = { node, code: 'STARTS_ONLY_WHILE_RUNNING', why: `while ${status}` };
    else if (refusal !== null) this.suspect = { node, code: 'FAIL_FAST_HOLDS', why: refusal };
  }

  /** Only a condition that could not be evaluated charges an attempt, which never ran, while nothing may start. */
  private checkSuspect({ node, event }: Entry): void {
    if (this.suspect === null) return;
    const { node: started, code, why } = this.suspect;
    this.suspect = null;
    const failed =
      event.type === 'attemptFailed' && event.error.code === 'CONDITION_FAILED' && node === started;
    const what = `${this.planned.id}: ${this.plan.ids[started]} started ${why}`;
    demand(failed, code, what);
  }

  /** What is kept of a source has its run and attempt; what waited, the words of others. */
  private takeResult(node: number, output: NodeOutput, name: string, isKept: boolean): void {
    const { columns } = this.state;
    const { id } = this.planned;
    const own = outputOf(this.plan.ids[node], columns.run[node], columns.attempt[node]);
    const foreign = isKept || this.speaksForOthers(node);
    if (!isKept && this.plan.groups.has(node)) checkGroupOutput(this, node, output as string);
    const text =
      typeof output === 'string' ? output : foreign ? this.lineage!.source.results.get(node)! : own;
    const isLarge = typeof output !== 'string' && own.length > 64 * 1024;
    demand(
      foreign || isLarge || output === own,
      'RESULT_OF_ITS_ATTEMPT',
      `${id}: ${name} has another's result`,
    );
    this.results.set(node, text);
    this.everHad.add(`${node} ${text}`);
  }
}
