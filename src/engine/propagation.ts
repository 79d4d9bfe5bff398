import { ATTEMPT_STARTED, DEPENDENCIES_MET } from '../../machines/events.js';
import type { ErrorDocument } from '../base/errors.js';
import { unverified, type Contracts } from '../policy/contracts.js';
import { dependenciesOf } from '../graph/queries.js';
import { RareMap } from '../base/rare-map.js';
import { RareSet } from '../base/rare-set.js';
import type { Plan } from '../graph/plan.js';
import type { TriggerDecision } from '../policy/trigger.js';
import { LEAF } from './columns.js';
import { unmetInputs } from './contracts.js';
import type { EngineDefinition } from './definition.js';
import { Edges } from './edges.js';
import type { ConditionVerdict, Effect, EngineEvent, MapList } from './effects.js';
import type { ExecutionState } from './execution-state.js';
import type { Maps } from './maps.js';
import { failedDependency, Readiness, skippedBecause, type Finish } from './readiness.js';
import type { Starts } from './starts.js';

/** A node has ended, and how. */
interface End {
  readonly node: number;
  readonly finish: Finish;
}

interface PropagationHost {
  act(effect: Effect): void;
  /** Nothing is missing but room. */
  ready(node: number): void;
  /** A node has failed for good: its dependents are not told yet. */
  failed(node: number, atMs: number): void;
}

/**
 * What the end of a node means for those that depend on it. A node whose dependencies have let it through is asked
 * about (its condition), starts (when there is room), or ends at once (a group, which executes nothing).
 * Invariant: an answer about outputs that were made again since changes nothing.
 */
