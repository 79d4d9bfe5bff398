import { WORKFLOW, type Entry } from '../engine/entries.js';
import { Histogram, type HistogramSnapshot } from './histogram.js';

/** How an attempt came to its end. A cancelled one has no duration that counts. */
export const ATTEMPT_OUTCOMES = ['completed', 'failed', 'timed_out', 'crashed'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

const NODE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200];
const COMMIT_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const ROWS = [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 20_000];
const BYTES = [2 ** 8, 2 ** 10, 2 ** 12, 2 ** 14, 2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22, 2 ** 24];

/** What has become durable since the runtime was opened: these numbers only grow. */
export interface Totals {
  readonly executions: Readonly<Record<'started' | 'completed' | 'failed' | 'cancelled', number>>;
  readonly nodes: Readonly<Record<NodeTotal, number>>;
  /** Seconds that attempts ran. */
  readonly attemptSeconds: Readonly<Record<AttemptOutcome, HistogramSnapshot>>;
  /** Group commits of what executions did: seconds, rows and bytes (keys and values) of each. */
  readonly commits: {
    readonly failed: number;
    readonly seconds: HistogramSnapshot;
    readonly rows: HistogramSnapshot;
    readonly bytes: HistogramSnapshot;
  };
}

/** attempts: begun; retries: failures after which the node is tried again; recovered: lost with a worker or process. */
type NodeTotal =
  'attempts' | 'retries' | 'recovered' | 'completed' | 'failed' | 'skipped' | 'blocked' | 'cancelled';

/** What a commit is made of, as far as it is measured. */
interface Op {
  readonly key: string;
  readonly value?: Uint8Array;
}

/** Counts what the loop does. On the hot path: a few additions for each entry and each commit, nothing is built. */
export class Meter {
  private readonly executions = { started: 0, completed: 0, failed: 0, cancelled: 0 };
  private readonly nodes: Record<NodeTotal, number> = {
    attempts: 0,
    retries: 0,
    recovered: 0,
    completed: 0,
    failed: 0,
    skipped: 0,
    blocked: 0,
    cancelled: 0,
  };
  private readonly attemptSeconds: Readonly<Record<AttemptOutcome, Histogram>> = {
    completed: new Histogram(NODE_SECONDS),
    failed: new Histogram(NODE_SECONDS),
    timed_out: new Histogram(NODE_SECONDS),
    crashed: new Histogram(NODE_SECONDS),
  };
  private readonly commitSeconds = new Histogram(COMMIT_SECONDS);
  private readonly commitRows = new Histogram(ROWS);
  private readonly commitBytes = new Histogram(BYTES);
  private failedCommits = 0;
  private commitBeganMs: number | null = null;

  /** Entries of an execution became durable. */
  entries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.node === WORKFLOW) this.workflowEntry(entry);
      else this.nodeEntry(entry);
    }
  }

  /** The moment from which a commit is timed, for `committed`. */
  beginCommit(): number {
    return (this.commitBeganMs = performance.now());
  }

  /** How long the commit under way has taken so far; null when there is none. */
  get commitUnderWayMs(): number | null {
    return this.commitBeganMs === null ? null : performance.now() - this.commitBeganMs;
  }

  /** For spans, in milliseconds. */
  nowMs(): number {
    return performance.now();
  }

  /** @returns how long the commit has taken, in milliseconds */
  committed(ops: readonly Op[], beganMs: number): number {
    let bytes = 0;
    this.commitBeganMs = null;
    for (const { key, value } of ops) bytes += key.length + (value === undefined ? 0 : value.length);
    const tookMs = performance.now() - beganMs;
    this.commitSeconds.record(tookMs / 1000);
    this.commitRows.record(ops.length);
    this.commitBytes.record(bytes);
    return tookMs;
  }

  commitFailed(): void {
    this.failedCommits++;
    this.commitBeganMs = null;
  }

  totals(): Totals {
    const { completed, failed, timed_out, crashed } = this.attemptSeconds;
    return {
      executions: { ...this.executions },
      nodes: { ...this.nodes },
      attemptSeconds: {
        completed: completed.snapshot(),
        failed: failed.snapshot(),
        timed_out: timed_out.snapshot(),
        crashed: crashed.snapshot(),
      },
      commits: {
        failed: this.failedCommits,
        seconds: this.commitSeconds.snapshot(),
        rows: this.commitRows.snapshot(),
        bytes: this.commitBytes.snapshot(),
      },
    };
  }

  private nodeEntry({ event }: Entry): void {
    const { nodes } = this;
    switch (event.type) {
      case 'attemptStarted':
        nodes.attempts++;
        return;
      case 'attemptSucceeded':
        nodes.completed++;
        this.attemptSeconds.completed.record(event.durationMs / 1000);
        return;
      case 'iterationEnded':
        this.attemptSeconds.completed.record(event.durationMs / 1000);
        return;
      case 'attemptFailed':
        if (event.retryAtMs === undefined) nodes.failed++;
        else nodes.retries++;
        this.attemptSeconds[outcomeOf(event.error.code)].record(event.durationMs / 1000);
        return;
      case 'timedOut':
        nodes.failed++;
        return;
      case 'recovered':
        nodes.recovered++;
        return;
      case 'conditionNotMet':
        nodes.skipped++;
        return;
      case 'dependencyFailed':
        nodes.blocked++;
        return;
      case 'cancelRequested':
        nodes.cancelled++;
        return;
      default:
    }
  }

  private workflowEntry({ event }: Entry): void {
    const { executions } = this;
    switch (event.type) {
      case 'started':
        executions.started++;
        return;
      case 'allNodesSettled':
        executions.completed++;
        return;
      case 'nodeFailedForGood':
      case 'abandoned':
        executions.failed++;
        return;
      case 'cancelRequested':
        executions.cancelled++;
        return;
      default:
    }
  }
}

function outcomeOf(code: string | undefined): AttemptOutcome {
  if (code === 'STEP_TIMEOUT' || code === 'STEP_HEARTBEAT') return 'timed_out';
  return code === 'WORKER_LOST' ? 'crashed' : 'failed';
}
