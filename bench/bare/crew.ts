import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { BareResults } from './protocol.js';
import { batchOf } from './steps.js';

/** Batches that one thread has at once: one to run, one to go on with. */
const AT_ONCE = 2;
const [LEAST_STEPS, MOST_STEPS] = [25, 250];
/** Into so many parts goes what waits, so that no thread is left with much at the end. */
const PARTS = 4;

/** A step that waits, and the JSON text of its inputs. */
export type Waiting = readonly [step: number, inputs: string];

/** Threads that run steps; those that wait are shared out as threads get free. */
export class Crew {
  readonly #threads: { readonly worker: Worker; batches: number }[];
  #waiting: Waiting[] = [];

  constructor(
    threads: number,
    private readonly config: string,
    told: (results: BareResults) => void,
  ) {
    const program = fileURLToPath(new URL('thread.js', import.meta.url));
    this.#threads = Array.from({ length: threads }, () => {
      const thread = { worker: new Worker(program), batches: 0 };
      thread.worker.on('message', (results: BareResults) => {
        thread.batches--;
        told(results);
        this.#share();
      });
      return thread;
    });
  }

  run(steps: readonly Waiting[]): void {
    for (const each of steps) this.#waiting.push(each);
    this.#share();
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #share(): void {
    while (this.#waiting.length > 0) {
      const free = this.#threads.reduce((some, other) => (other.batches < some.batches ? other : some));
      if (free.batches === AT_ONCE) return;
      const steps = Math.min(MOST_STEPS, Math.max(LEAST_STEPS, Math.ceil(this.#waiting.length / PARTS)));
      free.batches++;
      free.worker.postMessage(batchOf(this.config, this.#waiting.splice(0, steps)));
    }
  }
}
