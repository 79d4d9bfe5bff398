import { childKey } from '../base/child-id.js';
import type { ErrorDocument } from '../base/errors.js';
import type { WaitEnd } from '../base/model.js';
import { RareMap } from '../base/rare-map.js';
import { breachOf } from '../policy/contracts.js';
import { beginWait, decideReview, expireWait, type WaitOutcome, type WaitPlan } from '../policy/wait.js';
import type { EngineDefinition } from './definition.js';
import type { AttemptReport, ChildEnd, Effect, WaitAnswer } from './effects.js';
import type { ExecutionState } from './execution-state.js';
import type { Finish } from './readiness.js';
import { FifoQueue } from './ready-queue.js';

interface WaitsHost {
  act(effect: Effect): void;
  wake(node: number, atMs: number): void;
  /** An attempt that was a child's has ended. */
  reported(report: AttemptReport, atMs: number): void;
  /** The node has ended: its dependents are to be told. */
  ended(node: number, finish: Finish, atMs: number): void;
}

/**
 * Nodes that wait without a thread. Whatever ends a wait (a decision, a signal, a moment, a deadline) goes one way:
 * `waitEnded`, and the success or failure that follows from it, in the same turn.
 * Invariant: no signal is kept while an open wait could take it.
 */
export class Waits {
  /** Nodes that wait for a signal, by its name, in the order in which they began; ended ones are dropped when met. */
  private readonly waiters = new RareMap<string, FifoQueue>();

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly host: WaitsHost,
  ) {}

  begin(node: number, atMs: number): void {
    const { run, attempt } = this.state.columns;
    const wait = beginWait(this.planOf(node), childKey(run[node], attempt[node] + 1), atMs);
    this.state.sendNode(node, { type: 'waitStarted', ...wait }, atMs);
    if (wait.wakeAtMs > 0) this.host.wake(node, wait.wakeAtMs);
    if (wait.kind === 'child') return this.host.act({ kind: 'child', node, key: wait.signal! });
    if (wait.signal === null) return;
    this.listen(node, wait.signal);
    this.deliver(wait.signal, atMs);
  }

  /** After a restore: who waited goes on waiting, uncharged; children are looked at. Deadlines are set going with all other times. */
  restore(): void {
    const { waits, startedAtMs } = this.state.columns;
    const open = [...waits].sort(([a], [b]) => startedAtMs[a] - startedAtMs[b] || a - b);
    for (const [node, { kind, signal }] of open) {
      if (kind === 'child') this.host.act({ kind: 'child', node, key: signal! });
      else if (signal !== null) this.listen(node, signal);
    }
  }

  /** Its time has come, or it was set going for a wait that is over. */
  woke(node: number, atMs: number): void {
    const wait = this.open.get(node);
    if (wait === undefined || wait.wakeAtMs === 0) return;
    // The clock stepped back in the meantime.
    if (wait.wakeAtMs > atMs) return this.host.wake(node, wait.wakeAtMs);
    const plan = this.planOf(node);
    if (plan.kind === 'child') return;
    const outcome = expireWait(plan, wait, this.idOf(node), atMs);
    this.end(node, wait.kind === 'time' ? 'time' : 'deadline', outcome, atMs);
  }

  /** The end of a child that is not waited for any more changes nothing. */
  childEnded({ node, key, outcome, contracts }: ChildEnd, atMs: number): void {
    const wait = this.open.get(node);
    if (wait?.kind !== 'child' || wait.signal !== key) return;
    const { run, attempt, startedAtMs } = this.state.columns;
    const durationMs = Math.max(0, atMs - startedAtMs[node]);
    const ended = { node, run: run[node], attempt: attempt[node], durationMs, contracts };
    if ('error' in outcome) this.host.reported({ type: 'attemptFailed', ...ended, ...outcome }, atMs);
    else this.host.reported({ type: 'attemptSucceeded', ...ended, ...outcome, artifacts: [] }, atMs);
  }

  /** What ends what a running node is at. */
  cancellation(node: number, reason?: ErrorDocument): Effect {
    const wait = this.open.get(node);
    if (wait?.kind !== 'child') return { kind: 'cancel', node, reason };
    return { kind: 'steerChild', node, key: wait.signal!, what: 'cancel' };
  }

  /** What is asked of the workflow is asked of its children. */
  steerChildren(what: 'pause' | 'resume'): void {
    if (this.state.columns.children === 0) return;
    for (const [node, { kind, signal }] of this.open)
      if (kind === 'child') this.host.act({ kind: 'steerChild', node, key: signal!, what });
  }

  /** Answers to nodes that do not wait, or wait in a later run, come late: they change nothing. */
  answer(event: WaitAnswer, atMs: number): void {
    if (event.type === 'signalReceived') return this.receive(event, atMs);
    const { node, run } = event;
    const plan = this.open.has(node) ? this.planOf(node) : null;
    if (plan?.kind !== 'review' || this.state.columns.run[node] !== run) return;
    if (event.type === 'reviewDecided')
      this.end(node, 'review', decideReview(plan, event, this.idOf(node), atMs), atMs);
    else this.state.sendNode(node, { type: 'commented', text: event.text, reviewer: event.reviewer }, atMs);
  }

  /** The workflow fails without these: they start over when it is retried. @returns those that waited */
  withdraw(which: (node: number) => boolean, atMs: number): readonly number[] {
    // Children that run go to their end, like attempts.
    const nodes = [...this.open.keys()].filter(
      (node) => which(node) && this.open.get(node)?.kind !== 'child',
    );
    for (const node of nodes) this.state.sendNode(node, { type: 'recovered', reason: 'halted' }, atMs);
    return nodes;
  }

  private receive(event: WaitAnswer & { type: 'signalReceived' }, atMs: number): void {
    const { name, payload, id } = event;
    if (this.state.signals.knows(id)) return;
    if (this.state.sendWorkflow({ type: 'signalReceived', name, payload, id }, atMs))
      this.deliver(name, atMs);
  }

  private deliver(name: string, atMs: number): void {
    const queue = this.waiters.get(name);
    if (queue === undefined) return;
    for (;;) {
      const output = this.state.signals.peek(name);
      if (output === undefined || queue.size === 0) return;
      const node = queue.pop();
      if (this.open.get(node)?.signal === name) this.end(node, 'signal', { output }, atMs);
    }
  }

  private end(node: number, by: WaitEnd, outcome: WaitOutcome, atMs: number): void {
    const durationMs = Math.max(0, atMs - this.state.columns.startedAtMs[node]);
    this.state.sendNode(node, { type: 'waitEnded', by }, atMs);
    const { contracts } = this.definition;
    const verdicts = 'output' in outcome ? contracts?.verify(node, outcome.output) : undefined;
    if (verdicts !== undefined) this.state.sendNode(node, { type: 'contractsChecked', verdicts }, atMs);
    const error = 'error' in outcome ? outcome.error : verdicts && breachOf(verdicts, this.idOf(node));
    if ('output' in outcome && !error) {
      const { output } = outcome;
      this.state.sendNode(node, { type: 'attemptSucceeded', output, artifacts: [], durationMs }, atMs);
    } else if (error) this.state.sendNode(node, { type: 'attemptFailed', error, durationMs }, atMs);
    this.host.ended(node, error ? 'failed' : 'succeeded', atMs);
  }

  private listen(node: number, signal: string): void {
    let queue = this.waiters.get(signal);
    if (queue === undefined) this.waiters.set(signal, (queue = new FifoQueue()));
    queue.push(node);
  }

  private get open(): ExecutionState['columns']['waits'] {
    return this.state.columns.waits;
  }

  private planOf(node: number): WaitPlan {
    return this.definition.waitOf(node)!;
  }

  private idOf(node: number): string {
    return this.definition.plan.ids[node];
  }
}
