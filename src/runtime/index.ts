/** The public API of maestro-dag. Importing it starts nothing. */
export { createRuntime } from './create-runtime.js';
export {
  createDualModeEngine,
  type DualModeEngine,
  type DualModeOptions,
  type DualModeResult,
} from './dual-mode.js';
export type * from './types.js';
export { openArtifact, readArtifact } from './artifacts.js';
export {
  ENDED_STATUSES,
  MANY_EXECUTIONS,
  type EndedStatus,
  type RetentionOptions,
  type RetentionPolicy,
  type RetentionRule,
} from './retention.js';
export { ERROR_CODES, type ErrorCode } from '../base/error-codes.js';
export {
  isMaestroError,
  MaestroError,
  toErrorDocument,
  type ErrorDocument,
  type Problem,
} from '../base/errors.js';
export { systemClock, type Clock } from '../base/clock.js';
export { seededRandom, systemRandom, type Random } from '../base/random.js';
export { isValidId } from '../base/ids.js';
export {
  DURABILITIES,
  EXECUTION_MODES,
  FAILURE_MODES,
  isWorkflowStatusEnded,
  NODE_STATUSES,
  WORKFLOW_STATUSES,
  type Durability,
  type ExecutionMode,
  type FailureMode,
  type NodeStatus,
  type RetryPolicy,
  type WorkflowStatus,
} from '../base/model.js';
export type { StepContext, StepFunction } from '../base/step.js';
export * from '../graph/index.js';
export * from '../spec/index.js';
export {
  EVENT_TYPES,
  type EventType,
  type ExecutionEvent,
  type NodeStateDocument,
} from '../observe/events.js';
export type { RuntimeMetrics } from '../observe/metrics.js';
export { ATTEMPT_OUTCOMES, type AttemptOutcome, type Totals } from '../observe/meter.js';
export type { HistogramSnapshot } from '../observe/histogram.js';
export { metricsText, registerMetrics, type MetricsRegistry } from '../observe/prometheus.js';
export type { WorkersStatus } from '../base/workers.js';
export {
  FLAGS,
  flagsDocument,
  readFlags,
  settingsFromFlags,
  type FlagChoices,
  type Flags,
  type FlagSettings,
} from '../policy/flags.js';
export type { QueueOption } from '../policy/queue.js';
export type { QueueNumbers } from '../observe/metrics.js';
export { normalizeRetryPolicy } from '../policy/retry.js';
export type { Kv, KvEntry, KvGuard, KvOp, KvRange } from '../store/kv.js';
export type { ExecutionRecord, ListFilter, ListPage, NodeCounts } from '../store/types.js';
export { openKv } from '../store/open.js';
export type { ObservedNode, ObservedWorkflow } from '../engine/actors.js';
export {
  backupStore,
  COLLISIONS,
  compactStore,
  diffExecutions,
  diffStores,
  exportSnapshot,
  exportToFile,
  importSnapshot,
  restoreStore,
  SNAPSHOT_VERSION,
  storeStatistics,
  verifySnapshot,
  verifyStore,
  type BackupReport,
  type Collision,
  type CompactReport,
  type Damage,
  type ExecutionDifference,
  type NodeView,
  type StoreDifference,
  type ImportOptions,
  type ImportReport,
  type RestoreReport,
  type SnapshotOptions,
  type SnapshotSource,
  type StoreStatistics,
  type VerifyReport,
} from '../snapshot/index.js';
export { COMPONENTS as LOG_COMPONENTS, componentLogger, type Logger } from '../observe/logger.js';
