import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { seededRandom } from '../../dist/src/runtime/index.js';
import { Judge } from './crash-judge.mjs';
import { writeCase } from './crash-workload.mjs';
import { Disk } from './power-disk.mjs';
import { readTrace, straceArgs } from './power-trace.mjs';
import { campaign } from './runner.mjs';

/*
 * A process that runs executions is traced: every write and sync of the files of its store. From that follows what may be on
 * the disk after a power cut at any moment (power-disk.mjs). A round is such a moment: the store is laid out as it would
 * be then, and a process runs on it until all executions have ended. What had been told until then must hold. The same
 * again for a process that recovered from one of the cuts.
 */

const LIFE = resolve(import.meta.dirname, '../fixtures/crash/life.js');
/** A life that takes longer hangs. */
const LIFE_MS = 120_000;
/** Lives of a case that are traced: the later ones begin with a recovery. */
const TRACED = 2;
/** Cuts of one traced life. */
const CUTS = 6;
/** What is mapped into memory, and set up anew by whoever opens a store that nobody has open. */
const isMapped = (path) => basename(path) === 'lock.mdb';

/** Of which files a disk lies that is not to be trusted: what this campaign must find. */
const LIES = {
  no: () => false,
  all: () => true,
  log: (path) => basename(path).startsWith('log-'),
};

/** Runs one life, alone or under strace. @returns what it wrote, and how it ended */
function live(folder, life, under = []) {
  const out = openSync(join(folder, 'out'), 'w');
  const command = [...under, process.execPath, LIFE, join(folder, 'store'), join(folder, 'plan.json')];
  const child = spawn(command[0], command.slice(1), {
    env: { ...process.env, CRASH_LIFE: String(life) },
    stdio: ['ignore', out, 'pipe'],
  });
  closeSync(out);
  let err = '';
  child.stderr.on('data', (chunk) => (err += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIFE_MS);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({ ended: signal ?? code, lines: linesOf(readFileSync(join(folder, 'out'), 'utf8')), err });
    });
  });
}

const linesOf = (text) => text.split('\n').slice(0, -1);

/** What was written to a file until then, in the order in which that began. */
function textUntil(calls, path, moment) {
  const parts = calls.filter((call) => call.kind === 'write' && call.path === path && call.begin <= moment);
  return Buffer.concat(parts.map(({ data }) => data)).toString();
}

/** One case: a workload, and the cuts of its lives. */
class Case {
  objections = [];
  /** What has been told, with the life that told it. */
  told = [];
  witness = '';
  /** What is on disk, by path. */
  files = new Map();

  constructor(seed, lies) {
    this.random = seededRandom(seed);
    this.lies = lies;
    this.folder = mkdtempSync(join(tmpdir(), 'maestro-power-'));
    this.store = join(this.folder, 'store');
    this.workload = writeCase(this.folder, this.random);
  }

  /** Lays out a store, and what the world has seen of its steps. @returns a judge who knows what was told */
  lay({ files, witness, told }) {
    rmSync(this.store, { recursive: true, force: true });
    for (const [path, bytes] of files) {
      if (bytes === null) mkdirSync(path, { recursive: true });
      else if (existsSync(dirname(path))) writeFileSync(path, bytes);
    }
    writeFileSync(this.workload.witness, witness);
    const judge = new Judge(this.workload.executions);
    for (const [line, life] of told) judge.take(line, life);
    this.workload.writePlan(judge.deleting);
    return judge;
  }

  /** A life under strace. */
  async trace(life) {
    this.lay(this);
    const file = join(this.folder, 'trace');
    const { ended, err } = await live(this.folder, life, ['strace', ...straceArgs(file)]);
    if (ended !== 0) throw new Error(`the traced life ${life} ended with ${ended}: ${err.slice(-2000)}`);
    const inside = `${this.folder}/`;
    const calls = await readTrace(file, (path) => path?.startsWith(inside) === true);
    rmSync(file);
    const disk = new Disk(
      this.files,
      calls.filter(({ path }) => path.startsWith(this.store)),
    );
    this.compare(disk.seen);
    return { calls, disk };
  }

