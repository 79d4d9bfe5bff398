import { join } from 'node:path';
import process from 'node:process';
import {
  createRuntime,
  defineWorkflow,
  linearWorkflow,
  MaestroError,
  parallelWorkflow,
  parseWorkflow,
  planOf,
  readFlags,
  type ExecutionDocument,
  type RuntimeOptions,
  type Workflow,
} from '../../runtime/index.js';
import { CORE_MODULES, loadModules } from '../environment/modules.js';
import { count, shellQuote } from '../format/text.js';
import { packageVersion } from '../version.js';
import { killed } from './killed.js';
import { expect, type Check } from './runner.js';
import { tools } from './tools.js';

/** What the old system's integration test covered, and what this one promises besides. */
export const CHECKS: readonly Check[] = [
  { name: 'modules', vital: true, run: modules },
  { name: 'workflow creation', run: creation },
  { name: 'validation', run: validation },
  { name: 'cycle detection', run: cycles },
  { name: 'flags', run: flags },
  { name: 'simple execution', slow: true, run: simple },
  { name: 'parallel execution', slow: true, run: parallel },
  { name: 'conditions and retries', slow: true, run: conditionsAndRetries },
  { name: 'persistence', run: persistence },
  { name: 'resume after a kill', slow: true, run: killed },
  { name: 'tools', slow: true, run: tools },
  { name: 'service', slow: true, run: service },
];

async function modules(): Promise<string> {
  const states = await loadModules(CORE_MODULES);
  const broken = states.filter(({ usable }) => !usable);
  expect(
    broken.length === 0,
    broken.map(({ name, problem }) => `${name}: ${problem ?? 'unusable'}`).join('; '),
  );
  return `${count(states.length, 'module')} loaded, Node ${process.versions.node}`;
}

async function creation(): Promise<string> {
  const executor = () => ({ run: 'true' });
  const [linear, parallel] = [linearWorkflow(executor).build(), parallelWorkflow(executor).build()];
  const describe = ({ spec }: Workflow): string =>
    `${count(spec.nodes.length, 'node')}, ${planOf(spec).edgeCount} edges`;
  expect(
    planOf(linear.spec).nodeCount === planOf(parallel.spec).nodeCount,
    'the two SDLC workflows differ in nodes',
  );
  return Promise.resolve(`linear: ${describe(linear)}; parallel: ${describe(parallel)}`);
}

async function validation(): Promise<string> {
  const bad =
    'workflow: {id: w, name: w}\nnodes:\n  - {id: a, name: a, type: custom, dependencies: [nowhere]}\n';
  const problems = problemsOf(bad);
  expect(problems.includes('nowhere'), `an unknown dependency was not named: ${problems}`);
  return Promise.resolve('an unknown dependency and a missing executor are named');
}

async function cycles(): Promise<string> {
  const node = (id: string, on: string): string =>
    `  - {id: ${id}, name: ${id}, type: custom, run: 'true', dependencies: [${on}]}\n`;
  const problems = problemsOf(
    `workflow: {id: w, name: w}\nnodes:\n${node('a', 'c')}${node('b', 'a')}${node('c', 'b')}`,
  );
  expect(
    ['a', 'b', 'c'].every((id) => problems.includes(id)),
    `the cycle was not named: ${problems}`,
  );
  return Promise.resolve('a cycle is named node by node');
}

function problemsOf(text: string): string {
  try {
    parseWorkflow(text, { file: 'check.yaml', format: 'yaml' });
  } catch (error) {
    if (error instanceof MaestroError)
      return [error.message, ...error.problems.map(({ message }) => message)].join('; ');
    throw error;
  }
  throw new Error('an invalid workflow was accepted');
}

async function flags(): Promise<string> {
  const mode = (dag: string, parallel: string): string =>
    readFlags({ MAESTRO_ENABLE_DAG_EXECUTION: dag, MAESTRO_ENABLE_PARALLEL_EXECUTION: parallel }).mode;
  const modes = [mode('', ''), mode('true', 'off'), mode('1', 'yes')];
  expect(modes.join() === 'linear,dag_linear,dag_parallel', `the modes are ${modes.join()}`);
  const { conflicts } = readFlags({ MAESTRO_ENABLE_PARALLEL_EXECUTION: 'on' });
  expect(conflicts.length === 1, 'parallel without DAG is no conflict');
  return Promise.resolve(modes.join(', '));
}

