import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { inChild } from './child.js';
import { canTrace, traced } from './fsyncs.js';
import { isBusy, meanSeconds } from './bodies.js';
import type {
  BenchCase,
  BenchReport,
  CaseResult,
  Fsyncs,
  Job,
  Machine,
  Measurement,
  Percentiles,
  Spread,
  Yardsticks,
} from './types.js';
import { benchGraph } from './workloads.js';

export interface HarnessOptions {
  /** How often each thing is measured. Default 3. */
  readonly repetitions?: number;
  /** Nothing is warmed, and everything is done once: what a process does that has just started. Default false. */
  readonly cold?: boolean;
  /** Whether latencies are measured too: once more for each case. Default true. */
  readonly latency?: boolean;
  /** Whether fsyncs are counted by strace where it is installed: once more for each case. Default true. */
  readonly trace?: boolean;
  /** Told what is about to be measured. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Ends it: what was measured until then is reported. */
  readonly signal?: AbortSignal;
}

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

/**
 * Measures cases and yardsticks one after the other, each in a process of its own. The machine should be idle.
 * @throws BENCH_FAILED when a measuring process fails, and what a graph cannot be made of
 */
export async function runBenchmarks(
  cases: readonly BenchCase[],
  options: HarnessOptions = {},
): Promise<BenchReport> {
  const { repetitions = 3, cold = false, latency = true, onProgress, signal } = options;
  const trace = options.trace !== false && canTrace();
  // What cannot be measured is told before anything is.
  for (const each of cases) await benchGraph(each);
  const loadBefore = oneMinuteLoad();
  const date = new Date().toISOString();
  const isTraced = ({ store }: BenchCase): boolean => trace && store !== 'memory';
  const ofCase = repetitions + 1 + Number(latency);
  const total = 3 * repetitions + cases.length * ofCase + cases.filter(isTraced).length;
  let done = 0;
  const measured = async <T>(job: Job, what: string): Promise<T> => {
    onProgress?.(done++, total, what);
    return measureInChild<T>({ ...job, cold }, { signal });
  };
  const repeated = async <T>(job: Job, what: string): Promise<T[]> => {
    const found: T[] = [];
    for (let k = 0; k < repetitions; k++) found.push(await measured<T>(job, what));
    return found;
  };
  const workers = Math.max(1, ...cases.map((each) => each.workers));
  const yardsticks: Yardsticks = {
    piscina_per_second: spreadOf(await repeated<number>({ kind: 'piscina', workers }, 'Piscina')),
    fdatasync_per_second: spreadOf(await repeated<number>({ kind: 'fdatasync' }, 'fdatasync')),
    lmdb_puts_per_second: spreadOf(await repeated<number>({ kind: 'lmdb' }, 'LMDB')),
  };
  const results: CaseResult[] = [];
  for (const each of cases) {
    const name = nameOf(each);
    try {
      signal?.throwIfAborted();
      const runs = await repeated<Measurement>({ kind: 'case', case: each }, name);
      const waits = latency ? await measured<Percentiles>({ kind: 'latency', case: each }, name) : null;
      if (isTraced(each)) onProgress?.(done++, total, `${name}, under strace`);
      const fsyncs = isTraced(each)
        ? await countedByStrace(each, cold, signal)
        : countedByCommits(runs[0], each);
      const promises = await measured<number>({ kind: 'promises', case: each }, name);
      results.push(resultOf(each, runs, { latency_ms: waits, fsyncs, promises }));
    } catch (error) {
      if (!isAborted(signal)) throw error;
      break;
    }
  }
  return {
    format: 'maestro-bench/1',
    date,
    machine: machineSince(loadBefore),
    repetitions,
    ...(cold && { cold }),
    yardsticks,
    results,
  };
}

/** What it was measured on. */
export function machineSince(loadBefore: number): Machine {
  return {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    load: [loadBefore, oneMinuteLoad()],
  };
}

