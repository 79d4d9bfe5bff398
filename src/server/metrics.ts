import type { FastifyReply, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { registerMetrics, type Runtime } from '../runtime/index.js';
import type { HealthMonitor } from './health.js';

/** Gauges named like counters, which `promtool check metrics` refuses; each only sums up another metric. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Of the process: CPU, memory, garbage collection, event-loop delay. Made once, as its observers never end. */
let theProcess: Registry | undefined;

interface MetricsSources {
  readonly runtime: Pick<Runtime, 'metrics'>;
  readonly health: HealthMonitor;
  readonly version: string;
}

/** What `/metrics` answers: the process, the runtime, the requests. */
export class ServiceMetrics {
  private readonly registry = new Registry();
  private readonly ofProcess = processMetrics();
  private readonly requests: Histogram<'method' | 'route' | 'status'>;

  constructor({ runtime, health, version }: MetricsSources) {
    const registers = [this.registry];
    registerMetrics(this.registry, () => runtime.metrics());
    this.requests = new Histogram({
      name: 'maestro_http_request_duration_seconds',
      help: 'How long requests took, by method, route and class of status.',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    });
    new Gauge({
      name: 'maestro_health_degraded',
      help: '1 for each check of /health that gives a reason.',
      labelNames: ['check'],
      registers,
      async collect() {
        for (const [check, reason] of Object.entries(await health.checks()))
          this.set({ check }, Number(reason !== undefined));
      },
    });
    new Gauge({
      name: 'maestro_build_info',
      help: 'The version of maestro-dag.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
  }

  /**
   * Counts an answered request. Routes are patterns, so an id in a path makes no series of its own. A stream is no
   * request that took as long as somebody listened: streams are not counted here.
   */
  answered({ method, routeOptions, ws }: FastifyRequest, reply: FastifyReply): void {
    const { statusCode, elapsedTime } = reply;
    if (ws || String(reply.getHeader('content-type')).startsWith('text/event-stream')) return;
    const labels = { method, route: routeOptions.url ?? 'none', status: `${Math.floor(statusCode / 100)}xx` };
    this.requests.observe(labels, elapsedTime / 1000);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return Registry.merge([this.ofProcess, this.registry]).metrics();
  }
}

function processMetrics(): Registry {
  if (theProcess !== undefined) return theProcess;
  theProcess = new Registry();
  collectDefaultMetrics({ register: theProcess });
  for (const name of MISNAMED) theProcess.removeSingleMetric(name);
  return theProcess;
}
