import type { Entry } from '../engine/entries.js';
import type { KvOp } from '../store/kv.js';
import type { ActiveExecution } from './active-execution.js';
import type { RunningJob } from './running-job.js';

/** What one execution contributes to a commit. */
export interface TurnRecord {
  readonly execution: ActiveExecution;
  readonly sequence: number;
  readonly entries: readonly Entry[];
  /** It is at rest once this commit is durable: tell those who wait, and let it go. */
  readonly atRest: boolean;
}

/**
 * Everything decided between two commits, over all executions: it becomes durable in one commit (group commit), and
 * only then is it told to anyone, and are attempts sent whose dependencies it completed.
 */
export class Turn {
  readonly touched = new Set<ActiveExecution>();
  /** Ops beside the journal: new executions, large outputs, consumed requests. */
  readonly ops: KvOp[] = [];
  /** Attempts that may be sent once this turn is durable. */
  readonly held: RunningJob[] = [];
  /** Large outputs this commit makes readable from the store. */
  readonly savedOutputs: { execution: ActiveExecution; key: string }[] = [];
  /** Called once durable, or with the error of the commit. */
  readonly waiters: { done: () => void; failed: (error: unknown) => void }[] = [];
  /** Done once durable. */
  readonly afterwards: (() => void)[] = [];
  /** Whether an execution ends with it: somebody is likely to wait for that. */
  ends = false;
  /** false: only attempts were started, which may wait for company a moment. */
  urgent = false;

  constructor(readonly number: number) {}
}
