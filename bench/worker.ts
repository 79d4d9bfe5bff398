import { measureCase, measureLatency } from './measure.js';
import type { Job } from './types.js';
import { fdatasyncPerSecond, lmdbPutsPerSecond, piscinaPerSecond, promisesPerSecond } from './yardsticks.js';

/** One measurement in a process of its own: with its own memory, and nothing compiled or collected before. */
process.once('message', (job: Job) => {
  measure(job).then(
    (result) => process.send!({ result }, () => process.exit(0)),
    (error: unknown) => process.send!({ error: String(error) }, () => process.exit(1)),
  );
});

function measure(job: Job): Promise<unknown> {
  switch (job.kind) {
    case 'case':
      return measureCase(job.case);
    case 'latency':
      return measureLatency(job.case);
    case 'promises':
      return promisesPerSecond(job.case);
    case 'piscina':
      return piscinaPerSecond(job.workers);
    case 'fdatasync':
      return fdatasyncPerSecond();
    case 'lmdb':
      return lmdbPutsPerSecond();
  }
}
