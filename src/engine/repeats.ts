import type { ErrorDocument } from '../base/errors.js';
import { afterIteration } from '../policy/repeat.js';
import type { EngineDefinition } from './definition.js';
import type { AttemptSuccess, Effect, EngineEvent } from './effects.js';
import type { ExecutionState } from './execution-state.js';

interface RepeatsHost {
  act(effect: Effect): void;
  /** The loop is over. */
  succeeded(success: AttemptSuccess, atMs: number): void;
  /** Nothing is missing but room for the next iteration. */
  ready(node: number): void;
  /** The node has failed for good. */
  failed(node: number, atMs: number): void;
}

/**
 * Nodes that run again until something holds. An attempt that succeeds is kept back until `until` is evaluated over
 * its output; then either it is the node's success, or the node is ready again, in a new run with attempts anew.
 * Invariant: nothing of an iteration is recorded before its verdict, so a crash in between repeats that iteration.
 */
export class Repeats {
  /** Successes whose verdict is on its way. */
  private readonly open = new Map<number, AttemptSuccess>();

  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly host: RepeatsHost,
  ) {}

  /** @returns whether the node repeats: then this success waits for its verdict */
  holds(success: AttemptSuccess): boolean {
    const { node, run, output } = success;
    if (!this.definition.repeats.has(node)) return false;
    this.open.set(node, success);
    const iteration = this.state.columns.iterationOf(node);
    this.host.act({ kind: 'judge', node, run, iteration, output });
    return true;
  }

  /** `until` was evaluated. What was cancelled in the meantime, or runs again, is not concerned. */
  judge({ node, run, verdict }: EngineEvent & { type: 'iterationJudged' }, atMs: number): void {
    const success = this.open.get(node);
    if (success?.run !== run) return;
    this.open.delete(node);
    if (!this.state.columns.isCurrent(success)) return;
    if (verdict.met === 'error') return this.fail(success, verdict.error, atMs);
    const policy = this.definition.repeats.get(node)!;
    const iteration = this.state.columns.iterationOf(node);
    const next = afterIteration(policy, verdict.met, iteration, this.definition.plan.ids[node], atMs);
    if (next.kind === 'done') return this.host.succeeded(success, atMs);
    if (next.kind === 'failed') return this.fail(success, next.error, atMs);
    const { output, durationMs } = success;
    const nextAtMs = next.atMs;
    this.state.sendNode(
      node,
      { type: 'iterationEnded', output, durationMs, ...(nextAtMs !== undefined && { nextAtMs }) },
      atMs,
    );
    if (nextAtMs === undefined) this.host.ready(node);
    else this.host.act({ kind: 'wake', node, atMs: nextAtMs });
  }

  /** No retry helps: the step itself did not fail. */
  private fail({ node, durationMs }: AttemptSuccess, error: ErrorDocument, atMs: number): void {
    this.state.sendNode(node, { type: 'attemptFailed', error, durationMs }, atMs);
    this.host.failed(node, atMs);
  }
}
