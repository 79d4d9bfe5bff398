/*
 * How many nodes per second the runtime completes, beside what the machine can do at all, measured in the same run:
 *
 *   promises   the same graph over plain promises, in this thread, nothing durable: the cost of the graph itself
 *   piscina    as many no-op tasks on worker threads, each its own message, nothing durable, no dependencies
 *   fdatasync  writes of 4 KiB, each forced to disk: how many commits there can be in a second
 *
 * node bench/throughput.mjs [--rounds 3] [--threads N] [--scale 1] [--only NAME] [--durability sync] [--json]
 * Every figure is the best of the rounds. The machine should be otherwise idle.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Piscina } from 'piscina';
import { createRuntime, workflowFromSpec } from '../dist/src/runtime/index.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    durability: { type: 'string', default: 'sync' },
    json: { type: 'boolean', default: false },
  },
});
const [rounds, threads, scale] = [options.rounds, options.threads, options.scale].map(Number);
const NOOP = 'maestro:noop#task';

/** Graphs as lists of dependencies; `executions` of each run at once. Sizes are times --scale. */
const shapes = [
  { name: 'chain 200', executions: 1, graph: chain(size(200)) },
  { name: 'fan 1+1000+1', executions: 1, graph: layered([1, size(1000), 1]) },
  { name: 'layered 100×100', executions: 1, graph: layered(Array(100).fill(size(100)), 3) },
  { name: 'many 1000×6', executions: size(1000), graph: [[], [0], [1], [1], [2, 3], [4]] },
];

function size(count) {
  return Math.max(1, Math.round(count * scale));
}

function chain(length) {
  return Array.from({ length }, (_, node) => (node === 0 ? [] : [node - 1]));
}

/** Each node depends on `degree` nodes of the layer before, or on all of it. */
function layered(widths, degree = Infinity) {
  const graph = [];
  let before = [];
  for (const width of widths) {
    const layer = [];
    for (let k = 0; k < width; k++) {
      const some = before.length > degree ? neighbours(before, k, degree) : before;
      layer.push(graph.push(some) - 1);
    }
    before = layer;
  }
  return graph;
}

function neighbours(layer, position, degree) {
  return Array.from({ length: degree }, (_, k) => layer[(position + k) % layer.length]);
}

function workflowOf(name, graph) {
  const nodes = graph.map((dependencies, node) => ({
    id: `n${node}`,
    name: `n${node}`,
    type: 'custom',
    dependencies: dependencies.map((dependency) => `n${dependency}`),
    uses: NOOP,
  }));
  return workflowFromSpec({ workflow: { id: name.replaceAll(/[^a-z0-9]+/g, '-'), name }, nodes });
}

/** Seconds from the first start to the last end. All is warm: one execution of the same workflow went before. */
async function runtimeSeconds({ name, executions, graph }) {
  const folder = mkdtempSync(join(tmpdir(), 'maestro-bench-'));
  const workflow = workflowOf(name, graph);
  const { durability } = options;
  const runtime = await createRuntime({ store: `lmdb:${folder}`, durability, pool: { threads } });
  try {
    await (
      await runtime.start(workflow)
    ).result;
    return await secondsOf(async () => {
      const started = Array.from({ length: executions }, () => runtime.start(workflow));
      for (const execution of started) {
        const { status } = await (await execution).result;
        if (status !== 'completed') throw new Error(`${name} ${status}`);
      }
    });
  } finally {
    await runtime.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function promiseSeconds({ executions, graph }) {
  return secondsOf(async () => {
    const ends = [];
    for (let k = 0; k < executions; k++) {
      const done = [];
      for (const dependencies of graph)
        done.push(Promise.all(dependencies.map((node) => done[node])).then(() => ({})));
      ends.push(Promise.all(done));
    }
    await Promise.all(ends);
  });
}

async function piscinaSeconds(tasks) {
  const pool = new Piscina({
    filename: join(import.meta.dirname, 'noop-task.mjs'),
    minThreads: threads,
    maxThreads: threads,
  });
  try {
    await Promise.all(Array.from({ length: 10 * threads }, () => pool.run({})));
    return await secondsOf(() => Promise.all(Array.from({ length: tasks }, () => pool.run({}))));
  } finally {
    await pool.destroy();
  }
}

async function fdatasyncSeconds(writes) {
  const folder = mkdtempSync(join(tmpdir(), 'maestro-bench-'));
  const file = openSync(join(folder, 'file'), 'w');
  const page = Buffer.alloc(4096, 1);
  try {
    return await secondsOf(() => {
      for (let k = 0; k < writes; k++) {
        writeSync(file, page);
        fdatasyncSync(file);
      }
    });
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function secondsOf(work) {
  const sinceMs = performance.now();
  await work();
  return (performance.now() - sinceMs) / 1000;
}

/** Things per second in the best of the rounds, and in the worst. */
async function rate(count, measure) {
  const rates = [];
  for (let round = 0; round < rounds; round++) rates.push(count / (await measure()));
  return { best: Math.round(Math.max(...rates)), worst: Math.round(Math.min(...rates)) };
}

const { durability } = options;
const loadBefore = loadavg()[0];
const yardsticks = {
  piscina_tasks_per_second: await rate(size(10_000), () => piscinaSeconds(size(10_000))),
  fdatasync_per_second: await rate(500, () => fdatasyncSeconds(500)),
};
const results = [];
for (const shape of shapes) {
  if (options.only !== undefined && !shape.name.startsWith(options.only)) continue;
  const nodes = shape.executions * shape.graph.length;
  results.push({
    shape: shape.name,
    nodes,
    nodes_per_second: await rate(nodes, () => runtimeSeconds(shape)),
    promises_per_second: await rate(nodes, () => promiseSeconds(shape)),
  });
}
const load = [loadBefore, loadavg()[0]].map((value) => Math.round(value * 10) / 10);
const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load };
if (options.json) {
  console.log(JSON.stringify({ machine, threads, durability, rounds, yardsticks, results }, null, 2));
} else {
  const { piscina_tasks_per_second: piscina, fdatasync_per_second: fdatasync } = yardsticks;
  const show = ({ best, worst }) => `${best.toLocaleString('en')} (worst ${worst.toLocaleString('en')})`;
  console.log(`node ${machine.node}, ${machine.cores} × ${machine.cpu}, load ${load.join(' → ')}`);
  console.log(`${threads} threads, ${durability}, best of ${rounds}, per second:`);
  console.log(`  piscina tasks, one message each   ${show(piscina)}`);
  console.log(`  writes of 4 KiB with fdatasync    ${show(fdatasync)}`);
  for (const { shape, nodes_per_second, promises_per_second } of results) {
    const ratio = (nodes_per_second.best / piscina.best).toFixed(2);
    console.log(`  ${shape.padEnd(17)} nodes  ${show(nodes_per_second)}, ${ratio} × piscina`);
    console.log(`  ${' '.repeat(17)} plain promises  ${show(promises_per_second)}`);
  }
}