export class Propagation {
  readonly readiness: Readiness;
  private readonly edges: Edges;
  /** Conditions asked about and not answered: the number of the last question about each node. */
  private readonly questions = new RareMap<number, number>();
  private asked = 0;
  /** Let through although dependencies are unfinished, which will not run. */
  private readonly finally = new RareSet<number>();
  /** How many ends are being told, one because of another. */
  private telling = 0;
  /** Nodes that failed meanwhile. Restarts count anew from the leaves, where what is not told everywhere shows already. */
  private failures: { node: number; atMs: number }[] = [];
  private readonly plan: Plan;
  /** null: nothing is done for each item of a list. */
  maps: Maps | null = null;

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly starts: Starts,
    private readonly host: PropagationHost,
  ) {
    this.plan = definition.plan;
    this.readiness = new Readiness(definition, state.columns);
    this.edges = new Edges(definition, state, host);
  }

  /** Condition evaluations under way. */
  get evaluating(): number {
    return this.questions.size + this.edges.evaluating;
  }

  /** Tells the dependents of a finished node, and theirs as far as the news travels. Iterative: graphs are deep. */
  tell(first: number, finish: Finish, atMs: number): void {
    const { dependentOffsets, dependents } = this.plan;
    // Most news ends with those it is told first.
    let work: End[] | null = null;
    this.telling++;
    for (let item: End | undefined = { node: first, finish }; item !== undefined; item = work?.pop()) {
      for (let k = dependentOffsets[item.node]; k < dependentOffsets[item.node + 1]; k++) {
        const dependent = dependents[k];
        if (item.finish === 'succeeded' && this.edges.isConditional(item.node, dependent)) {
          this.edges.ask(item.node, dependent);
          continue;
        }
        const end = this.note(dependent, item, atMs);
        if (end !== null) (work ??= []).push(end);
      }
      if (item.node >= this.plan.fixedCount) this.maps?.ended(item.node, item.finish, atMs);
    }
    this.telling--;
    if (this.telling === 0 && this.failures.length > 0) this.tellFailures();
  }

  /** Nodes that have failed, of which nobody was told yet. */
  get untold(): readonly number[] {
    return this.failures.map(({ node }) => node);
  }

  /** These start over: that they had failed is nobody's news. */
  takeBack(nodes: readonly number[]): void {
    if (this.failures.length > 0) this.failures = this.failures.filter(({ node }) => !nodes.includes(node));
  }

  /** What fails because of that comes after the rest. */
  private tellFailures(): void {
    this.telling++;
    for (let next = this.failures.shift(); next !== undefined; next = this.failures.shift())
      this.host.failed(next.node, next.atMs);
    this.telling--;
  }

  /** Counts the end of a dependency. @returns the end that this is for the dependent, whose own are not told yet */
  private note(dependent: number, { node, finish }: End, atMs: number): End | null {
    const decision = this.readiness.note(dependent, finish);
    if (this.leaf[dependent] !== LEAF.pending) return null;
    const isBad = finish === 'failed' || finish === 'blocked';
    return this.follow(dependent, decision, isBad ? node : -1, atMs);
  }

  /** @param by the dependency that blocks it; -1: to be looked for */
  private follow(node: number, decision: TriggerDecision, by: number, atMs: number): End | null {
    switch (decision) {
      case 'run':
        this.letThrough(node, atMs);
        return null;
      case 'block':
        this.block(node, by < 0 ? failedDependency(this.plan, this.leaf, node) : by, atMs);
        return { node, finish: 'blocked' };
      case 'skip':
        this.skip(node, atMs);
        return { node, finish: 'skipped' };
      case 'wait':
        if (!this.state.columns.edges.isEmpty) this.failForEdges(node, atMs);
        return null;
    }
  }

  /**
   * An edge whose condition cannot be evaluated counts as unfinished, so that how its node ends does not depend on what
   * is known first: once nothing else is missing, and the node did not end otherwise, it fails.
   */
  private failForEdges(node: number, atMs: number): void {
    const errors = this.state.columns.edges.errorsInto(node);
    if (errors.length === 0 || this.readiness.unfinished[node] > errors.length) return;
    if (this.starts.allows(node)) this.failUnstarted(node, errors[0].error, atMs);
  }

  /** Looks at every pending node once, dependencies first: at the start, after a restore, after a retry. */
  admitAll(atMs: number): void {
    for (const node of this.plan.order) this.admit(node, atMs);
  }

  /** Looks at a node, if it is pending, as its counters are now. */
  admit(node: number, atMs: number): void {
    if (this.leaf[node] !== LEAF.pending) return;
    if (this.definition.edgeConditions.size > 0) this.edges.askOpen(node);
    const end = this.follow(node, this.readiness.decide(node), -1, atMs);
    if (end !== null) this.tell(end.node, end.finish, atMs);
  }

  /**
   * Nothing moves any more, and fail_fast holds the rest back: what outlasts failures takes its unfinished dependencies
   * for skipped, but for those that wait likewise or are let through here. @returns whether any was let through
   */
  admitOutlasting(atMs: number): boolean {
    const open = new Set<number>();
    let any = false;
    for (const node of this.starts.outlasting) {
      if (this.leaf[node] !== LEAF.pending) continue;
      const waits = dependenciesOf(this.plan, node).some(
        (at) => open.has(at) || this.plan.groups.get(at)?.some((member) => open.has(member)) === true,
      );
      if (!waits && this.readiness.decideFinally(node) !== 'run') continue;
      open.add(node);
      if (waits) continue;
      any = true;
      const [wrong] = this.state.columns.edges.errorsInto(node);
      if (wrong !== undefined) {
        this.failUnstarted(node, wrong.error, atMs);
        continue;
      }
      this.letThrough(node, atMs);
      this.finally.add(node);
    }
    return any;
  }

  /** Nodes start over: what was decided for want of them is open again. */
  reopen(): void {
    this.finally.clear();
  }

  /** A condition has been evaluated. */
  answer(event: EngineEvent & { type: 'conditionEvaluated' }, atMs: number): void {
    const { node, from, question, verdict } = event;
    if (from !== undefined) return this.answerEdge(from, node, question, verdict, atMs);
    if (this.questions.get(node) !== question) return;
    this.questions.delete(node);
    // About an item of a list that does not stand any more: it is asked about again.
    if (!this.awaitsAnswer(node) || (this.maps !== null && this.maps.turnOf(node) !== 'go')) return;
    if (verdict.met === true) this.makeReady(node, atMs);
    else if (verdict.met === false) {
      this.state.sendNode(node, { type: 'conditionNotMet', condition: verdict.condition }, atMs);
      this.tell(node, 'skipped', atMs);
    } else this.failUnstarted(node, verdict.error, atMs);
  }

  private answerEdge(
    from: number,
    to: number,
    question: number,
    verdict: ConditionVerdict,
    atMs: number,
  ): void {
    if (!this.edges.takes(from, to, question)) return;
    const taken = verdict.met;
    if (taken === 'error') {
      const { error } = verdict;
      this.state.sendNode(to, { type: 'edgeEvaluated', from, verdict: { taken: null, error } }, atMs);
      if (this.readiness.decide(to) === 'wait') this.failForEdges(to, atMs);
      return;
    }
    this.state.sendNode(to, { type: 'edgeEvaluated', from, verdict: { taken } }, atMs);
    const end = this.note(to, { node: from, finish: taken ? 'succeeded' : 'skipped' }, atMs);
    if (end !== null) this.tell(end.node, end.finish, atMs);
  }

  /** A condition that cannot be evaluated fails its node for good: it never runs by accident. */
  failUnstarted(node: number, error: ErrorDocument, atMs: number): void {
    this.state.sendNode(node, DEPENDENCIES_MET, atMs);
    this.failAtStart(node, error, atMs);
  }

  /** The list of a map has been evaluated. */
  answerMap(node: number, question: number, list: MapList, atMs: number): void {
    if (this.questions.get(node) !== question) return;
    this.questions.delete(node);
    if (!this.awaitsAnswer(node)) return;
    if ('error' in list) this.maps!.fail(node, list.error, atMs);
    else this.maps!.expanded(node, list.items, list.digest, atMs);
  }

  /** An answer changes nothing after the workflow ended, nor while what the condition reads is being made again. */
  private awaitsAnswer(node: number): boolean {
    const { workflowLeaf } = this.state;
    if (workflowLeaf !== 'running' && workflowLeaf !== 'paused') return false;
    if (this.leaf[node] !== LEAF.pending || !this.starts.allows(node)) return false;
    return this.readiness.decide(node) === 'run' || this.finally.has(node);
  }

  private block(node: number, by: number, atMs: number): void {
    this.state.sendNode(node, { type: 'dependencyFailed', by }, atMs);
  }

  private skip(node: number, atMs: number): void {
    const condition = skippedBecause(this.definition, this.state.columns, node);
    this.state.sendNode(node, { type: 'conditionNotMet', condition }, atMs);
  }

  private letThrough(node: number, atMs: number): void {
    if (!this.starts.allows(node)) return;
    if (this.maps !== null) {
      const turn = this.maps.turnOf(node);
      if (turn === 'ask') this.ask('expand', node);
      if (turn !== 'go') return;
    }
    if (this.definition.conditionText(node) === undefined) return this.makeReady(node, atMs);
    this.ask('evaluate', node);
  }

  private ask(kind: 'evaluate' | 'expand', node: number): void {
    this.questions.set(node, ++this.asked);
    this.host.act({ kind, node, question: this.asked });
  }

  private makeReady(node: number, atMs: number): void {
    this.state.sendNode(node, DEPENDENCIES_MET, atMs);
    if (this.definition.contracts !== null && !this.checkInputs(this.definition.contracts, node, atMs))
      return;
    const ofMap = this.maps?.outputOf(node);
    if (ofMap === undefined && !this.plan.groups.has(node)) return this.host.ready(node);
    this.state.sendNode(node, ATTEMPT_STARTED, atMs);
    const output = ofMap ?? this.starts.groups.outputOf(node);
    this.state.sendNode(node, { type: 'attemptSucceeded', output, artifacts: [], durationMs: 0 }, atMs);
    this.tell(node, 'succeeded', atMs);
  }

  /** What the node needs is looked at once, before its first attempt. @returns false: it has failed for want of it */
  private checkInputs(contracts: Contracts, node: number, atMs: number): boolean {
    const verdicts = unmetInputs(contracts, node, this.state.columns);
    if (verdicts.length === 0) return true;
    this.state.sendNode(node, { type: 'contractsChecked', verdicts }, atMs);
    const error = unverified(verdicts, this.plan.ids[node]);
    if (error !== null) this.failAtStart(node, error, atMs);
    return error === null;
  }

  /** It never runs: an attempt that is none fails for good. */
  private failAtStart(node: number, error: ErrorDocument, atMs: number): void {
    this.state.sendNode(node, ATTEMPT_STARTED, atMs);
    this.state.sendNode(node, { type: 'attemptFailed', error, durationMs: 0 }, atMs);
    if (this.telling === 0) this.host.failed(node, atMs);
    else this.failures.push({ node, atMs });
  }

  private get leaf(): Uint8Array {
    return this.state.columns.leaf;
  }
}
