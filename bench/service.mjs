/**
 * The service at full rate: `GET /health`, then `POST /api/workflows`, against a real `maestro serve` on a store of its
 * own in `sync` with retention on. Exits 1 when anything went wrong: an answer other than expected, a lost connection,
 * an execution that was acknowledged and did not complete.
 *
 *   npm run bench:service -- [--seconds 60] [--connections 20] [--no-retention] [--json]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';

const MAIN = resolve(import.meta.dirname, '../dist/src/cli/main.js');
const MIB = 2 ** 20;
const MEMORY_EVERY_MS = 250;
/** What waits when the load ends is run before the figures count. */
const SETTLE_MS = 120_000;
const WORKFLOW = `workflow: { id: sdlc-linear, name: Linear }
nodes:
  - { id: requirements, name: Requirements, type: custom, uses: './steps.mjs#step' }
  - { id: design, name: Design, type: custom, uses: './steps.mjs#step', dependencies: [requirements] }
`;
const STEPS = 'export const step = ({ nodeId }) => ({ nodeId });\n';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '20' },
    retention: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
  },
  allowNegative: true,
});
const seconds = Number(values.seconds);
const connections = Number(values.connections);
if (!(seconds >= 1) || !(connections >= 1)) throw new Error('--seconds and --connections are numbers from 1');

async function run() {
  await writeFile(join(folder, 'linear.yaml'), WORKFLOW);
  await writeFile(join(folder, 'steps.mjs'), STEPS);
  const service = await serve();
  const memory = new MemoryWatch(service.child.pid);
  try {
    const start = await memory.now();
    const health = await load('GET /health', { url: `${service.url}/health` }, 200);
    const after_health = await memory.now();
    const post = {
      url: `${service.url}/api/workflows`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ requirement: 'A shop', workflow_type: 'linear' }),
    };
    // Flat over the quarters of the load, or it grows with what was ever run.
    const quarters = [];
    const timers = [1, 2, 3, 4].map((quarter) =>
      setTimeout(async () => quarters.push(await sizes()), (quarter * seconds * 1000) / 4),
    );
    const sizes = async () => ({ memory_mib: await memory.now(), store_mib: await storeSize() });
    const started = await load('POST /api/workflows', post, 201);
    for (const timer of timers) clearTimeout(timer);
    const settled = await settle(service.url);
    const end = await memory.now();
    memory.stop();
    service.child.kill('SIGTERM');
    const [code] = await once(service.child, 'close');
    const errors = [...health.errors, ...started.errors, ...settled.errors];
    if (code !== 0) errors.push(`the service ended with ${code}: ${service.log()}`);
    return {
      node: process.version,
      cores: cpus().length,
      durability: 'sync',
      seconds,
      connections,
      retention: values.retention,
      requests: [health, started],
      settle_seconds: settled.seconds,
      memory_mib: { start, after_health, peak: memory.peak, end },
      quarters,
      store_mib: await storeSize(),
      errors,
    };
  } finally {
    memory.stop();
    service.child.kill('SIGKILL');
  }
}

async function serve() {
  const args = [
    'serve',
    '--port',
    '0',
    '--store',
    `lmdb:${join(folder, 'store')}`,
    '--workflows',
    'linear.yaml',
  ];
  // The newest hundred and what ended within a second stay: what is deleted meanwhile is part of the load.
  if (values.retention) args.push('--retention', '1s', '--keep', '100');
  args.push('--requests-per-minute', '1000000000', '--json', '--log-level', 'warn');
  args.push('--mode', 'dag_parallel');
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4000)));
  await new Promise((ready, fail) => {
    child.stdout.on('data', (chunk) => (out += chunk).includes('}') && ready());
    child.on('close', () => fail(new Error(`the service did not start: ${log}`)));
  });
  return { child, url: JSON.parse(out).url, log: () => log };
}

/** @param expected the only status that is no error */
async function load(name, request, expected) {
  const result = await autocannon({ ...request, duration: seconds, connections, bailout: 1000 });
  const errors = [];
  const statuses = Object.entries(result.statusCodeStats ?? {});
  for (const [status, { count }] of statuses)
    if (Number(status) !== expected) errors.push(`${name}: ${count} answers with ${status}`);
  if (result.errors > 0)
    errors.push(`${name}: ${result.errors} connections failed (${result.timeouts} timeouts)`);
  if (result['2xx'] === 0) errors.push(`${name}: no answers`);
  const { p50, p97_5, p99, max } = result.latency;
  return {
    name,
    total: result['2xx'],
    per_second: Math.round(result['2xx'] / result.duration),
    latency_ms: { p50, p97_5, p99, max },
    errors,
  };
}

/** Waits until nothing runs any more. */
async function settle(url) {
  const began = performance.now();
  const some = async (status, limit) => {
    const answer = await fetch(`${url}/api/executions?status=${status}&limit=${limit}`);
    return (await answer.json()).executions.length;
  };
  for (;;) {
    const left = (await some('running', 1)) + (await some('pending', 1));
    const elapsed = performance.now() - began;
    const seconds = Math.round(elapsed / 100) / 10;
    if (left > 0 && elapsed < SETTLE_MS) await new Promise((done) => setTimeout(done, 250));
    else if (left > 0) return { seconds, errors: ['executions that were acknowledged have not ended'] };
    else {
      const errors = [];
      for (const status of ['failed', 'cancelled']) {
        const count = await some(status, 1000);
        if (count > 0) errors.push(`${count} or more executions are ${status}`);
      }
      return { seconds, errors };
    }
  }
}

/**
 * Memory of a process in MiB, where the system tells it (Linux). Without pages of files: what is read of the store is
 * mapped, so resident memory counts the store's pages, which the system takes back when it needs them.
 */
class MemoryWatch {
  peak = 0;

  constructor(pid) {
    this.pid = pid;
    this.timer = setInterval(() => void this.now(), MEMORY_EVERY_MS);
  }

  async now() {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8').catch(() => '');
    const used = mib(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
    this.peak = Math.max(this.peak, used);
    return used;
  }

  stop() {
    clearInterval(this.timer);
  }
}

async function storeSize() {
  return mib((await stat(join(folder, 'store', 'data.mdb'))).size);
}

function mib(bytes) {
  return Math.round(bytes / MIB);
}

function print({ requests, memory_mib, quarters, store_mib, errors, ...machine }) {
  const { node, cores, durability, settle_seconds } = machine;
  console.log(
    `Node ${node}, ${cores} cores, durability ${durability}, ${connections} connections, ${seconds} s each, retention ${values.retention ? 'on' : 'off'}\n`,
  );
  for (const { name, total, per_second, latency_ms } of requests) {
    const { p50, p97_5, p99, max } = latency_ms;
    console.log(`${name}: ${per_second}/s (${total}), p50 ${p50} ms, p97.5 ${p97_5}, p99 ${p99}, max ${max}`);
  }
  const { start, after_health, peak, end } = memory_mib;
  console.log(
    `memory of the service, without the mapped store: ${start} MiB, after /health ${after_health}, peak ${peak}, end ${end}`,
  );
  const each = (key) => quarters.map((sizes) => sizes[key]).join(', ');
  console.log(
    `after each quarter of the load: memory ${each('memory_mib')} MiB, store ${each('store_mib')} MiB`,
  );
  console.log(`store: ${store_mib} MiB; all executions had ended ${settle_seconds} s after the load`);
  for (const error of errors) console.log(`error: ${error}`);
}

const folder = await mkdtemp(join(tmpdir(), 'maestro-bench-'));
try {
  const report = await run();
  if (values.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
  process.exitCode = report.errors.length > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}
