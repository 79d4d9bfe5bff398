import type { KvOp } from '../store/kv.js';
import type { OutputStream } from '../store/step-logs.js';
import type { ExecutionStore } from '../store/types.js';
import type { RunningJob } from './running-job.js';
import { StepOutput } from './step-output.js';
import type { TimerHeap } from './timer-heap.js';
import type { Clock } from '../base/clock.js';

/** How long what a running attempt writes may wait to be stored. */
const STORE_AFTER_MS = 1000;

interface StepLogsOptions {
  readonly store: ExecutionStore;
  readonly clock: Clock;
  readonly timers: TimerHeap;
  /** Most that is kept of one attempt, in characters; 0: nothing. */
  readonly limit: number;
  /** false: what an attempt writes is stored with its outcome only. */
  readonly early: boolean;
  /** Time to store what running attempts have written. */
  readonly due: (ops: readonly KvOp[]) => void;
}

/**
 * What attempts write, on its way to the store: it goes into the commit of the attempt's outcome, and while the
 * attempt runs into one commit a second for all of them. An attempt that writes nothing costs nothing.
 */
export class StepLogs {
  private readonly outputs = new Map<RunningJob, StepOutput>();
  /** Attempts that wrote something that is in no op yet. */
  private readonly unsaved = new Set<RunningJob>();
  private waiting = false;

  constructor(private readonly options: StepLogsOptions) {}

  append(job: RunningJob, stream: OutputStream, text: string, skippedChars: number): void {
    const { limit, clock } = this.options;
    if (limit === 0 || job.execution.released) return;
    const nowMs = clock.nowMs();
    let output = this.outputs.get(job);
    if (output === undefined) this.outputs.set(job, (output = new StepOutput(limit, nowMs)));
    output.append(stream, text, nowMs, skippedChars);
    this.unsaved.add(job);
    if (this.options.early) this.storeSoon(nowMs);
  }

  /** The attempt is over: the op that stores the rest of what it wrote, if there is any. */
  settle(job: RunningJob): KvOp | undefined {
    const op = this.unsaved.delete(job) ? this.op(job) : undefined;
    this.outputs.delete(job);
    return op;
  }

  /** The ops that store what running attempts have written so far. */
  take(): KvOp[] {
    const ops: KvOp[] = [];
    for (const job of this.unsaved) {
      const op = this.op(job);
      if (op !== undefined) ops.push(op);
    }
    this.unsaved.clear();
    return ops;
  }

  private op(job: RunningJob): KvOp | undefined {
    const output = this.outputs.get(job);
    const { execution, node, run, attempt } = job;
    // It may be deleted already: a row would be all that is left of it.
    if (output === undefined || execution.released) return undefined;
    const { beganMs, writtenChars } = output;
    const log = { node, run, attempt, beganMs, writtenChars, entries: output.entries() };
    return this.options.store.putLog(execution.id, log);
  }

  private storeSoon(nowMs: number): void {
    if (this.waiting) return;
    this.waiting = true;
    this.options.timers.add(nowMs + STORE_AFTER_MS, () => {
      this.waiting = false;
      const ops = this.take();
      if (ops.length > 0) this.options.due(ops);
    });
  }
}
