import { parentPort, workerData } from 'node:worker_threads';
import { seededRandom } from '../../dist/src/runtime/index.js';
import { endRunning } from './fuzz-running.mjs';
import { targets } from './fuzz-targets.mjs';

/* Runs cases one after another; `current[0]` is the one under way, so that who watches sees where it hangs. */
const { seed, from, to, shared } = workerData;
const current = new Int32Array(shared);

const line = targets.flatMap(([name, share, run]) => Array(share).fill([name, run]));
const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype];
const before = prototypes.map((each) => Reflect.ownKeys(each).length);

for (let number = from; number < to; number++) {
  Atomics.store(current, 0, number);
  const random = seededRandom((seed + number) | 0);
  const [name, run] = line[Math.floor(random() * line.length)];
  try {
    await run(random);
    if (prototypes.some((each, k) => Reflect.ownKeys(each).length !== before[k]))
      throw new Error('a prototype of the language was changed');
  } catch (error) {
    parentPort.postMessage({ number, name, problem: String(error?.stack ?? error) });
  }
  Atomics.add(current, 1 + targets.findIndex(([each]) => each === name), 1);
}
await endRunning();
