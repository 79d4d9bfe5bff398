import { barePerSecond } from './bare/index.js';
import { answerParent } from './child.js';
import { measureCase, measureLatency, paceOf } from './measure.js';
import type { Job } from './types.js';
import * as yardsticks from './yardsticks.js';

answerParent((job: Job): Promise<unknown> => {
  const pace = paceOf(job.cold);
  switch (job.kind) {
    case 'case':
      return measureCase(job.case, pace, job.marks);
    case 'latency':
      return measureLatency(job.case, pace);
    case 'promises':
      return yardsticks.promisesPerSecond(job.case, pace);
    case 'bare':
      return barePerSecond(job.case, pace);
    case 'piscina':
      return yardsticks.piscinaPerSecond(job.workers, pace);
    case 'piscina-batched':
      return yardsticks.batchedPiscinaPerSecond(job.workers, pace);
    case 'piscina-in-turn':
      return yardsticks.piscinaInTurnPerSecond(pace);
    case 'fdatasync':
      return yardsticks.fdatasyncPerSecond();
    case 'lmdb':
      return yardsticks.lmdbPutsPerSecond();
    case 'write-through':
      return yardsticks.writesThroughPerSecond(pace);
  }
});
