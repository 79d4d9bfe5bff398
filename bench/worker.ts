import { barePerSecond } from './bare/index.js';
import { answerParent } from './child.js';
import { measureCase, measureLatency } from './measure.js';
import type { Job } from './types.js';
import * as yardsticks from './yardsticks.js';

answerParent((job: Job): Promise<unknown> => {
  switch (job.kind) {
    case 'case':
      return measureCase(job.case, job);
    case 'latency':
      return measureLatency(job.case);
    case 'promises':
      return yardsticks.promisesPerSecond(job.case);
    case 'bare':
      return barePerSecond(job.case);
    case 'piscina':
      return yardsticks.piscinaPerSecond(job.workers);
    case 'piscina-batched':
      return yardsticks.batchedPiscinaPerSecond(job.workers);
    case 'piscina-in-turn':
      return yardsticks.piscinaInTurnPerSecond();
    case 'fdatasync':
      return yardsticks.fdatasyncPerSecond();
    case 'lmdb':
      return yardsticks.lmdbPutsPerSecond();
    case 'write-through':
      return yardsticks.writesThroughPerSecond();
  }
});
