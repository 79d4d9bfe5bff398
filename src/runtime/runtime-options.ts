import type { Clock } from '../base/clock.js';
import type { Durability, ExecutionMode } from '../base/model.js';
import type { Random } from '../base/random.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Logger } from '../observe/logger.js';
import type { QueueOption } from '../policy/queue.js';
import type { Workflow } from '../spec/types.js';
import type { Kv } from '../store/kv.js';
import type { RetentionOptions } from './retention.js';

/** Options of createRuntime. Everything has a default. */
export interface RuntimeOptions {
  /** `lmdb:PATH`, `memory:` or a store of one's own. Default: `lmdb:.maestro` in the working directory. */
  store?: string | Kv;
  /** Default dag_parallel. */
  mode?: ExecutionMode;
  /** Default sync. */
  durability?: Durability;
  /** Node attempts that may run at once, over all executions. Default: as many as the pool takes. */
  concurrency?: number;
  /** Queues by name: how many slots each has, over all executions, and how often a node may start. */
  queues?: Readonly<Record<string, QueueOption>>;
  /**
   * Executions held in memory at once; further ones wait in the store. Those that only wait (for reviews, signals or
   * moments) stay in memory and are not counted. Default 1,000.
   */
  maxActiveExecutions?: number;
  pool?: PoolOptions;
  /** A pino-compatible logger; silent by default. */
  logger?: Logger;
  /** Told every event of every execution, after it is durable. What it throws is logged, never felt. */
  onEvent?: (event: ExecutionEvent) => void;
  /**
   * Most that is stored of what one attempt of a step writes to stdout and stderr, in characters: its first half and
   * its last are kept. 0: nothing is. Default 65,536.
   */
  maxLogChars?: number;
  /** false: nobody is told events (MAESTRO_ENABLE_EXECUTION_EVENTS). Default true. */
  events?: boolean;
  /** false: every node has one attempt (MAESTRO_ENABLE_RETRY_LOGIC). Default true in the library. */
  retries?: boolean;
  /** Resume executions whose owner is dead when the store is opened. Default true. */
  recover?: boolean;
  /**
   * Time between further looks for such executions, in milliseconds: of services on one store each takes over what
   * another has left. Default: none after the opening.
   */
  recoverEveryMs?: number;
  /** Workflows with inline functions that recovered executions may need. */
  workflows?: readonly Workflow[];
  /** Folder that artifact folders are created under. Default `artifacts` inside the store's folder. */
  artifactRoot?: string;
  /** Starts what the store's schedules say is due: see `runtime.schedules`. Default false. */
  schedules?: boolean;
  /** Deletes ended executions in the background by age and number. Default: everything is kept. */
  retention?: RetentionOptions;
  clock?: Clock;
  random?: Random;
}

export interface PoolOptions {
  /** Worker threads. Default: the machine's available parallelism. */
  threads?: number;
  /** Child processes for steps with `isolation: process` at once. Default: the machine's available parallelism. */
  processes?: number;
  /** Child processes for `run:` at once. Default: the machine's available parallelism. */
  commands?: number;
  /** Inline functions at once. Default 100. */
  inline?: number;
  /** Time between AbortSignal and termination. Default 5,000. */
  graceMs?: number;
  /** Largest output of one node, in bytes of JSON. Default 32 MiB. */
  maxOutputBytes?: number;
  /** Whether what steps of modules print also goes to this process's stderr. Default true. */
  echo?: boolean;
  /**
   * Deaths that are tolerated in each class of workers (threads, processes, commands); one more within this time stops
   * the runtime with POOL_STOPPED, and its executions can be resumed. Default 100 within 60,000 ms.
   */
  restart?: { maxRestarts: number; withinMs: number };
}
