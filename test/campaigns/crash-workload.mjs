import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/*
 * What a killed process is to run: several executions of different shapes at once, with commands and threads, retries
 * and large outputs; and what must come of each.
 */

const STEPS = resolve(import.meta.dirname, '../fixtures/crash/steps.js');
const COMMAND = [
  'echo "$CRASH_LIFE $MAESTRO_EXECUTION_ID $NODE" >> "$WITNESS"',
  'echo "{\\"value\\": $NUMBER}"',
].join('; ');

/** Lists of dependencies, by position. */
const shapes = {
  chain: (below) => Array.from({ length: 10 + below(20) }, (_, k) => (k === 0 ? [] : [k - 1])),
  fan(below) {
    const width = 30 + below(100);
    const middle = Array.from({ length: width }, () => [0]);
    return [[], ...middle, middle.map((_, k) => k + 1)];
  },
  layered(below) {
    const graph = [];
    let before = [];
    for (const size = 100 + below(200); graph.length < size;) {
      const layer = [];
      for (let width = 1 + below(40); width > 0; width--) {
        const some = new Set();
        for (let k = 2 + below(2); k > 0 && before.length > 0; k--) some.add(before[below(before.length)]);
        layer.push(graph.push([...some]) - 1);
      }
      before = layer;
    }
    return graph;
  },
  sdlc: () => [[], [0], [1], [1], [2, 3], [4]],
};

function nodesOf(graph, random) {
  const below = (limit) => Math.floor(random() * limit);
  return graph.map((dependencies, k) => {
    const isCommand = random() < 0.01;
    const config = {
      number: below(1000),
      sleepMs: below(3),
      failsFirst: !isCommand && random() < 0.05,
      padBytes: !isCommand && random() < 0.01 ? 60_000 + below(100_000) : 0,
    };
    if (!isCommand && config.padBytes === 0 && config.number % 32 === 0) config.file = 'value.txt';
    return { id: `n${k}`, dependencies: dependencies.map((each) => `n${each}`), config, isCommand };
  });
}

/** The workflow file. A command leaves its line first and answers its own number. */
function documentOf(id, nodes, witness) {
  return {
    workflow: { id, name: id, on_failure: 'continue' },
    nodes: nodes.map(({ id: node, dependencies, config, isCommand }) => ({
      id: node,
      name: node,
      type: 'custom',
      dependencies,
      config,
      retry_policy: { max_attempts: 2, retry_delay_seconds: 0.001 },
      ...(isCommand
        ? { run: COMMAND, env: { NODE: node, WITNESS: witness, NUMBER: String(config.number) } }
        : { uses: `${STEPS}#work` }),
    })),
  };
}

/** What every node of a completed execution has put out. */
export function expectedOutputs(nodes) {
  const values = new Map();
  for (const { id, dependencies, config, isCommand } of nodes) {
    const inputs = isCommand ? [] : dependencies.map((each) => values.get(each));
    values.set(id, inputs.reduce((sum, value) => sum + value, config.number) % 1_000_003);
  }
  return Object.fromEntries(
    nodes.map(({ id, config }) => {
      const value = values.get(id);
      if (config.file !== undefined) return [id, { value, artifacts: [config.file] }];
      return [id, config.padBytes > 0 ? { value, pad: config.padBytes } : { value }];
    }),
  );
}

/** Executions of one case; several may share a workflow. */
function workloadOf(random) {
  const below = (limit) => Math.floor(random() * limit);
  const make = (name, shape, steering = {}) => ({
    name,
    nodes: nodesOf(shapes[shape](below), random),
    ...steering,
  });
  const workflows = [
    make('chain', 'chain'),
    make('fan', 'fan'),
    make('layered', 'layered'),
    make('paused', 'layered', { pauseAfter: 5 + below(60) }),
    make('cancelled', 'layered', { cancelAfter: 5 + below(80) }),
    make('deleted', 'sdlc', { deleted: true }),
    make('many', 'sdlc', { executions: 5 + below(15) }),
  ];
  const executions = workflows.flatMap(({ name, executions: count = 1, ...rest }) =>
    Array.from({ length: count }, (_, k) => ({ id: `${name}-${k}`, workflow: name, ...rest })),
  );
  return { workflows, executions, maxActiveExecutions: 2 + below(8) };
}

/**
 * Writes the files of a case into a folder: its workflows, and an empty witness file. `writePlan` says what the next life is
 * to do, given whose deletion has been asked for.
 */
export function writeCase(folder, random) {
  const { workflows, executions, maxActiveExecutions } = workloadOf(random);
  const witness = join(folder, 'witness');
  for (const { name, nodes } of workflows)
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(documentOf(name, nodes, witness)));
  writeFileSync(witness, '');
  const planFile = join(folder, 'plan.json');
  const writePlan = (deleting) =>
    writeFileSync(
      planFile,
      JSON.stringify({
        witness,
        maxActiveExecutions,
        deleting: [...deleting],
        executions: executions.map(({ id, workflow, pauseAfter, cancelAfter, deleted }) => {
          return { id, file: join(folder, `${workflow}.json`), pauseAfter, cancelAfter, deleted };
        }),
      }),
    );
  return { executions, witness, planFile, writePlan };
}
