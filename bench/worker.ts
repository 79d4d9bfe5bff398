import { measureCase, measureLatency } from './measure.js';
import type { Job } from './types.js';
import { fdatasyncPerSecond, lmdbPutsPerSecond, piscinaPerSecond, promisesPerSecond } from './yardsticks.js';

/** One measurement in a process of its own: with its own memory, and nothing compiled or collected before. */
process.once('message', (job: Job) => {
  measure(job).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: String(error) }),
  );
});

/** Without its channel nothing holds the process. */
function answer(message: object): void {
  process.send!(message, () => process.disconnect());
}

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