/** Runs a workflow to its end; what it writes is under `folder`. */
async function finished(
  folder: string,
  workflow: Workflow,
  options: RuntimeOptions = {},
): Promise<ExecutionDocument> {
  const artifactRoot = join(folder, 'artifacts');
  const runtime = await createRuntime({ store: 'memory:', artifactRoot, ...options });
  try {
    const execution = await runtime.start(workflow);
    await execution.result;
    return (await runtime.get(execution.id))!;
  } finally {
    await runtime.close({ drainMs: 0 });
  }
}

async function simple(folder: string): Promise<string> {
  const workflow = defineWorkflow({ id: 'simple' })
    .node('thread', { uses: 'maestro:noop#task' })
    .node('command', { dependsOn: ['thread'], run: 'echo done' })
    .node('function', { dependsOn: ['command'], execute: () => ({ done: true }) })
    .build();
  const { status, error, completed_nodes } = await finished(folder, workflow);
  expect(status === 'completed', error?.message ?? status);
  return `${count(completed_nodes, 'node')}: on a thread, as a command, as a function`;
}

/** Each of two commands waits for the other's file: only when both run at once do they end. */
async function parallel(folder: string): Promise<string> {
  const meet = (mine: string, other: string): string =>
    `touch ${path(mine)}; n=0; until test -e ${path(other)}; do n=$((n+1)); test $n -gt 500 && exit 1; sleep 0.02; done`;
  const path = (name: string): string => shellQuote(join(folder, name));
  const workflow = defineWorkflow({ id: 'parallel' })
    .node('left', { run: meet('left', 'right') })
    .node('right', { run: meet('right', 'left') })
    .build();
  const { status, error } = await finished(folder, workflow, {
    mode: 'dag_parallel',
    pool: { commands: 2 },
  });
  expect(status === 'completed', `two nodes did not run at once: ${error?.message ?? status}`);
  return 'two nodes met while both were running';
}

async function conditionsAndRetries(folder: string): Promise<string> {
  let failures = 1;
  const workflow = defineWorkflow({ id: 'conditions' })
    .node('flaky', {
      retry: { maxAttempts: 2, delaySeconds: 0 },
      execute: () => {
        if (failures-- > 0) throw new Error('once');
        return { go: false };
      },
    })
    .node('guarded', { dependsOn: ['flaky'], condition: 'outputs.flaky.go', execute: () => null })
    .build();
  const { node_states, status } = await finished(folder, workflow);
  expect(status === 'completed' && node_states.flaky.attempt_count === 2, 'a failed attempt was not retried');
  expect(node_states.guarded.status === 'skipped', 'a node whose condition is false was not skipped');
  return 'one retry, one skip';
}

async function persistence(folder: string): Promise<string> {
  const store = `lmdb:${folder}/store`;
  const workflow = defineWorkflow({ id: 'kept' })
    .node('only', { execute: () => ({ kept: true }) })
    .build();
  const saved = await finished(folder, workflow, { store });
  const runtime = await createRuntime({ store });
  try {
    const loaded = await runtime.get(saved.execution_id);
    expect(JSON.stringify(loaded) === JSON.stringify(saved), 'what was loaded is not what was saved');
    expect(await runtime.delete(saved.execution_id), 'it could not be deleted');
    expect((await runtime.list()).records.length === 0, 'it is still listed');
    return 'saved, loaded, deleted';
  } finally {
    await runtime.close();
  }
}

async function service(): Promise<string> {
  const runtime = await createRuntime({ store: 'memory:' });
  const nothing = (): void => {};
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const { createService } = await import('../../server/index.js');
  const opened = await createService({ runtime, workflows: [], logger, version: packageVersion(), port: 0 });
  try {
    const url = await opened.listen();
    const answer = (await (await fetch(`${url}/health`)).json()) as { status: string };
    expect(answer.status === 'healthy' || answer.status === 'degraded', 'it does not answer to /health');
    return `answers on a port of its own: ${answer.status}`;
  } finally {
    await opened.close();
    await runtime.close();
  }
}
