import {
  createRuntime,
  MaestroError,
  type ExecutionEvent,
  type Runtime,
  type RuntimeOptions,
  type Workflow,
} from '../src/runtime/index.js';
import { meanSeconds } from './bodies.js';
import { inFolder } from './folder.js';
import { markTrace } from './fsyncs.js';
import { graphOf } from './shapes.js';
import type { BenchCase, BenchGraph, Measurement, Percentiles } from './types.js';
import { benchGraph, workflowOf } from './workloads.js';

/**
 * Enough to have workers started and code optimised as in a runtime that has been up for a while: so many nodes, or as
 * many as take this long. After 20,000 nodes half of the time still goes into code that V8 has not optimised.
 */
const WARM_NODES = 400_000;
/** A graph of more nodes is not run before it is measured: its definition is stored in the time that counts. */
const SMALL_NODES = 200_000;
/** Nodes of one warming execution. */
const WARM_STEP = 2000;

export interface Pace {
  /** How long everything is done before it is measured. */
  readonly warmSeconds: number;
  /** What is over sooner is run again: in one short run a pause of the machine is most of it, or none. */
  readonly enoughSeconds: number;
}

const WARM: Pace = { warmSeconds: 2, enoughSeconds: 0.5 };
const COLD: Pace = { warmSeconds: 0, enoughSeconds: 0 };

export function paceOf(cold = false): Pace {
  return cold ? COLD : WARM;
}

/** Runs a case on a store of its own. */
export async function measureCase(each: BenchCase, pace: Pace, marks?: string): Promise<Measurement> {
  const graph = await benchGraph(each);
  const workflow = workflowOf(each, graph);
  return withRuntime(each, {}, async (runtime) => {
    await warmUp(runtime, each, graph, workflow, pace);
    const before = await runtime.metrics();
    if (marks !== undefined) markTrace(marks, 'begin');
    let [rounds, seconds] = [0, 0];
    for (; rounds === 0 || seconds < pace.enoughSeconds; rounds++) {
      const edition = each.fresh === true ? workflowOf(each, graph, rounds + 1) : workflow;
      seconds += await secondsOf(() => runAll(runtime, edition, graph.executions));
    }
    if (marks !== undefined) markTrace(marks, 'end');
    const after = await runtime.metrics();
    return {
      rounds,
      seconds: seconds / rounds,
      nodes: graph.executions * graph.dependencies.length,
      executions: graph.executions,
      commits: (after.commits.seconds.count - before.commits.seconds.count) / rounds,
      bytes: (after.commits.bytes.sum - before.commits.bytes.sum) / rounds,
      // Kibibytes, of the whole process with its threads.
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    };
  });
}

/** Time from a node being told ready to its being told ended, in milliseconds, over all nodes of a case. */
export async function measureLatency(each: BenchCase, pace: Pace): Promise<Percentiles> {
  const graph = await benchGraph(each);
  const workflow = workflowOf(each, graph);
  const readyAtMs = new Map<string, number>();
  let latencies: number[] = [];
  const onEvent = ({ event_type, execution_id, node_id }: ExecutionEvent): void => {
    const key = `${execution_id}/${node_id}`;
    if (event_type === 'node_ready') readyAtMs.set(key, performance.now());
    else if (event_type === 'node_completed') {
      latencies.push(performance.now() - readyAtMs.get(key)!);
      readyAtMs.delete(key);
    }
  };
  return withRuntime(each, { onEvent }, async (runtime) => {
    await warmUp(runtime, each, graph, workflow, pace);
    latencies = [];
    await runAll(runtime, workflow, graph.executions);
    const sorted = Float64Array.from(latencies).sort();
    const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1];
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  });
}

function withRuntime<T>(
  { store, durability, pool, workers }: BenchCase,
  options: RuntimeOptions,
  use: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const sizes = {
    threads: { threads: workers },
    process: { processes: workers },
    inline: { inline: workers },
  };
  return inFolder(async (folder) => {
    const runtime = await createRuntime({
      store: store === 'memory' ? 'memory:' : `lmdb:${folder}`,
      durability,
      pool: { ...sizes[pool], echo: false },
      artifactRoot: folder,
      ...options,
    });
    try {
      return await use(runtime);
    } finally {
      await runtime.close();
    }
  });
}

/**
 * Any graph that does no work, then what is measured itself for as long, unless that is large: its definition is then
 * stored.
 */
async function warmUp(
  runtime: Runtime,
  each: BenchCase,
  { dependencies, executions }: BenchGraph,
  workflow: Workflow,
  { warmSeconds }: Pace,
): Promise<void> {
  if (warmSeconds === 0) return;
  const noop: BenchCase = { ...each, shape: 'layered', body: { kind: 'noop' } };
  const any = workflowOf(noop, graphOf('layered', { nodes: WARM_STEP, seed: each.seed }));
  let endMs = performance.now() + warmSeconds * 1000;
  for (let done = 0; done < WARM_NODES && performance.now() < endMs; done += WARM_STEP)
    await runAll(runtime, any, 1);
  const nodes = executions * dependencies.length;
  if (nodes > SMALL_NODES || nodes * meanSeconds(each.body) > warmSeconds) return;
  endMs = performance.now() + warmSeconds * 1000;
  for (let done = 0; done < WARM_NODES && performance.now() < endMs; done += nodes)
    await runAll(runtime, workflow, executions);
}

async function runAll(runtime: Runtime, workflow: Workflow, executions: number): Promise<void> {
  const started = Array.from({ length: executions }, () => runtime.start(workflow));
  for (const execution of started) {
    const { status } = await (await execution).result;
    if (status !== 'completed') throw new MaestroError('INVARIANT', `a benchmark's execution is ${status}`);
  }
}

/**
 * Seconds that `work` takes once it is warm: as long as what is measured beside it, for nothing is compared with something
 * cold; and as the mean of several times where one is short.
 */
export async function warmSecondsOf(
  work: () => Promise<unknown>,
  { warmSeconds, enoughSeconds }: Pace,
): Promise<number> {
  const endMs = performance.now() + warmSeconds * 1000;
  while (performance.now() < endMs) await work();
  let [times, seconds] = [0, 0];
  for (; times === 0 || seconds < enoughSeconds; times++) seconds += await secondsOf(work);
  return seconds / times;
}

export async function secondsOf(work: () => unknown): Promise<number> {
  const sinceMs = performance.now();
  await work();
  return (performance.now() - sinceMs) / 1000;
}
