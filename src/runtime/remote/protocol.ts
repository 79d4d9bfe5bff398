import { MaestroError, toErrorDocument, type ErrorDocument, type Problem } from '../../base/errors.js';
import { ERROR_CODES, type ErrorCode } from '../../base/error-codes.js';
import type { WorkflowStatus } from '../../base/model.js';
import type { ExecutionEvent } from '../../observe/events.js';
import type { RuntimeMetrics } from '../../observe/metrics.js';
import type { WorkflowSpec } from '../../spec/index.js';
import type { ListFilter, ListPage } from '../../store/types.js';
import type {
  ArtifactDocument,
  ArtifactFilter,
  CacheDocument,
  CancelOptions,
  ClearCacheOptions,
  CloseOptions,
  CollectOptions,
  CollectReport,
  DeleteOptions,
  ExecutionDocument,
  ExecutionResult,
  ListSchedulesOptions,
  LogFilter,
  LogPage,
  MarkStaleOptions,
  MigrateOptions,
  MigrationDocument,
  QueueDocument,
  QueueLimit,
  ReplayDocument,
  ForkOptions,
  RerunOptions,
  ReviewFilter,
  ReviewInput,
  ReviewPage,
  ScheduleDocument,
  RuntimeOptions,
  SignalOptions,
  StartOptions,
} from '../types.js';

/** Options that can cross to another thread: no functions, no objects of one's own. */
export type RemoteRuntimeOptions = Pick<
  RuntimeOptions,
  | 'mode'
  | 'durability'
  | 'concurrency'
  | 'queues'
  | 'maxActiveExecutions'
  | 'pool'
  | 'events'
  | 'maxLogChars'
  | 'retries'
  | 'recover'
  | 'artifactRoot'
  | 'retention'
  | 'recoverEveryMs'
  | 'schedules'
> & { store?: string };

/** A workflow as it crosses: the document and its folder. Inline functions cannot cross. */
export interface RemoteWorkflow {
  readonly spec: WorkflowSpec;
  readonly baseDir: string;
}

export interface RemoteStarted {
  readonly id: string;
  readonly workflowId: string;
}

/** comlink carries of an error only name, message and stack: outcomes cross as data, and are thrown on this side. */
export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CarriedError };

export interface CarriedError {
  readonly document: ErrorDocument;
  readonly next?: string;
  readonly problems?: readonly Problem[];
}

/** Which events: those of a handle, of a stored execution, or of a watched workflow. */
export type RemoteEvents =
  | { readonly of: 'handle'; readonly executionId: string }
  | {
      readonly of: 'execution';
      readonly executionId: string;
      readonly after?: string;
      readonly follow?: boolean;
    }
  | { readonly of: 'workflow'; readonly workflowId: string };

export type RemoteRerunOptions = Pick<RerunOptions, 'cascade'>;
export type RemoteForkOptions = Omit<ForkOptions, 'workflow'>;

/** What the runtime's thread offers. Every method answers with an outcome and never throws. */
export interface RemoteHost {
  open(
    options: RemoteRuntimeOptions,
  ): Promise<Outcome<readonly { executionId: string; error?: ErrorDocument }[]>>;
  start(
    workflow: RemoteWorkflow,
    context: Record<string, unknown>,
    options: StartOptions,
  ): Promise<Outcome<RemoteStarted>>;
  resume(executionId: string): Promise<Outcome<RemoteStarted>>;
  retry(executionId: string): Promise<Outcome<RemoteStarted>>;
  rerun(
    executionId: string,
    nodeId: string,
    options: RemoteRerunOptions,
  ): Promise<Outcome<RemoteStarted | undefined>>;
  fork(executionId: string, options: RemoteForkOptions): Promise<Outcome<RemoteStarted>>;
  migrate(
    executionId: string,
    workflow: RemoteWorkflow,
    options?: MigrateOptions,
  ): Promise<Outcome<MigrationDocument>>;
  result(executionId: string): Promise<Outcome<ExecutionResult>>;
  pause(executionId: string): Promise<Outcome<void>>;
  cancel(executionId: string, reason?: string, options?: CancelOptions): Promise<Outcome<void>>;
  signal(executionId: string, name: string, payload: unknown, options: SignalOptions): Promise<Outcome<void>>;
  review(executionId: string, nodeId: string, review: ReviewInput): Promise<Outcome<void>>;
  reviews(filter?: ReviewFilter): Promise<Outcome<ReviewPage>>;
  addSchedule(workflow: RemoteWorkflow, options?: ListSchedulesOptions): Promise<Outcome<ScheduleDocument>>;
  listSchedules(options?: ListSchedulesOptions): Promise<Outcome<ScheduleDocument[]>>;
  pauseSchedule(workflowId: string): Promise<Outcome<ScheduleDocument>>;
  resumeSchedule(workflowId: string): Promise<Outcome<ScheduleDocument>>;
  cacheStat(): Promise<Outcome<CacheDocument>>;
  listQueues(): Promise<Outcome<QueueDocument[]>>;
  setQueue(queue: string, limit: Partial<QueueLimit>): Promise<Outcome<QueueDocument>>;
  unsetQueue(queue: string): Promise<Outcome<boolean>>;
  clearCache(options?: ClearCacheOptions): Promise<Outcome<number>>;
  removeSchedule(workflowId: string): Promise<Outcome<boolean>>;
  get(
    executionId: string,
    options?: { items?: readonly string[] },
  ): Promise<Outcome<ExecutionDocument | undefined>>;
  definition(executionId: string): Promise<Outcome<WorkflowSpec | undefined>>;
  recover(): Promise<Outcome<readonly { executionId: string; error?: ErrorDocument }[]>>;
  replay(executionId: string, at?: number | Date): Promise<Outcome<ReplayDocument>>;
  list(filter?: ListFilter): Promise<Outcome<ListPage>>;
  logs(executionId: string, filter?: LogFilter): Promise<Outcome<LogPage>>;
  artifacts(executionId: string, filter?: ArtifactFilter): Promise<Outcome<ArtifactDocument[]>>;
  metrics(): Promise<Outcome<RuntimeMetrics>>;
  counts(): Promise<Outcome<Record<WorkflowStatus, number>>>;
  delete(executionId: string, options?: DeleteOptions): Promise<Outcome<boolean>>;
  collect(options: CollectOptions): Promise<Outcome<CollectReport>>;
  markStale(options: MarkStaleOptions): Promise<Outcome<readonly string[]>>;
  /** Opens a cursor over events. */
  openEvents(source: RemoteEvents): Promise<Outcome<number>>;
  /** The next events of a cursor; an empty list when there are no more. */
  nextEvents(cursor: number): Promise<Outcome<ExecutionEvent[]>>;
  closeEvents(cursor: number): Promise<Outcome<void>>;
  close(options: CloseOptions): Promise<Outcome<void>>;
}

export function carry(error: unknown): CarriedError {
  const document = toErrorDocument(error);
  if (!(error instanceof MaestroError)) return { document };
  return { document, next: error.next, problems: error.problems };
}

/** The error of the other side, as this side throws it. */
export function uncarry({ document, next, problems }: CarriedError): MaestroError {
  const known = document.code !== undefined && Object.hasOwn(ERROR_CODES, document.code);
  const code: ErrorCode = known ? (document.code as ErrorCode) : 'INVARIANT';
  return new MaestroError(code, document.message, { next, problems, details: document.details });
}
