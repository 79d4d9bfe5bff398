import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lcg } from '../support/random-dag.js';
import { tempDirs } from '../support/temp-dir.js';

/** Kills in all, over as many executions as it takes. */
const KILLS = Number(process.env.MAESTRO_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.MAESTRO_CRASH_SEED ?? Date.now() % 2 ** 31);
const NODES = 1000;
const FIXTURES = resolve(import.meta.dirname, '../fixtures/crash');
const tempDir = tempDirs('maestro-crash');

interface CrashNode {
  id: string;
  dependencies: string[];
  config: { number: number; sleepMs: number; failsFirst: boolean };
  isCommand: boolean;
}

/** Layers of up to 40 nodes; each node depends on 2 or 3 of the layer before. Some fail once, some are commands. */
function randomGraph(random: () => number): CrashNode[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  const nodes: CrashNode[] = [];
  let layer: string[] = [];
  while (nodes.length < NODES) {
    const next: string[] = [];
    for (let width = 1 + below(40); width > 0 && nodes.length < NODES; width--) {
      const dependencies = new Set<string>();
      for (let k = 2 + below(2); k > 0 && layer.length > 0; k--) dependencies.add(layer[below(layer.length)]);
      const id = `n${nodes.length}`;
      const isCommand = random() < 0.01;
      const config = { number: below(1000), sleepMs: below(3), failsFirst: !isCommand && random() < 0.05 };
      nodes.push({ id, dependencies: [...dependencies], config, isCommand });
      next.push(id);
    }
    layer = next;
  }
  return nodes;
}

/** The workflow file. A command leaves its line first and answers its own number. */
function documentOf(nodes: readonly CrashNode[], witness: string): unknown {
  const command = 'echo "$CRASH_LIFE $NODE" >> "$WITNESS"; echo "{\\"value\\": $NUMBER}"';
  return {
    workflow: { id: 'crash', name: 'crash' },
    nodes: nodes.map(({ id, dependencies, config, isCommand }) => ({
      id,
      name: id,
      type: 'custom',
      dependencies,
      config,
      retry_policy: { max_attempts: 2, retry_delay_seconds: 0.001 },
      ...(isCommand
        ? { run: command, env: { NODE: id, WITNESS: witness, NUMBER: String(config.number) } }
        : { uses: `${join(FIXTURES, 'steps.js')}#work` }),
    })),
  };
}

function expectedOutputs(nodes: readonly CrashNode[]): Record<string, { value: number }> {
  const values = new Map<string, number>();
  for (const { id, dependencies, config, isCommand } of nodes) {
    const inputs = isCommand ? [] : dependencies.map((dependency) => values.get(dependency) ?? NaN);
    values.set(id, inputs.reduce((total, value) => total + value, config.number) % 1_000_003);
  }
  return Object.fromEntries([...values].map(([id, value]) => [id, { value }]));
}

/** When a life is to end: so long after it said `after`, or once it has told so many completions. */
type Death = { after: 'spawn' | 'opening' | 'opened'; ms: number } | { completions: number };

function randomDeath(random: () => number): Death {
  const kind = random();
  if (kind < 0.1) return { after: 'spawn', ms: random() * 300 };
  if (kind < 0.3) return { after: 'opening', ms: random() * 60 };
  if (kind < 0.5) return { after: 'opened', ms: random() * 60 };
  return { completions: 1 + Math.floor(random() * 250) };
}

interface Life {
  killed: boolean;
  /** Whole lines it wrote. */
  lines: string[];
  err: string;
}

