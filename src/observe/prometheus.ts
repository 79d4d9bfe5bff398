import type { WorkersStatus } from '../base/workers.js';
import type { HistogramSnapshot } from './histogram.js';
import type { QueueNumbers, RuntimeMetrics } from './metrics.js';

type Labels = Readonly<Record<string, string | number>>;

/** One line of a metric. `metricName` where it is not the metric's own: parts of a histogram. */
interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: (metrics: RuntimeMetrics) => readonly Sample[];
}

/** Where metrics are registered: prom-client's Registry, of any version since 12. */
export interface MetricsRegistry {
  registerMetric(metric: never): unknown;
}

/**
 * Puts a runtime's metrics into a registry of prom-client. They are read when the registry is: one reading serves all
 * of them.
 * @param read the runtime's `metrics`
 */
export function registerMetrics(registry: MetricsRegistry, read: () => Promise<RuntimeMetrics>): void {
  const register = registry.registerMetric.bind(registry) as (metric: object) => void;
  let reading: Promise<RuntimeMetrics> | undefined;
  const shared = (): Promise<RuntimeMetrics> =>
    (reading ??= read().finally(() => {
      reading = undefined;
    }));
  for (const { name, help, type, samples } of METRICS) {
    const get = async (): Promise<object> => {
      const values = samples(await shared());
      return { name, help, type, values, aggregator: 'sum' };
    };
    // Nothing to reset: the numbers are the runtime's.
    register({ name, help, type, aggregator: 'sum', get, reset: () => {} });
  }
}

/** A runtime's metrics in Prometheus' text format. */
export async function metricsText(read: () => Promise<RuntimeMetrics>): Promise<string> {
  const { Registry } = await import('prom-client');
  const registry = new Registry();
  registerMetrics(registry, read);
  return registry.metrics();
}

/**
 * Labels have few values: no ids, so the number of series does not grow with what runs. Queues that nobody has configured
 * are one, as anybody may name new ones in workflows.
 */