/** As a function, because the compiler takes what it has once seen for granted. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

export function oneMinuteLoad(): number {
  return Math.round(loadavg()[0] * 10) / 10;
}

/** @throws BENCH_FAILED */
export function measureInChild<T>(
  job: Job,
  options: { readonly signal?: AbortSignal; readonly under?: readonly string[] } = {},
): Promise<T> {
  const what = 'case' in job ? nameOf(job.case) : job.kind;
  return inChild<Job, T>(job, { script: WORKER, what, ...options });
}

async function countedByStrace(each: BenchCase, cold: boolean, signal?: AbortSignal): Promise<Fsyncs> {
  const job: Job = { kind: 'case', case: each, marks: tmpdir(), cold };
  const counted = await traced((under) => measureInChild<Measurement>(job, { signal, under }));
  const { rounds } = counted.result;
  const executions = rounds * counted.result.executions;
  const commits = rounds * counted.result.commits;
  const forced = counted.syncs + counted.synchronous_writes;
  return {
    counted_by: 'strace',
    per_execution: rounded(forced / executions),
    per_commit: rounded(forced / commits),
    synchronous_writes_per_commit: rounded(counted.synchronous_writes / commits),
  };
}

function countedByCommits({ commits, executions }: Measurement, { store }: BenchCase): Fsyncs {
  const each = store === 'memory' ? 0 : 1;
  return {
    counted_by: 'commits',
    per_execution: rounded((each * commits) / executions),
    per_commit: each,
    synchronous_writes_per_commit: each,
  };
}

function resultOf(
  each: BenchCase,
  runs: readonly Measurement[],
  beside: Pick<CaseResult, 'latency_ms' | 'fsyncs'> & { readonly promises: number },
): CaseResult {
  const best = runs.reduce((some, other) => (other.seconds < some.seconds ? other : some));
  const { nodes, executions, seconds } = best;
  const busySeconds = isBusy(each.body) ? nodes * meanSeconds(each.body) : null;
  return {
    name: nameOf(each),
    case: each,
    nodes,
    executions,
    nodes_per_second: spreadOf(runs.map((run) => run.nodes / run.seconds)),
    executions_per_second: rounded(executions / seconds),
    latency_ms: beside.latency_ms,
    commits: Math.round(best.commits),
    fsyncs: beside.fsyncs,
    bytes_per_node: Math.round(best.bytes / nodes),
    peak_rss_mib: Math.round(Math.max(...runs.map((run) => run.peakRssBytes)) / 2 ** 20),
    efficiency: busySeconds === null ? null : rounded(busySeconds / (seconds * coresOf(each))),
    promises_per_second: Math.round(beside.promises),
  };
}

/** Cores that the steps of a case can keep busy. */
function coresOf({ pool, workers }: BenchCase): number {
  return pool === 'inline' ? 1 : Math.min(workers, availableParallelism());
}

export function spreadOf(rates: readonly number[]): Spread {
  const sorted = [...rates].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return { best: rounded(sorted.at(-1)!), median: rounded(middle), worst: rounded(sorted[0]) };
}

/** Three significant digits below a thousand, whole numbers above. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** What a case is called in reports: equal for what can be compared over reports. */
export function nameOf({ shape, nodes, width, degree, file, ...each }: BenchCase): string {
  const size = shape === 'file' ? file!.split(/[/\\]/).at(-1)! : String(nodes);
  const form = [width !== undefined && `width ${width}`, degree !== undefined && `degree ${degree}`];
  const payload = each.payloadBytes > 0 && `${each.payloadBytes} bytes`;
  const where = [`${each.pool} ${each.workers}`, each.store === 'memory' ? 'memory' : each.durability];
  return [`${shape} ${size}`, ...form, bodyText(each.body), payload, ...where].filter(Boolean).join(', ');
}

function bodyText(body: BenchCase['body']): string {
  if (body.kind === 'noop' || body.kind === 'mixed') return body.kind;
  return body.kind === 'spin' ? `spin ${body.microseconds} µs` : `sleep ${body.milliseconds} ms`;
}