/** Runs one life. What it wrote before it was killed is in the pipe, and is read to its end. */
function live(args: readonly string[], number: number, death: Death | null): Promise<Life> {
  const child = spawn(process.execPath, [join(FIXTURES, 'run.js'), ...args], {
    env: { ...process.env, CRASH_LIFE: String(number) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): boolean => child.kill('SIGKILL');
  let [out, err, seen] = ['', '', 0];
  let timer: NodeJS.Timeout | undefined;
  const sees = (marker: string): void => {
    if (death === null) return;
    if ('completions' in death) {
      if (marker.startsWith('done ') && ++seen === death.completions) kill();
    } else if (death.after === marker) timer = setTimeout(kill, death.ms);
  };
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (out + chunk.toString()).slice(out.lastIndexOf('\n') + 1).split('\n');
    out += chunk.toString();
    for (const line of lines.slice(0, -1)) sees(line);
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  sees('spawn');
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (_code, signal) => {
      clearTimeout(timer);
      done({ killed: signal === 'SIGKILL', lines: out.split('\n').slice(0, -1), err });
    });
  });
}

/** Completions that were told, by node: in which life. A node told twice is an error. */
class Announcements {
  readonly lifeOf = new Map<string, number>();

  take(lines: readonly string[], life: number): void {
    for (const line of lines) {
      if (!line.startsWith('done ')) continue;
      const node = line.slice('done '.length);
      expect(this.lifeOf.has(node), `the completion of ${node} was told twice`).toBe(false);
      this.lifeOf.set(node, life);
    }
  }
}

/** What the witness file says against the run; empty when nothing. */
function objections(witness: string, nodes: readonly CrashNode[], told: Announcements): string[] {
  const wrong: string[] = [];
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const begunInLife = new Map<string, number>();
  for (const line of witness.trimEnd().split('\n')) {
    const [lifeText, id] = line.split(' ');
    const node = byId.get(id);
    if (node === undefined) return [...wrong, `an unknown line: ${line}`];
    const life = Number(lifeText);
    for (const dependency of node.dependencies)
      if (!seen.has(dependency)) wrong.push(`${id} ran before ${dependency}`);
    seen.add(id);
    const toldIn = told.lifeOf.get(id);
    if (toldIn !== undefined && life > toldIn) wrong.push(`${id} ran in life ${life}, told in ${toldIn}`);
    const begun = (begunInLife.get(line) ?? 0) + 1;
    begunInLife.set(line, begun);
    if (begun > (node.config.failsFirst ? 2 : 1)) wrong.push(`${id} ran ${begun} times in life ${life}`);
  }
  for (const { id } of nodes) if (!seen.has(id)) wrong.push(`${id} never ran`);
  return wrong;
}

/** One execution from its start to its end. Returns how many of its lives were killed. */
async function survive(random: () => number, kills: number): Promise<number> {
  const folder = tempDir();
  const [file, witness] = [join(folder, 'workflow.json'), join(folder, 'witness')];
  const nodes = randomGraph(random);
  writeFileSync(file, JSON.stringify(documentOf(nodes, witness)));
  const told = new Announcements();
  let killed = 0;
  for (let life = 1; ; life++) {
    const death = killed < kills ? randomDeath(random) : null;
    const { lines, err, ...ended } = await live(
      [join(folder, 'store'), file, 'crash-1', witness],
      life,
      death,
    );
    told.take(lines, life);
    if (ended.killed) killed++;
    const result = lines.find((line) => line.startsWith('result '));
    if (ended.killed && result === undefined) continue;
    expect(result, `life ${life} ended without a result: ${err}`).toBeDefined();
    const document = JSON.parse((result ?? '').slice('result '.length)) as Record<string, unknown>;
    expect(document).toMatchObject({ status: 'completed', completed_nodes: NODES });
    expect(document.node_outputs).toEqual(expectedOutputs(nodes));
    const attempts = nodes.map(({ id, config }) => [id, config.failsFirst ? 2 : 1]);
    expect(document.attempts).toEqual(Object.fromEntries(attempts));
    expect(objections(readFileSync(witness, 'utf8'), nodes, told)).toEqual([]);
    return killed;
  }
}

describe('a process that is killed', () => {
  it(
    `${KILLS} times goes on where it was: MAESTRO_CRASH_SEED=${SEED}`,
    async () => {
      const random = lcg(SEED);
      for (let left = KILLS; left > 0;) left -= await survive(random, left);
    },
    60_000 + KILLS * 10_000,
  );
});