const METRICS: readonly Metric[] = [
  gauge('maestro_executions', 'Stored executions by status.', ({ stored }) =>
    stored === null ? [] : perKey('status', stored),
  ),
  counter('maestro_executions_started_total', 'Executions that began to run here.', (m) =>
    one(m.executions.started),
  ),
  counter('maestro_executions_ended_total', 'Executions that ended here, by status.', (m) =>
    perKey('status', pick(m.executions, 'completed', 'failed', 'cancelled')),
  ),
  gauge('maestro_active_executions', 'Executions in memory.', (m) => one(m.now.activeExecutions)),
  gauge('maestro_waiting_executions', 'Executions that wait for a place in memory.', (m) =>
    one(m.now.waitingExecutions),
  ),
  gauge('maestro_ready_nodes', 'Nodes that could start and wait for a worker.', (m) => one(m.now.readyNodes)),
  gauge('maestro_running_nodes', 'Node attempts under way, by kind of worker.', (m) =>
    perWorker(m, (workers) => workers.attempts),
  ),
  counter('maestro_node_attempts_total', 'Node attempts that began.', (m) => one(m.nodes.attempts)),
  counter('maestro_node_retries_total', 'Failed attempts after which the node is tried again.', (m) =>
    one(m.nodes.retries),
  ),
  counter('maestro_node_recoveries_total', 'Attempts lost with their worker or process.', (m) =>
    one(m.nodes.recovered),
  ),
  counter('maestro_nodes_ended_total', 'Nodes that came to an end, by status.', (m) =>
    perKey('status', pick(m.nodes, 'completed', 'failed', 'skipped', 'blocked', 'cancelled')),
  ),
  histogram('maestro_node_duration_seconds', 'How long node attempts ran, by outcome.', (name, m) =>
    Object.entries(m.attemptSeconds).flatMap(([outcome, each]) => buckets(name, each, { outcome })),
  ),
  counter('maestro_commits_total', 'Commits of what executions did, by result.', ({ commits }) =>
    perKey('result', { ok: commits.seconds.count, failed: commits.failed }),
  ),
  histogram('maestro_commit_duration_seconds', 'How long commits took until they were durable.', (name, m) =>
    buckets(name, m.commits.seconds),
  ),
  histogram('maestro_commit_rows', 'Rows written or deleted by one commit.', (name, m) =>
    buckets(name, m.commits.rows),
  ),
  histogram('maestro_commit_size_bytes', 'Bytes of the keys and values of one commit.', (name, m) =>
    buckets(name, m.commits.bytes),
  ),
  gauge('maestro_workers', 'Workers that exist, by kind.', (m) => perWorker(m, ({ alive }) => alive)),
  gauge('maestro_workers_busy', 'Workers that run something, by kind.', (m) =>
    perWorker(m, ({ busy }) => busy),
  ),
  gauge('maestro_workers_limit', 'Workers that there may be, by kind.', (m) =>
    perWorker(m, ({ limit }) => limit),
  ),
  counter('maestro_worker_deaths_total', 'Workers that died unasked, by kind.', (m) =>
    perWorker(m, ({ deaths }) => deaths),
  ),
  gauge('maestro_workers_stopped', '1 when so many died that no more are started, by kind.', (m) =>
    perWorker(m, ({ stopped }) => Number(stopped)),
  ),
  gauge('maestro_queue_slots', 'Slots of queues; +Inf: no limit.', (m) =>
    perQueue({ ...m, queues: m.queues.filter(({ from }) => from !== 'default') }, ({ size }) => size),
  ),
  gauge('maestro_queue_slots_used', 'Slots of queues that attempts under way have.', (m) =>
    perQueue(m, ({ used }) => used),
  ),
  gauge('maestro_queue_waiting_nodes', 'Nodes that could start and wait for their queue.', (m) =>
    perQueue(m, ({ waiting }) => waiting),
  ),
  gauge('maestro_store_size_bytes', "Size of the store's file.", ({ storeSpace }) =>
    storeSpace === null ? [] : one(storeSpace.fileBytes),
  ),
  gauge('maestro_store_free_bytes', "Bytes of the store's file that hold no data.", ({ storeSpace }) =>
    storeSpace === null ? [] : one(storeSpace.fileBytes - storeSpace.usedBytes),
  ),
];

function gauge(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, help, type: 'gauge', samples };
}

function counter(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, help, type: 'counter', samples };
}

function histogram(
  name: string,
  help: string,
  samples: (name: string, metrics: RuntimeMetrics) => readonly Sample[],
): Metric {
  return { name, help, type: 'histogram', samples: (metrics) => samples(name, metrics) };
}

function one(value: number): Sample[] {
  return [{ labels: {}, value }];
}

function perKey(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function perWorker({ workers }: RuntimeMetrics, valueOf: (workers: WorkersStatus) => number): Sample[] {
  return workers.map((each) => ({ labels: { worker: each.worker }, value: valueOf(each) }));
}

/** Those that nobody has configured are summed up under a name that no queue can have. */
function perQueue({ queues }: RuntimeMetrics, valueOf: (queue: QueueNumbers) => number): Sample[] {
  const sums: Record<string, number> = {};
  for (const each of queues) {
    const name = each.from === 'default' ? '(not configured)' : each.queue;
    sums[name] = (sums[name] ?? 0) + valueOf(each);
  }
  return perKey('queue', sums);
}

function pick<K extends string>(from: Readonly<Record<K, number>>, ...keys: K[]): Record<string, number> {
  return Object.fromEntries(keys.map((key) => [key, from[key]]));
}

/** Prometheus' buckets are cumulative, and the last one, `+Inf`, holds everything. */
function buckets(
  name: string,
  { bounds, counts, sum, count }: HistogramSnapshot,
  labels: Labels = {},
): Sample[] {
  let below = 0;
  const cumulative = counts.map((inBucket, index) => {
    const le = bounds[index] ?? '+Inf';
    return { labels: { le, ...labels }, value: (below += inBucket), metricName: `${name}_bucket` };
  });
  return [
    ...cumulative,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
