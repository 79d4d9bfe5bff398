import type { Machine, Spread } from '../types.js';

/** What a row needs measured that is no case of the harness: plain data, for a process of its own. */
export type Probe =
  | { readonly kind: 'pending-memory'; readonly nodes: number }
  | { readonly kind: 'fill-store'; readonly folder: string; readonly executions: number }
  | { readonly kind: 'use-store'; readonly folder: string }
  | { readonly kind: 'interrupt-many'; readonly folder: string; readonly executions: number }
  | { readonly kind: 'recover-many'; readonly folder: string; readonly executions: number }
  | { readonly kind: 'interrupt-large'; readonly folder: string; readonly nodes: number }
  | { readonly kind: 'recover-large'; readonly folder: string }
  | { readonly kind: 'makespans'; readonly file: string; readonly workers: readonly number[] };

/** Bytes of resident memory for each node. */
export interface PendingMemory {
  /** The definition as it is given: the caller's own objects. */
  readonly definition: number;
  /** What making a workflow of it and starting an execution adds. */
  readonly first: number;
  /** What of that is alive: the rest the process keeps from storing the definition, and uses again. */
  readonly firstAlive: number;
  /** Resident, of five executions and their plan, for each of all their nodes. */
  readonly ofFive: number;
}

/** Medians, in milliseconds. */
export interface StoreUse {
  readonly openMs: number;
  readonly startMs: number;
  readonly listMs: number;
}

/** Seconds that a graph takes with so many workers. */
export interface Makespans {
  readonly workers: number;
  readonly maestro: number;
  readonly fifo: number;
  readonly heft: number;
  /** max(critical path, work / workers): no schedule is shorter. */
  readonly bound: number;
}

/** One thing that was reached or not. */
export interface Check {
  readonly what: string;
  /** Infinity, in JSON null: no end of it was found. */
  readonly reached: number;
  /** What is to be reached, as a number of the same unit. */
  readonly goal: number;
  readonly atLeast: boolean;
  /** Where the goal is a part of what the machine can do: the part, and that. */
  readonly part?: number;
  readonly bound?: { readonly what: string; readonly value: number };
  /** reached ÷ goal. */
  readonly ratio: number;
  readonly pass: boolean;
  /** Of repetitions, where there is more than one. */
  readonly spread?: Spread;
}

export interface RowResult {
  readonly row: string;
  readonly work: string;
  readonly durability: string;
  /** Empty when it was skipped. */
  readonly checks: readonly Check[];
  /** What else is worth knowing. */
  readonly notes: readonly string[];
  readonly skipped?: string;
}

export interface TargetReport {
  readonly format: 'maestro-targets/1';
  readonly date: string;
  readonly machine: Machine;
  /** Sizes were small: to see that the command works, not to judge. */
  readonly quick: boolean;
  readonly repetitions: number;
  /** What the machine did whenever it was measured, by name: per second. */
  readonly yardsticks: Readonly<Record<string, Spread>>;
  readonly rows: readonly RowResult[];
}
