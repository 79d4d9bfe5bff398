import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { campaign } from './runner.mjs';
import { growthOf } from './trend.mjs';

/*
 * Mixed executions at full rate in `sync`, with retention, in a process of their own: chains, fans, conditions, retries,
 * failures, large outputs, waits and signals, cancellations, pauses, on threads and inline. Fails when one did not end as
 * it must, when an event was not told, or told twice, or differs from what is stored, when the store is damaged
 * afterwards, or when a figure grows: see trend.mjs.
 */

const LIFE = resolve(import.meta.dirname, '../fixtures/soak/life.js');
const SAMPLE_MS = 10_000;
/** Samples of a short run: enough for a trend of its second half. */
const LEAST_SAMPLES = 24;
const MOST_PROBLEMS = 20;
/** Until then a process is still warming up. */
const JUDGED_FROM_MINUTES = 1;

/** What must be flat, and what it may grow by over half of the run, if that is more than 5 %. */
const FIGURES = { heap_mib: 4, anon_mib: 16, file_mib: 4, handles: 30, stored: 500 };

/** Runs the life and gathers what it says. */
function live(args, tell, aborted) {
  const child = spawn(process.execPath, ['--expose-gc', LIFE, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const [samples, problems] = [[], []];
  let ended;
  let err = '';
  const watch = setInterval(() => aborted() && child.stdin.end(), 200);
  createInterface(child.stdout).on('line', (text) => {
    const line = JSON.parse(text);
    if (line.sample !== undefined) {
      samples.push(line.sample);
      tell(line.sample);
    } else if (line.problem !== undefined) problems.push(line.problem);
    else ended = line.ended;
  });
  child.stderr.on('data', (chunk) => (err = (err + chunk).slice(-4000)));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      if (ended === undefined) problems.push(`it ended with ${signal ?? code}: ${err}`);
      done({ samples, problems, ended });
    });
  });
}

const rounded = (value) => Math.round(value * 10) / 10;

function flatness(samples) {
  const problems = [];
  const figures = {};
  for (const [name, floor] of Object.entries(FIGURES)) {
    const points = samples.map((sample) => [sample.seconds, sample[name]]);
    const { median, grows, at_least, isFlat } = growthOf(points, floor);
    figures[name] = { first: rounded(points[0][1]), median: rounded(median), grows: rounded(grows) };
    if (!isFlat)
      problems.push(
        `${name} is not flat: over the second half it grew by about ${rounded(grows)}, at least ${rounded(at_least)}, at ${rounded(median)}`,
      );
  }
  return { figures, problems };
}

await campaign({
  name: 'soak',
  flags: {
    minutes: { default: 20, is: 'how long executions are started' },
    parallel: { default: 64, is: 'executions at once' },
    samples: { default: false, is: 'with all samples' },
  },
  async run({ minutes, parallel, samples: withSamples, seed, progress, aborted }) {
    const folder = mkdtempSync(join(tmpdir(), 'maestro-soak-'));
    const seconds = minutes * 60;
    const sampleMs = Math.min(SAMPLE_MS, (seconds * 1000) / LEAST_SAMPLES);
    const tell = ({ seconds: now, ended, anon_mib, file_mib }) =>
      progress(
        Math.round(now),
        Math.round(seconds),
        `${ended} executions, ${Math.round(anon_mib)} MiB, file ${Math.round(file_mib)} MiB`,
      );
    try {
      const { samples, problems, ended } = await live(
        [folder, seconds, seed, parallel, sampleMs],
        tell,
        aborted,
      );
      const isEnough = minutes >= JUDGED_FROM_MINUTES && samples.length >= LEAST_SAMPLES / 2;
      const flat = isEnough ? flatness(samples) : { figures: {}, problems: [] };
      const all = [...problems, ...flat.problems];
      return {
        durability: 'sync',
        minutes,
        parallel,
        ...ended,
        per_second: ended && rounded(ended.ended / Math.max(1, samples.at(-1)?.seconds ?? seconds)),
        second_half: isEnough ? flat.figures : 'too short for a trend',
        last: samples.at(-1),
        ...(withSamples && { samples }),
        failures: all.slice(0, MOST_PROBLEMS).map((text) => ({
          reproduce: `npm run test:soak -- --minutes ${minutes} --parallel ${parallel} --seed ${seed}`,
          problem: text,
        })),
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
