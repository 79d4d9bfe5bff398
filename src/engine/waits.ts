import type { WaitEnd } from '../base/model.js';
import { RareMap } from '../base/rare-map.js';
import { breachOf } from '../policy/contracts.js';
import { beginWait, decideReview, expireWait, type WaitOutcome, type WaitPlan } from '../policy/wait.js';
import type { EngineDefinition } from './definition.js';
import type { WaitAnswer } from './effects.js';
import type { ExecutionState } from './execution-state.js';
import type { Finish } from './readiness.js';
import { FifoQueue } from './ready-queue.js';

interface WaitsHost {
  wake(node: number, atMs: number): void;
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
    const wait = beginWait(this.planOf(node), atMs);
    this.state.sendNode(node, { type: 'waitStarted', ...wait }, atMs);
    if (wait.wakeAtMs > 0) this.host.wake(node, wait.wakeAtMs);
    if (wait.signal === null) return;
    this.listen(node, wait.signal);
    this.deliver(wait.signal, atMs);
  }

  /** After a restore: who waited goes on waiting, uncharged. Deadlines are set going with all other times. */
  restore(): void {
    const { waits, startedAtMs } = this.state.columns;
    const open = [...waits].sort(([a], [b]) => startedAtMs[a] - startedAtMs[b] || a - b);
    for (const [node, { signal }] of open) if (signal !== null) this.listen(node, signal);
  }

  /** Its time has come, or it was set going for a wait that is over. */
  woke(node: number, atMs: number): void {
    const wait = this.open.get(node);
    if (wait === undefined || wait.wakeAtMs === 0) return;
    // The clock stepped back in the meantime.
    if (wait.wakeAtMs > atMs) return this.host.wake(node, wait.wakeAtMs);
    const outcome = expireWait(this.planOf(node), wait, this.idOf(node), atMs);
    this.end(node, wait.kind === 'time' ? 'time' : 'deadline', outcome, atMs);
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
    const nodes = [...this.open.keys()].filter(which);
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
