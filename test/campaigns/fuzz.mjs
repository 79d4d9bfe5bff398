import { Worker } from 'node:worker_threads';
import { targets } from './fuzz-targets.mjs';
import { campaign } from './runner.mjs';

/*
 * Bad input: specs, conditions, stored records, exports and command lines, made of good ones by mutation. Each case must
 * be taken or refused with an error of the product's own, in time and within bounded memory. Case k of seed S is case 0
 * of seed S + k.
 */

/** Longest time of one case; the machine may be busy. */
const CASE_MS = 20_000;
const HEAP_MB = 1024;
const LOOK_MS = 250;

/** Runs cases until one hangs, kills the worker, or none is left. @returns the next case */
function runFrom(from, to, seed, tally, failures, aborted, progress) {
  const shared = new SharedArrayBuffer(4 * (1 + targets.length));
  const current = new Int32Array(shared);
  const options = {
    workerData: { seed, from, to, shared },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  };
  const worker = new Worker(new URL('./fuzz-worker.mjs', import.meta.url), options);
  const fail = (number, problem) =>
    failures.push({ reproduce: `npm run test:fuzz -- --cases 1 --seed ${seed + number}`, problem });
  return new Promise((resolve) => {
    let [seen, sinceMs, next] = [-1, performance.now(), to];
    const end = () => {
      clearInterval(watch);
      targets.forEach(([name], k) => (tally[name] = (tally[name] ?? 0) + current[k + 1]));
      resolve(next);
    };
    const watch = setInterval(() => {
      const number = Atomics.load(current, 0);
      progress(number, to, `${failures.length} failed`);
      if (number !== seen) [seen, sinceMs] = [number, performance.now()];
      else if (performance.now() - sinceMs > CASE_MS) {
        fail(number, `case ${number} has not ended after ${CASE_MS / 1000} s`);
        next = number + 1;
        void worker.terminate();
      }
      if (aborted()) void worker.terminate();
    }, LOOK_MS);
    worker.on('message', ({ number, name, problem }) => fail(number, `${name}: ${problem}`));
    worker.on('error', (error) => {
      const number = Atomics.load(current, 0);
      fail(number, `case ${number} ended its thread: ${error.stack ?? error}`);
      next = number + 1;
    });
    worker.on('exit', end);
  });
}

await campaign({
  name: 'fuzz',
  flags: { cases: { default: 5_000, is: 'inputs in all' } },
  async run({ cases, seed, progress, aborted }) {
    const tally = {};
    const failures = [];
    for (let next = 0; next < cases && !aborted() && failures.length < 50;)
      next = await runFrom(next, cases, seed, tally, failures, aborted, progress);
    return { cases: Object.values(tally).reduce((sum, count) => sum + count, 0), by_target: tally, failures };
  },
});
