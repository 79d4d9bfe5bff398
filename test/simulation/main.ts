import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeFinding, explore, type Finding } from './explore.js';

/** What a worker tells after each seed. */
interface Told {
  readonly seed: number;
  readonly finding: Finding | null;
  readonly commits: number;
  readonly steps: number;
  readonly lives: number;
  readonly simulatedMs: number;
}

const USAGE = 'usage: npm run test:sim -- [--seeds N] [--seed S] [--jobs N] [--json] [--max-failures N]';

function wrong(message: string): never {
  process.stderr.write(`${message}\n${USAGE}\n`);
  process.exit(2);
}

const { values } = (() => {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string', default: '2000' },
        seed: { type: 'string', default: '1' },
        jobs: { type: 'string', default: '1' },
        'max-failures': { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
        worker: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return wrong((error as Error).message);
  }
})();

if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}

function whole(name: string, text: string): number {
  return /^\d+$/.test(text) ? Number(text) : wrong(`--${name} must be a whole number`);
}

const seeds = whole('seeds', values.seeds);
const first = whole('seed', values.seed);
const jobs = Math.max(1, whole('jobs', values.jobs));
const maxFailures = whole('max-failures', values['max-failures']);

/** Every `jobs`-th seed, from the worker's own on. */
async function work(worker: number): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => {});
  for (let k = worker; k < seeds; k += jobs) {
    const { report, finding } = await explore(first + k);
    const { commits, steps, lives, simulatedMs } = report;
    const told: Told = { seed: first + k, finding, commits, steps, lives, simulatedMs };
    await new Promise((sent) => process.send!(told, sent));
  }
  process.disconnect();
}

/** The sum over all workers; printed at the end, also when it is interrupted. */
async function lead(): Promise<number> {
  const began = performance.now();
  const sum = { seeds: 0, commits: 0, steps: 0, lives: 0, simulated_hours: 0 };
  const findings: Finding[] = [];
  let failedWorkers = 0;
  let interrupted = false;
  const running = Array.from({ length: jobs }, (_, worker) =>
    fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--worker', String(worker)]),
  );
  const stop = (): void => running.forEach((child) => child.connected && child.disconnect());
  process.on('SIGINT', () => {
    interrupted = true;
    stop();
  });
  let shown = began;
  const take = (told: Told): void => {
    sum.seeds++;
    sum.commits += told.commits;
    sum.steps += told.steps;
    sum.lives += told.lives;
    sum.simulated_hours += told.simulatedMs / 3_600_000;
    if (told.finding !== null) {
      findings.push(told.finding);
      process.stderr.write(`${describeFinding(told.finding)}\n`);
      if (findings.length >= maxFailures) stop();
    }
    if (performance.now() - shown < 5_000) return;
    shown = performance.now();
    const rate = (sum.seeds / (shown - began)) * 1000;
    const left = Math.round((seeds - sum.seeds) / rate);
    process.stderr.write(
      `${sum.seeds}/${seeds} seeds, ${rate.toFixed(0)}/s, ${left} s left, ${findings.length} failed\n`,
    );
  };
  const ends = running.map(
    (child) =>
      new Promise<void>((ended) => {
        child.on('message', (told) => take(told as Told));
        child.on('exit', (code) => {
          if (code !== 0 && !interrupted) failedWorkers++;
          ended();
        });
      }),
  );
  await Promise.all(ends);
  const seconds = (performance.now() - began) / 1000;
  const summary = {
    ...sum,
    simulated_hours: Math.round(sum.simulated_hours * 10) / 10,
    first_seed: first,
    wanted: seeds,
    failed: findings.map(({ seed, code, message }) => ({ seed, code, message })),
    seconds: Math.round(seconds * 10) / 10,
    seeds_per_second: Math.round((sum.seeds / seconds) * 10) / 10,
    jobs,
    interrupted,
  };
  if (values.json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  else
    process.stdout.write(
      `${sum.seeds} seeds, each twice: ${findings.length} failed; ${sum.commits} commits, ${sum.lives} processes, ` +
        `${summary.simulated_hours} simulated hours in ${summary.seconds} s\n`,
    );
  if (interrupted) return 130;
  return findings.length > 0 || failedWorkers > 0 ? 1 : 0;
}

if (values.worker === undefined) process.exitCode = await lead();
else await work(whole('worker', values.worker));
