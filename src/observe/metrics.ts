import type { WorkflowStatus } from '../base/model.js';
import type { WorkersStatus } from '../base/workers.js';
import type { Totals } from './meter.js';

/** What a runtime has done since it was opened, and how it is. Plain data. */
export interface RuntimeMetrics extends Totals {
  /**
   * Stored executions by status, of all processes on the store: a second old at most, or fifty times as old as counting
   * them takes. null when the store cannot be read.
   */
  readonly stored: Readonly<Record<WorkflowStatus, number>> | null;
  readonly now: {
    /** Executions in memory. */
    readonly activeExecutions: number;
    /** Executions of this runtime that wait in the store for a place in memory. */
    readonly waitingExecutions: number;
    /** Nodes that could start and wait for a worker, of executions in memory. */
    readonly readyNodes: number;
    /** How long the commit under way has taken so far, in milliseconds; null when there is none. */
    readonly commitUnderWayMs: number | null;
  };
  readonly workers: readonly WorkersStatus[];
  /** Queues that were configured, or that nodes were in. */
  readonly queues: readonly QueueNumbers[];
  /** The store's file and how much of it holds data; null for a store without a file. */
  readonly storeSpace: { readonly fileBytes: number; readonly usedBytes: number } | null;
}

export interface QueueNumbers {
  readonly queue: string;
  /** Slots; Infinity: no limit. */
  readonly size: number;
  /** Starts within a time, like `10/s`; null: no limit. */
  readonly rate: string | null;
  /** Who says so: `store`: it was set for all processes; `process`: this one was started so; `default`: nobody. */
  readonly from: 'store' | 'process' | 'default';
  /** Slots of attempts under way. */
  readonly used: number;
  /** Nodes that could start and wait for it. */
  readonly waiting: number;
}
