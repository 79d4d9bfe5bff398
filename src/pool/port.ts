import { join } from 'node:path';
import { executionFolder, safeFolder } from '../base/safe-folder.js';
import type { ErrorDocument } from '../base/errors.js';
import type { StepFunction } from '../base/step.js';
import type { WorkersStatus } from '../base/workers.js';

/** What a job executes. `key` is the same for all jobs of one step: durations are learned per key. */
export type StepRef =
  | { readonly kind: 'inline'; readonly key: string; readonly fn: StepFunction }
  /** On a worker thread. */
  | { readonly kind: 'module'; readonly key: string; readonly url: string; readonly exportName: string }
  /** In a child process of ours. */
  | {
      readonly kind: 'process';
      readonly key: string;
      readonly url: string;
      readonly exportName: string;
      /** Most that V8's old generation may hold, in MiB. Default: V8's. */
      readonly maxHeapMb?: number;
    }
  | {
      readonly kind: 'command';
      readonly key: string;
      readonly command: string;
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    };

/** Steps of one kind share workers, so they share room in the pool and wait in one line. */
export const STEP_KINDS = ['inline', 'module', 'process', 'command'] as const satisfies StepRef['kind'][];
export type StepKind = StepRef['kind'];

/** The plain-data part of a step's context. JSON texts are opaque to the host: only the step parses them. */
export interface StepCall {
  readonly workflowId: string;
  readonly executionId: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly attempt: number;
  /** Which run of its node it is: what starts over begins a new one. */
  readonly run: number;
  /** The folder of all artifacts; empty: steps have none. */
  readonly artifactRoot: string;
  /** JSON text of an object. */
  readonly nodeConfig: string;
  /** JSON text of {id: output}. */
  readonly dependencyOutputs: string;
  /** JSON text of {id: paths[]}. */
  readonly dependencyArtifacts: string;
  /** JSON text of an object, or null when it is large: then the worker fetches `globalContext` once. */
  readonly globalContext: string | null;
  /** null: the node does not repeat. */
  readonly repeat: RepeatCall | null;
  /** Number of the item of a map that it is about; -1: of none. */
  readonly index: number;
  /** JSON text of that item; null: there is none. */
  readonly item: string | null;
}

/** The same for all attempts of one run of a node, whatever crashes. */
export function idempotencyKeyOf({ executionId, nodeId, run }: StepCall): string {
  return `${executionId}/${nodeId}/${run}`;
}

/** The folder of a node's artifacts; empty: it has none. */
export function artifactDirOf({ artifactRoot, workflowId, executionId, nodeId }: StepCall): string {
  return artifactRoot === ''
    ? ''
    : join(executionFolder(artifactRoot, workflowId, executionId), safeFolder(nodeId));
}

/** Where a node that repeats is in its loop. */
export interface RepeatCall {
  /** Counts from 1. */
  readonly iteration: number;
  /** JSON text of what the iteration before gave; null in the first one. */
  readonly previousOutput: string;
}

/** One attempt of one node. `id` is unique in the runtime's life. */
export interface Job {
  readonly id: number;
  readonly step: StepRef;
  readonly call: StepCall;
  /** The job has a deadline or heartbeats: it must not share a message with others. */
  readonly exclusive: boolean;
}

export type JobOutcome =
  | {
      readonly ok: true;
      readonly output: string;
      readonly artifacts: readonly string[];
      readonly durationMs: number;
    }
  | { readonly ok: false; readonly kind: 'error'; readonly error: ErrorDocument; readonly durationMs: number }
  /** Its worker died or was ended while this very job ran in it. */
  | {
      readonly ok: false;
      readonly kind: 'crashed';
      readonly error: ErrorDocument;
      readonly durationMs: number;
    }
  /** Its worker died before or beside it: the job may be dispatched again, uncharged. */
  | { readonly ok: false; readonly kind: 'lost'; readonly error: ErrorDocument };

export type FetchKind = 'allOutputs' | 'allArtifacts' | 'globalContext';

export type OutputStream = 'stdout' | 'stderr';

/** How a pool answers. Calls are never synchronous with `dispatch`. */
export interface PoolListener {
  /** The attempt is really executing now. Sent for exclusive jobs only. */
  started(jobId: number): void;
  /** Exactly once per dispatched job, unless the pool is closed first. */
  settled(jobId: number, outcome: JobOutcome): void;
  heartbeat(jobId: number): void;
  progress(jobId: number, fraction: number, message: string | undefined): void;
  /**
   * What a command, or a module's step, writes, before its job settles. Functions in this thread are not heard.
   * @param skippedChars written before this text, and too much to be passed on
   */
  output(jobId: number, stream: OutputStream, text: string, skippedChars: number): void;
  /** Answers a step's on-demand question with JSON text. */
  fetch(jobId: number, kind: FetchKind): Promise<string>;
  /** The pool can no longer run anything (too many deaths in the window): a clear error for all. */
  failed(error: ErrorDocument): void;
}

/** Runs jobs somewhere: in this thread, on worker threads, in child processes, as commands. */
export interface Pool {
  /** Sets who is told. Called once, before the first dispatch. */
  listen(listener: PoolListener): void;
  /** Takes the jobs; each will settle. Order within a message is kept. */
  dispatch(jobs: readonly Job[]): void;
  /**
   * Told what is likely to be dispatched next, in this order, as soon as a commit is durable. The pool may make it ready as
   * far as no step of it begins; that it will ever be dispatched is not promised.
   */
  stage?(jobs: readonly Job[]): void;
  /**
   * Starts the ladder for a job: AbortSignal → grace → terminate. A job not begun yet is dropped.
   * It settles in any case: with `reason` as its error (code STEP_CANCELLED when it has none), unless it finished
   * first. Called again, the first reason stays and the grace period starts anew.
   */
  cancel(jobId: number, reason: ErrorDocument, graceMs: number): void;
  /**
   * How many more jobs of this step the pool would take now without making them wait needlessly:
   * about a few milliseconds of work ahead per worker when the duration is known, one job otherwise.
   */
  room(step: StepRef): number;
  /** Jobs dispatched and not settled. */
  readonly busy: number;
  /** In how many milliseconds, at most, the results of all short jobs of known duration should be here; 0: none is out. */
  readonly dueMs?: number;
  /** For how many milliseconds, at least, each worker has work in hand. */
  readonly aheadMs?: number;
  /** How its workers are, by kind. */
  status(): readonly WorkersStatus[];
  /** Ends all workers. Jobs still running are cancelled through the ladder; none settles afterwards. */
  close(graceMs: number): Promise<void>;
}
