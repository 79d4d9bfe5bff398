import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineSince, measureInChild, oneMinuteLoad, spreadOf } from '../../dist/bench/harness.js';
import { inChild } from '../../dist/bench/child.js';
import { canTrace, traced } from '../../dist/bench/fsyncs.js';
import { casesOf } from '../../dist/bench/matrix.js';
import { OURS, PEERS } from './peers.mjs';
import { SERVICES } from './services.mjs';
import { peersText } from './text.mjs';

const HERE = import.meta.dirname;
/** Sizes that every peer takes: one of them has at most 1,000 steps in a workflow. */
const SHAPES = { chain: 100, fan: 502, many: 600, layered: 900 };
const HELP = `npm run bench:peers -- [shape...] [options]

Measures the same graphs, with steps that do nothing, on maestro-dag and on what one could use instead, each in a
process of its own, one after the other. Shapes: ${Object.keys(SHAPES).join(', ')} (default: all).

  --peers LIST       only these: ${PEERS.map(({ peer }) => peer).join('; ')}
                     (separated by semicolons; 'none': only maestro)
  --nodes N          instead of the sizes that every peer takes
  --repetitions N    of each measurement; the best counts (default 3)
  --limit SECONDS    after which a measurement is given up (default 120)
  --no-trace         do not count fsyncs with strace
  --json
  --help
`;

async function main() {
  const options = optionsOf();
  if (options.help) return void process.stdout.write(HELP);
  const loadBefore = oneMinuteLoad();
  const date = new Date().toISOString();
  const root = await mkdtemp(join(tmpdir(), 'maestro-peers-'));
  const running = new Map();
  const stopAll = async () => {
    for (const service of running.values()) await service.then(({ stop }) => stop()).catch(() => undefined);
    await rm(root, { recursive: true, force: true });
  };
  const stopNow = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopNow.abort());
  try {
    if (options.peers.length > 0) install();
    // Of their libraries, about their libraries.
    process.env.NODE_NO_WARNINGS = '1';
    const run = { ...options, root, running, signal: stopNow.signal };
    const yardsticks = {};
    for (const [name, job] of Object.entries({ fdatasync: { kind: 'fdatasync' }, lmdb: { kind: 'lmdb' } }))
      yardsticks[`${name}_per_second`] = await measureInChild(job);
    const results = [];
    for (const each of [...OURS, ...options.peers]) {
      if (run.signal.aborted) break;
      results.push(await measurePeer(each, run));
    }
    const report = {
      format: 'maestro-peers/1',
      date,
      machine: machineSince(loadBefore),
      repetitions: options.repetitions,
      yardsticks,
      results,
    };
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : peersText(report));
    if (stopNow.signal.aborted) process.exitCode = 130;
  } finally {
    await stopAll();
  }
}

function optionsOf() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: 'string' },
      nodes: { type: 'string' },
      repetitions: { type: 'string', default: '3' },
      limit: { type: 'string', default: '120' },
      trace: { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  const count = (name) => {
    const number = Number(values[name]);
    if (!(Number.isInteger(number) && number > 0)) throw new Error(`--${name} is a whole number above 0`);
    return number;
  };
  const shapes = positionals.length > 0 ? positionals : Object.keys(SHAPES);
  for (const shape of shapes)
    if (!(shape in SHAPES)) throw new Error(`there is no shape ${shape}\n\n${HELP}`);
  const wanted = values.peers?.split(';').map((each) => each.trim());
  for (const each of wanted ?? [])
    if (each !== 'none' && !PEERS.some(({ peer }) => peer === each))
      throw new Error(`there is no peer ${each}\n\n${HELP}`);
  return {
    help: values.help,
    json: values.json,
    trace: values.trace && canTrace(),
    repetitions: count('repetitions'),
    limitMs: count('limit') * 1000,
    peers: PEERS.filter(({ peer }) => wanted === undefined || wanted.includes(peer)),
    sizes: shapes.map((shape) => ({
      shape,
      nodes: values.nodes === undefined ? SHAPES[shape] : count('nodes'),
      seed: 1,
    })),
  };
}