  /** What was traced must be all that was done. */
  compare(seen) {
    for (const name of readdirSync(this.store, { recursive: true })) {
      const path = join(this.store, name);
      const bytes = seen.get(path);
      if (bytes === undefined) throw new Error(`the trace does not tell how ${name} came about`);
      if (bytes !== null && !isMapped(path) && !bytes.equals(readFileSync(path)))
        throw new Error(`${name} is not what the trace says`);
    }
  }

  /** What there is after a cut. */
  cut({ calls, disk }, life, moments) {
    const moment = moments[Math.floor(this.random() * moments.length)];
    // What a lie has kept off the disk is to be missed.
    const luck = this.lies === LIES.no ? [0, 0.5, 1, this.random()][Math.floor(this.random() * 4)] : 0;
    const out = textUntil(calls, join(this.folder, 'out'), moment);
    return {
      files: disk.after(moment, { random: this.random, luck, lies: this.lies }),
      witness: this.witness + textUntil(calls, this.workload.witness, moment),
      told: [...this.told, ...linesOf(out).map((line) => [line, life])],
      what: `a cut of life ${life} at line ${moment} of its trace, with luck ${luck}`,
    };
  }

  /** Goes on after a cut, to the end. */
  async survive(state, life) {
    const judge = this.lay(state);
    const { ended, lines, err } = await live(this.folder, life);
    for (const line of lines) judge.take(line, life);
    if (ended !== 0) judge.object(`life ${life} ended with ${ended}: ${err.slice(-2000)}`);
    else judge.conclude(readFileSync(this.workload.witness, 'utf8'));
    this.objections.push(...judge.objections.map((each) => `${state.what}: ${each}`));
    return judge.completions;
  }
}

async function tryCase(seed, rounds, { lies, tally, isOver, told }) {
  const each = new Case(seed, lies);
  let cuts = 0;
  try {
    for (let life = 1; life <= TRACED && cuts < rounds && !isOver(); life++) {
      const traced = await each.trace(life);
      const moments = [...new Set(traced.disk.moments)];
      tally.calls += traced.calls.length;
      for (let k = 0; k < CUTS && cuts < rounds && !isOver(); k++) {
        const state = each.cut(traced, life, moments);
        tally.completions += await each.survive(state, life + 1);
        cuts++;
        tally.rounds++;
        told();
        if (each.objections.length > 0) return { cuts, objections: each.objections };
        if (k === CUTS - 1) Object.assign(each, state);
      }
    }
  } finally {
    tally.cases++;
    if (each.objections.length === 0 || process.env.MAESTRO_KEEP === undefined)
      rmSync(each.folder, { recursive: true, force: true });
    else console.error(`kept: ${each.folder}`);
  }
  return { cuts, objections: each.objections };
}

await campaign({
  name: 'power',
  flags: {
    rounds: { default: 24, is: 'power cuts in all' },
    lies: {
      default: 'no',
      of: Object.keys(LIES),
      is: 'of which files the disk lies: no, log or all; ends with the first that is found',
    },
  },
  async run({ rounds, lies, seed, progress, aborted }) {
    const tally = { rounds: 0, cases: 0, calls: 0, completions: 0 };
    const failures = [];
    const told = () => progress(tally.rounds, rounds, `${tally.cases} cases`);
    const goesOn = () => !aborted() && (lies === 'no' || failures.length === 0);
    for (let left = rounds, caseSeed = seed; left > 0 && goesOn(); caseSeed++) {
      const { cuts, objections } = await tryCase(caseSeed, left, {
        ...{ lies: LIES[lies], tally, isOver: aborted, told },
      });
      left -= cuts;
      if (objections.length === 0) continue;
      failures.push({
        reproduce: `npm run test:power -- --rounds ${cuts} --seed ${caseSeed} --lies ${lies}`,
        problem: objections.slice(0, 10).join('\n'),
      });
    }
    return { ...tally, failures };
  },
});
