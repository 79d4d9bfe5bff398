import type { Logger, Runtime } from '../runtime/index.js';
import type { WorkflowCatalogue } from './catalogue.js';

/** What every part of the service works with. Made once, by createService. */
export interface ServiceContext {
  readonly runtime: Runtime;
  readonly workflows: WorkflowCatalogue;
  readonly logger: Logger;
  /** Root folder of the store, to watch its disk; undefined for a store without one. */
  readonly storePath: string | undefined;
  /** true once shutdown has begun: nothing new is taken in. */
  readonly draining: () => boolean;
}
