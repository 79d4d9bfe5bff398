import { join } from 'node:path';
import { resolveStep } from '../../src/pool/resolve-step.js';
import type {
  FetchKind,
  Job,
  JobOutcome,
  Pool,
  PoolListener,
  StepCall,
  StepRef,
} from '../../src/pool/port.js';
import type { ErrorDocument } from '../../src/base/errors.js';

export const CANCELLED: ErrorDocument = { name: 'MaestroError', message: 'enough', code: 'STEP_CANCELLED' };

const baseDir = join(import.meta.dirname, '../fixtures/steps');

/** A step of the fixtures. */
export function fixtureStep(name: string): StepRef {
  const node = { id: 'n', name: 'n', type: 'phase', uses: `./steps.js#${name}` } as const;
  return resolveStep(node, { baseDir, functions: new Map() });
}

/** Listens to a pool, hands out jobs, and fails a job's promise when it settles twice. */
export class PoolRecorder implements PoolListener {
  readonly outcomes = new Map<number, JobOutcome>();
  readonly twice: number[] = [];
  readonly startedIds: number[] = [];
  readonly heartbeats: number[] = [];
  readonly reports: { jobId: number; fraction: number; message: string | undefined }[] = [];
  readonly texts = { stdout: '', stderr: '' };
  readonly fetches: { jobId: number; kind: FetchKind }[] = [];
  readonly failures: ErrorDocument[] = [];
  answer: (kind: FetchKind) => Promise<string> = async (kind) => JSON.stringify({ kind });
  readonly #waiting = new Map<number, ((outcome: JobOutcome) => void)[]>();
  #onStarted: (() => void)[] = [];
  #lastId = 0;

  constructor(readonly pool: Pool) {
    pool.listen(this);
  }

  job(step: StepRef, call: Partial<StepCall> = {}, exclusive = false): Job {
    const id = ++this.#lastId;
    return { id, step, exclusive, call: { ...callOf(id), ...call } };
  }

  dispatch(jobs: readonly Job[]): Promise<JobOutcome[]> {
    const all = Promise.all(jobs.map(({ id }) => this.settledOf(id)));
    this.pool.dispatch(jobs);
    return all;
  }

  async run(
    step: StepRef,
    config: Record<string, unknown> = {},
    call: Partial<StepCall> = {},
  ): Promise<JobOutcome> {
    const [outcome] = await this.dispatch([this.job(step, { nodeConfig: JSON.stringify(config), ...call })]);
    return outcome;
  }

  settledOf(jobId: number): Promise<JobOutcome> {
    const known = this.outcomes.get(jobId);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      this.#waiting.set(jobId, [...(this.#waiting.get(jobId) ?? []), resolve]);
    });
  }

  /** Dispatches an exclusive job and resolves when it has started. */
  async start(step: StepRef, config: Record<string, unknown> = {}): Promise<Job> {
    const job = this.job(step, { nodeConfig: JSON.stringify(config) }, true);
    const started = new Promise<void>((resolve) => {
      this.#onStarted.push(() => {
        if (this.startedIds.includes(job.id)) resolve();
      });
    });
    this.pool.dispatch([job]);
    await started;
    return job;
  }

  started(jobId: number): void {
    this.startedIds.push(jobId);
    for (const check of this.#onStarted) check();
  }

  settled(jobId: number, outcome: JobOutcome): void {
    if (this.outcomes.has(jobId)) this.twice.push(jobId);
    this.outcomes.set(jobId, outcome);
    for (const resolve of this.#waiting.get(jobId) ?? []) resolve(outcome);
    this.#waiting.delete(jobId);
  }

  heartbeat(jobId: number): void {
    this.heartbeats.push(jobId);
  }

  progress(jobId: number, fraction: number, message: string | undefined): void {
    this.reports.push({ jobId, fraction, message });
  }

  output(_jobId: number, stream: 'stdout' | 'stderr', text: string): void {
    this.texts[stream] += text;
  }

  fetch(jobId: number, kind: FetchKind): Promise<string> {
    this.fetches.push({ jobId, kind });
    return this.answer(kind);
  }

  failed(error: ErrorDocument): void {
    this.failures.push(error);
  }
}

export function callOf(id: number): StepCall {
  return {
    workflowId: 'w',
    executionId: 'e',
    nodeId: `n${id}`,
    nodeName: `node ${id}`,
    attempt: 1,
    run: 0,
    artifactRoot: '',
    nodeConfig: '{}',
    dependencyOutputs: '{}',
    dependencyArtifacts: '{}',
    globalContext: '{}',
    repeat: null,
    index: -1,
    item: null,
  };
}

/** What an outcome comes to, in short: `ok`, or kind and code. */
export function brief(outcome: JobOutcome): string {
  if (outcome.ok) return 'ok';
  return `${outcome.kind} ${outcome.error.code ?? outcome.error.name}`;
}
