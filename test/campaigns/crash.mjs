import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { seededRandom } from '../../dist/src/runtime/index.js';
import { Judge } from './crash-judge.mjs';
import { writeCase } from './crash-workload.mjs';
import { campaign } from './runner.mjs';

/*
 * A process that runs executions is killed with SIGKILL, and started again on the same store, until all of them have
 * ended; then a new case begins. A round is a kill. Workload and deaths follow from the seed of the case; where a kill
 * hits follows from the machine, so the same seed finds the same fault often, not always.
 */

const LIFE = resolve(import.meta.dirname, '../fixtures/crash/life.js');
/** A life that says nothing for so long hangs. */
const SILENCE_MS = 60_000;
/** Lives of one case that may end by themselves without an end of everything. */
const MAX_LIVES = 400;

/**
 * How a life is to end: so long after it said something, once it has told so many completions, or by itself at a
 * commit: while that is being written, or before anybody is told. The first commits of a later life are its recovery.
 */
function randomDeath(random) {
  const kind = random();
  if (kind < 0.06) return { kind: 'spawn', after: 'spawn', ms: random() * 300 };
  if (kind < 0.2) return { kind: 'opening', after: 'opening', ms: random() * 120 };
  if (kind < 0.3) return { kind: 'opened', after: 'opened', ms: random() * 60 };
  if (kind < 0.5) return { kind: 'completions', completions: 1 + Math.floor(random() * 150) };
  const early = random() < 0.4;
  const commit = 1 + Math.floor(random() * (early ? 5 : 80));
  const at = { commit, delayUs: Math.floor(random() * 500), after: kind > 0.8 };
  return { kind: at.after ? 'after a commit' : 'in a commit', at };
}

/** Runs one life. What it wrote before it was killed is in the pipe, and is read to its end. */
function live(args, number, death) {
  const extra = death?.at === undefined ? [] : [JSON.stringify(death.at)];
  const child = spawn(process.execPath, [LIFE, ...args, ...extra], {
    env: { ...process.env, CRASH_LIFE: String(number) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err, seen, timer, hung] = ['', '', 0, undefined, false];
  const kill = () => child.kill('SIGKILL');
  const hang = () => {
    hung = true;
    kill();
  };
  let silence = setTimeout(hang, SILENCE_MS);
  const sees = (line) => {
    if (line.startsWith('done ') && ++seen === death?.completions) kill();
    if (death !== null && death.after === line) timer = setTimeout(kill, death.ms);
  };
  child.stdout.on('data', (chunk) => {
    clearTimeout(silence);
    silence = setTimeout(hang, SILENCE_MS);
    const text = chunk.toString();
    const begun = out.lastIndexOf('\n') + 1;
    out += text;
    out.slice(begun).split('\n').slice(0, -1).forEach(sees);
  });
  child.stderr.on('data', (chunk) => (err += chunk.toString()));
  sees('spawn');
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(silence);
      done({
        killed: signal === 'SIGKILL' && !hung,
        hung,
        code,
        signal,
        lines: out.split('\n').slice(0, -1),
        err,
      });
    });
  });
}

/** One case: all its lives. */
async function survive(seed, kills, tally, isOver, told) {
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'maestro-crash-'));
  const { executions, witness, planFile, writePlan } = writeCase(folder, random);
  const judge = new Judge(executions);
  let killed = 0;
  try {
    for (let life = 1; judge.objections.length === 0; life++) {
      const death = killed < kills && !isOver() ? randomDeath(random) : null;
      writePlan(judge.deleting);
      const { lines, err, code, ...ended } = await live([join(folder, 'store'), planFile], life, death);
      for (const line of lines) judge.take(line, life);
      tally.lives++;
      if (ended.killed) {
        killed++;
        tally.rounds++;
        tally.killed[death.kind] = (tally.killed[death.kind] ?? 0) + 1;
        if (life > 1 && !lines.some((line) => line.startsWith('known '))) tally.killed_while_recovering++;
        told();
      }
      if (judge.documents !== null) {
        judge.conclude(readFileSync(witness, 'utf8'));
        break;
      }
      if (ended.hung) judge.object(`life ${life} hung after ${lines.at(-1)}`);
      else if (!ended.killed)
        judge.object(`life ${life} ended with ${ended.signal ?? code}: ${err.slice(-2000)}`);
      if (life > MAX_LIVES) judge.object(`it has not ended after ${life} lives`);
    }
  } finally {
    if (judge.objections.length === 0 || process.env.MAESTRO_KEEP === undefined)
      rmSync(folder, { recursive: true, force: true });
    else console.error(`kept: ${folder}`);
  }
  tally.cases++;
  tally.executions += executions.length;
  tally.completions_told += judge.completions;
  return { killed, objections: judge.objections };
}

await campaign({
  name: 'crash',
  flags: { rounds: { default: 50, is: 'kills in all' } },
  async run({ rounds, seed, progress, aborted }) {
    const tally = {
      rounds: 0,
      cases: 0,
      lives: 0,
      executions: 0,
      completions_told: 0,
      killed_while_recovering: 0,
      killed: {},
    };
    const failures = [];
    const sinceMs = performance.now();
    const tell = () => progress(tally.rounds, rounds, `${tally.cases} cases`);
    for (let left = rounds, caseSeed = seed; left > 0 && !aborted(); caseSeed++) {
      const { killed, objections } = await survive(caseSeed, left, tally, aborted, tell);
      left -= killed;
      if (objections.length === 0) continue;
      failures.push({
        reproduce: `npm run test:crash -- --rounds ${Math.max(1, killed)} --seed ${caseSeed}`,
        problem: objections.slice(0, 10).join('\n'),
      });
    }
    const msPerRound = Math.round((performance.now() - sinceMs) / Math.max(1, tally.rounds));
    return { ...tally, ms_per_round: msPerRound, failures };
  },
});
