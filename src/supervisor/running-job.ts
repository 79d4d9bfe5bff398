import type { CancelTimer } from '../base/clock.js';
import type { Effect } from '../engine/effects.js';
import type { Job } from '../pool/index.js';
import type { ActiveExecution } from './active-execution.js';

/**
 * One attempt, from the decision to start it until its outcome. A class, as all that is made for each attempt and kept for a
 * while: of what a literal makes V8 may come to believe that it lives long, and then makes all of it in the old generation.
 */
export class RunningJob {
  readonly node: number;
  readonly attempt: number;
  readonly run: number;
  /** held: waits for a commit or for its inputs; sent: the pool has it; over: it has an outcome, or was cancelled before. */
  state: 'held' | 'sent' | 'over' = 'held';
  /** What the pool is given, if that is known already. */
  prepared: Job | null = null;
  /** null: it has no deadline. */
  stopTimers: CancelTimer[] | null = null;
  /** Of a node whose results are kept: what they are made from; null until that is known. */
  cacheHash: string | null = null;

  constructor(
    readonly id: number,
    readonly execution: ActiveExecution,
    { node, attempt, run }: Extract<Effect, { kind: 'dispatch' }>,
    /**
     * Of a node that a rule may let run early: the dependencies whose outputs it is given, which are durable when it is
     * sent. null: all that have completed.
     */
    readonly given: ReadonlySet<number> | null,
  ) {
    this.node = node;
    this.attempt = attempt;
    this.run = run;
  }
}
