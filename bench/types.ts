import type { Durability } from '../src/runtime/index.js';

export const SHAPES = [
  'chain',
  'fan',
  'map',
  'many',
  'layered',
  'tree',
  'butterfly',
  'stencil',
  'random',
  'file',
] as const;
export type Shape = (typeof SHAPES)[number];

/** Where steps run. */
export const POOLS = ['threads', 'inline', 'process'] as const;
export type PoolKind = (typeof POOLS)[number];

/** What a step does: nothing, keep its core busy, or wait. */
export type StepBody =
  | { readonly kind: 'noop' }
  | { readonly kind: 'spin'; readonly microseconds: number }
  | { readonly kind: 'sleep'; readonly milliseconds: number };

/** Of all steps of a case. `mixed`: a tenth of them, shuffled, keeps its core busy for 20 ms, the others for 50 µs. */
export type Body = StepBody | { readonly kind: 'mixed' };

/** One thing to measure. Plain data: it crosses to the process that measures it. */
export interface BenchCase {
  readonly shape: Shape;
  /** Nodes over all executions; shapes with a regular form come as close as they can. */
  readonly nodes: number;
  /** Nodes side by side in layered, butterfly and stencil. Default: about the square root of the nodes. */
  readonly width?: number;
  /** Dependencies of a node in layered and random, children of one in tree. */
  readonly degree?: number;
  readonly seed: number;
  /** The workflow file of shape `file`, absolute. */
  readonly file?: string;
  readonly body: Body;
  /** Bytes of the output of each step. */
  readonly payloadBytes: number;
  readonly durability: Durability;
  readonly store: 'lmdb' | 'memory';
  readonly pool: PoolKind;
  /** Threads, processes, or inline functions at once. */
  readonly workers: number;
  /** Each run has a definition of its own, which is checked and stored in the time that counts. */
  readonly fresh?: boolean;
}

/** Dependencies of each node by number, and how many executions of it run at once. */
export interface BenchGraph {
  readonly executions: number;
  readonly dependencies: readonly (readonly number[])[];
}

export interface Spread {
  readonly best: number;
  readonly median: number;
  readonly worst: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** What one process measured of a case, once. */
/** The mean of the times that it was run. */
export interface Measurement {
  readonly rounds: number;
  readonly seconds: number;
  readonly nodes: number;
  readonly executions: number;
  /** Group commits while it was measured. */
  readonly commits: number;
  /** Keys and values written. */
  readonly bytes: number;
  /** Most resident memory of the process, with the mapped store. */
  readonly peakRssBytes: number;
}

export interface CaseResult {
  readonly name: string;
  readonly case: BenchCase;
  readonly nodes: number;
  readonly executions: number;
  readonly nodes_per_second: Spread;
  readonly executions_per_second: number;
  /** From what makes a node ready being durable to its own end being durable, as an observer is told. */
  readonly latency_ms: Percentiles | null;
  readonly commits: number;
  readonly fsyncs: Fsyncs;
  readonly bytes_per_node: number;
  readonly peak_rss_mib: number;
  /** The part of the cores' time that was work of the steps; null when they do none. */
  readonly efficiency: number | null;
  /** The same graph over plain promises in one thread, nothing durable. */
  readonly promises_per_second: number;
}

/** How often data was forced to disk while a case ran: a run of its own, because tracing costs time. */
export interface Fsyncs {
  /** `strace`: as the kernel was asked to. `commits`: of a run without it, as if each commit were one synchronous write. */
  readonly counted_by: 'strace' | 'commits';
  readonly per_execution: number;
  /** Calls of fdatasync and its like, and synchronous writes. */
  readonly per_commit: number;
  /** Of those, writes that return when they are on disk: of progress to a log, and of LMDB's root page after an fdatasync. */
  readonly synchronous_writes_per_commit: number;
}

/** What the machine can do at all, measured in the same run. */
export interface Yardsticks {
  /** Steps that do nothing on Piscina, a message each, unbatched. */
  readonly piscina_per_second: Spread;
  /** Writes of 4 KiB to a file, each followed by fdatasync. */
  readonly fdatasync_per_second: Spread;
  /** Rows of 100 bytes put into LMDB, a thousand to a commit, `sync`. */
  readonly lmdb_puts_per_second: Spread;
}

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Load of the last minute before and after. */
  readonly load: readonly [number, number];
}

export interface BenchReport {
  readonly format: 'maestro-bench/1';
  readonly date: string;
  readonly machine: Machine;
  readonly repetitions: number;
  /** Nothing was warmed. */
  readonly cold?: true;
  readonly yardsticks: Yardsticks;
  readonly results: readonly CaseResult[];
}

/** A request to the process that measures. `cold`: nothing is warmed, and everything is done once. */
export type Job = { readonly cold?: boolean } & Measure;

type Measure =
  /** `marks`: a folder where the beginning and the end are marked for who traces it. */
  | { readonly kind: 'case'; readonly case: BenchCase; readonly marks?: string }
  | { readonly kind: 'latency'; readonly case: BenchCase }
  | { readonly kind: 'promises' | 'bare'; readonly case: BenchCase }
  | { readonly kind: 'piscina' | 'piscina-batched'; readonly workers: number }
  | { readonly kind: 'piscina-in-turn' }
  | { readonly kind: 'fdatasync' | 'write-through' | 'lmdb' };
