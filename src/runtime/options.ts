import { queueLimits, type QueueLimits } from '../policy/queue.js';
import { join, resolve } from 'node:path';
import { systemClock, type Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { DURABILITIES, EXECUTION_MODES, type Durability, type ExecutionMode } from '../base/model.js';
import { systemRandom, type Random } from '../base/random.js';
import { componentLogger, silentLogger, type Logger } from '../observe/logger.js';
import type { Kv } from '../store/kv.js';
import { systemProcesses, type Processes } from '../store/process-identity.js';
import { retentionRules, type RetentionOptions } from './retention.js';
import type { RuntimeOptions } from './types.js';

export const DEFAULT_STORE = 'lmdb:.maestro';
const DEFAULT_MAX_ACTIVE = 1000;
const DEFAULT_GRACE_MS = 5000;
const INBOX_EVERY_MS = 100;
const SCHEDULES_EVERY_MS = 1000;
const DEFAULT_MAX_LOG_CHARS = 64 * 1024;

/** RuntimeOptions with every default filled in. */
export interface Settings {
  readonly store: string | Kv;
  readonly mode: ExecutionMode;
  readonly durability: Durability;
  readonly concurrency: number;
  readonly queues: ReadonlyMap<string, QueueLimits>;
  readonly maxActiveExecutions: number;
  readonly graceMs: number;
  readonly artifactRoot: string;
  readonly maxLogChars: number;
  readonly events: boolean;
  readonly retries: boolean;
  readonly recover: boolean;
  readonly recoverEveryMs: number | undefined;
  /** How soon a request of another process is seen. */
  readonly inboxEveryMs: number;
  readonly schedules: boolean;
  /** How often schedules are looked at: what is due starts this late at most. */
  readonly schedulesEveryMs: number;
  readonly retention: RetentionOptions | undefined;
  /** As it was given: the components' loggers are children of it. */
  readonly rootLogger: Logger;
  /** The runtime's own. */
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly processes: Processes;
}

/** Checks the options and fills in the defaults. @throws CONFIG_CONFLICT naming the option */
export function settingsOf(options: RuntimeOptions): Settings {
  const store = options.store ?? DEFAULT_STORE;
  const rootLogger = options.logger ?? silentLogger;
  const graceMs = options.pool?.graceMs ?? DEFAULT_GRACE_MS;
  if (!(graceMs >= 0)) throw conflict('pool.graceMs', graceMs, 'a number of milliseconds, 0 or more');
  checkRestart(options.pool?.restart);
  return {
    store,
    mode: oneOf('mode', options.mode ?? 'dag_parallel', EXECUTION_MODES),
    durability: oneOf('durability', options.durability ?? 'sync', DURABILITIES),
    queues: queueLimits(options.queues ?? {}),
    concurrency: count('concurrency', options.concurrency ?? Infinity),
    maxActiveExecutions: count('maxActiveExecutions', options.maxActiveExecutions ?? DEFAULT_MAX_ACTIVE),
    graceMs,
    artifactRoot: resolve(options.artifactRoot ?? defaultArtifactRoot(store)),
    maxLogChars: wholeFromZero('maxLogChars', options.maxLogChars ?? DEFAULT_MAX_LOG_CHARS),
    events: options.events ?? true,
    retries: options.retries ?? true,
    recover: options.recover ?? true,
    recoverEveryMs: options.recoverEveryMs && count('recoverEveryMs', options.recoverEveryMs),
    inboxEveryMs: INBOX_EVERY_MS,
    schedules: options.schedules ?? false,
    schedulesEveryMs: SCHEDULES_EVERY_MS,
    retention: options.retention && checkedRetention(options.retention),
    rootLogger,
    logger: componentLogger(rootLogger, 'runtime'),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    processes: systemProcesses,
  };
}

function checkRestart(restart: NonNullable<RuntimeOptions['pool']>['restart']): void {
  if (restart === undefined) return;
  const { maxRestarts, withinMs } = restart;
  if (!(maxRestarts === Infinity || (Number.isInteger(maxRestarts) && maxRestarts >= 0)))
    throw conflict('pool.restart.maxRestarts', maxRestarts, 'a whole number, 0 or more');
  if (!(withinMs > 0)) throw conflict('pool.restart.withinMs', withinMs, 'a number of milliseconds above 0');
}

function checkedRetention(retention: RetentionOptions): RetentionOptions {
  retentionRules(retention);
  const { everyMs = 1 } = retention;
  if (!(everyMs >= 1)) throw conflict('retention.everyMs', everyMs, 'a number of milliseconds, 1 or more');
  return retention;
}

function defaultArtifactRoot(store: string | Kv): string {
  const path = typeof store !== 'string' || store === 'memory:' ? '.maestro' : store.replace(/^lmdb:/, '');
  return join(path, 'artifacts');
}

function count(name: string, value: number): number {
  if (value === Infinity || (Number.isInteger(value) && value >= 1)) return value;
  throw conflict(name, value, 'a whole number, 1 or more');
}

function wholeFromZero(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw conflict(name, value, 'a whole number, 0 or more');
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw conflict(name, value, `one of ${allowed.join(', ')}`);
}

function conflict(name: string, value: unknown, expected: string): MaestroError {
  return new MaestroError(
    'CONFIG_CONFLICT',
    `option ${name} is ${JSON.stringify(value) ?? 'missing'}; it must be ${expected}`,
  );
}
