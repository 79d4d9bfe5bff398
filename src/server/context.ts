import type { Logger, Runtime } from '../runtime/index.js';
import type { WorkflowCatalogue } from './catalogue.js';
import type { HealthMonitor } from './health.js';
import type { ServiceMetrics } from './metrics.js';
import type { Streams } from './streams.js';

/** What every part of the service works with. Made once, by createService. */
export interface ServiceContext {
  readonly runtime: Runtime;
  readonly workflows: WorkflowCatalogue;
  readonly logger: Logger;
  readonly health: HealthMonitor;
  readonly metrics: ServiceMetrics;
  readonly streams: Streams;
  /** true once shutdown has begun: nothing new is taken in. */
  readonly draining: () => boolean;
}