/** The peers, by their lock file; no script of theirs is run. */
function install() {
  const installed = join(HERE, 'node_modules/.package-lock.json');
  if (
    existsSync(installed) &&
    statSync(installed).mtimeMs >= statSync(join(HERE, 'package-lock.json')).mtimeMs
  )
    return;
  process.stderr.write('installing the peers into bench/peers/node_modules\n');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: HERE, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the peers could not be installed: see above');
}

async function measurePeer(each, run) {
  const { peer } = each;
  const isOurs = OURS.includes(each);
  const version = isOurs
    ? versionIn(join(HERE, '../..'))
    : versionIn(join(HERE, 'node_modules', each.package));
  const missing = isOurs ? undefined : unavailable(each);
  if (missing !== undefined) return { peer, version, skipped: missing };
  try {
    const service = isOurs ? undefined : await serviceOf(each, run);
    const durability = [each.durability, service?.what].filter(Boolean).join('; ');
    const shapes = {};
    for (const size of run.sizes) {
      if (run.signal.aborted) break;
      shapes[size.shape] = await measureShape(each, size, run, service?.url);
    }
    return { peer, version, durability, shapes };
  } catch (error) {
    return { peer, version, skipped: error.message };
  }
}

function versionIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function unavailable({ node, service }) {
  const [major, minor] = node.split('.').map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor < major || (ownMajor === major && ownMinor < minor))
    return `it, or the SQLite that it needs, takes Node ${node} or newer; this is ${process.version}`;
  if (service !== undefined && SERVICES[service].find() === undefined) return SERVICES[service].missing;
  return undefined;
}

/** One server for each kind and its settings, started when first needed. */
async function serviceOf({ service, settings }, { root, running }) {
  if (service === undefined) return undefined;
  const name = `${service}-${settings ?? 'default'}`;
  if (!running.has(name)) {
    const { find, start } = SERVICES[service];
    const folder = join(root, name);
    await mkdir(folder);
    running.set(name, start(find(), folder, settings));
  }
  return running.get(name);
}

async function measureShape(each, size, run, url) {
  const runs = [];
  const name = `${each.peer}: ${size.shape} ${size.nodes}`;
  for (let k = 0; k < run.repetitions; k++) {
    process.stderr.write(`${name}\n`);
    const found = await measureOnce(each, { ...size, url }, run);
    if (found.refused !== undefined || found.failed !== undefined) return found;
    runs.push(found);
  }
  const { nodes, executions } = runs[0];
  const fsyncs = run.trace && !run.signal.aborted ? await countFsyncs(each, { ...size, url }, run) : null;
  return {
    nodes,
    executions,
    nodes_per_second: spreadOf(runs.map((one) => nodes / one.seconds)),
    executions_per_second: spreadOf(runs.map((one) => executions / one.seconds)),
    fsyncs_per_execution: fsyncs,
  };
}

async function measureOnce(each, size, { root, limitMs, signal }, more = {}) {
  const limit = AbortSignal.timeout(limitMs);
  const folder = await mkdtemp(join(root, 'run-'));
  const options = { signal: AbortSignal.any([limit, signal]), under: more.under };
  try {
    if (each.adapter === undefined) {
      const { shape, nodes } = size;
      const [own] = casesOf({
        ...each,
        shapes: [shape],
        nodes: [nodes],
        workers: each.pools[0] === 'inline' ? 100 : undefined,
      });
      return await measureInChild({ kind: 'case', case: own, marks: more.marks }, options);
    }
    const job = { adapter: each.adapter, ...size, folder, marks: more.marks };
    return await inChild(job, { script: join(HERE, 'child.mjs'), what: each.peer, ...options });
  } catch (error) {
    if (limit.aborted) return { failed: `not in ${limitMs / 1000} s` };
    return { failed: error.message };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the process itself: a server's are not seen. */
async function countFsyncs(each, size, run) {
  if (each.service !== undefined) return null;
  const counted = await traced((under) => measureOnce(each, size, run, { under, marks: run.root }));
  const { executions } = counted.result;
  return executions === undefined ? null : (counted.syncs + counted.synchronous_writes) / executions;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
