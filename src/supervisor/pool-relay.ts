import type { Clock } from '../base/clock.js';
import { MaestroError, type ErrorDocument } from '../base/errors.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { FetchKind, JobOutcome, OutputStream, PoolListener } from '../pool/index.js';
import type { ArtifactFile } from '../store/artifact-rows.js';
import type { ArtifactReader } from './artifacts.js';
import type { Jobs } from './jobs.js';
import type { StepLogs } from './step-logs.js';

/** What a step wrote, as it writes it. */
export interface Printed {
  readonly workflow_id: string;
  readonly execution_id: string;
  readonly node_id: string;
  readonly attempt: number;
  readonly stream: OutputStream;
  readonly text: string;
}

interface RelayTargets {
  readonly jobs: Jobs;
  readonly clock: Clock;
  /** An outcome for the loop, which decides: nothing is acted upon in place. */
  readonly settled: (jobId: number, outcome: JobOutcome, files?: readonly ArtifactFile[]) => void;
  readonly artifacts: ArtifactReader;
  readonly emit: (event: ExecutionEvent) => void;
  readonly logs: StepLogs;
  readonly printed: ((output: Printed) => void) | null;
  readonly failed: (error: MaestroError) => void;
}

/** Hears the pool: outcomes go to the loop, signs of life to the deadlines, live reports to those who listen. */
export class PoolRelay implements PoolListener {
  constructor(private readonly to: RelayTargets) {}

  settled(jobId: number, outcome: JobOutcome): void {
    if (!outcome.ok || outcome.artifacts.length === 0) return this.to.settled(jobId, outcome);
    const job = this.to.jobs.get(jobId);
    if (job === undefined) return;
    const { durationMs } = outcome;
    void this.to.artifacts.read(job, outcome).then((found) => {
      if ('files' in found) this.to.settled(jobId, outcome, found.files);
      else this.to.settled(jobId, { ok: false, kind: 'error', error: found.error, durationMs });
    });
  }

  started(jobId: number): void {
    this.to.jobs.started(jobId);
  }

  heartbeat(jobId: number): void {
    this.to.jobs.heartbeat(jobId);
  }

  progress(jobId: number, fraction: number, message: string | undefined): void {
    this.to.jobs.heartbeat(jobId);
    const job = this.to.jobs.get(jobId);
    if (job === undefined) return;
    const event = job.execution.deriver?.progress(job.node, this.to.clock.nowMs(), fraction, message);
    if (event !== undefined) this.to.emit(event);
  }

  output(jobId: number, stream: OutputStream, text: string, skippedChars: number): void {
    const job = this.to.jobs.get(jobId);
    if (job === undefined) return;
    const { execution, node, attempt } = job;
    this.to.logs.append(job, stream, text, skippedChars);
    this.to.printed?.({
      workflow_id: execution.record.workflowId,
      execution_id: execution.id,
      node_id: execution.definition.plan.ids[node],
      attempt,
      stream,
      text,
    });
  }

  fetch(jobId: number, kind: FetchKind): Promise<string> {
    return this.to.jobs.fetch(jobId, kind);
  }

  failed(error: ErrorDocument): void {
    this.to.failed(new MaestroError('POOL_STOPPED', error.message, { details: { ...error } }));
  }
}
