import {
  createRuntime,
  workflowFromSpec,
  type RuntimeOptions,
  type StepFunction,
  type Workflow,
} from '../../src/runtime/index.js';
import { dieWhenAnswered } from '../child.js';
import { casesOf } from '../matrix.js';
import { graphOf } from '../shapes.js';
import { workflowOf } from '../workloads.js';

interface Many {
  readonly folder: string;
  readonly executions: number;
}
interface Large {
  readonly folder: string;
  readonly nodes: number;
}

const THREADS = 2;
const WIDTH = 1000;
const LOOK_EVERY_MS = 50;

/** Starts executions and dies when the second node of every one is running. */
export async function interruptMany({ folder, executions }: Many): Promise<null> {
  const begun = allBegun(executions);
  const workflow = sdlc(begun.step);
  const runtime = await createRuntime(optionsOfMany({ folder, executions }));
  await Promise.all(Array.from({ length: executions }, () => runtime.start(workflow)));
  await begun.all;
  // What the last of them wrote is on disk with a commit after it.
  await runtime.start(workflow);
  dieWhenAnswered();
  return null;
}

/** Seconds from opening the store until the second node has begun again in every execution. Dies afterwards. */
export async function recoverMany({ folder, executions }: Many): Promise<number> {
  const begun = allBegun(executions);
  const workflows = [sdlc(begun.step)];
  const sinceMs = performance.now();
  await createRuntime({ ...optionsOfMany({ folder, executions }), workflows });
  await begun.all;
  const seconds = (performance.now() - sinceMs) / 1000;
  dieWhenAnswered();
  return seconds;
}

/** Enough room for all, or most would wait for the others to end. */
function optionsOfMany({ folder, executions }: Many): RuntimeOptions {
  const room = executions + 10;
  return { store: `lmdb:${folder}`, maxActiveExecutions: room, pool: { inline: room } };
}

/** The six nodes of `many`; all but the first run what is given. */
function sdlc(second: StepFunction): Workflow {
  const each = casesOf({ shapes: ['many'], nodes: [6], pools: ['inline'] })[0];
  const { spec } = workflowOf(each, graphOf('many', { nodes: 6, seed: each.seed }));
  const functions = spec.nodes.map(({ id }, node): [string, StepFunction] => [
    id,
    node === 0 ? () => ({}) : second,
  ]);
  return workflowFromSpec(spec, { functions: new Map(functions) });
}

/** A step that never ends, and a promise of its having begun so often. */
function allBegun(wanted: number): { step: StepFunction; all: Promise<void> } {
  let begun = 0;
  let tell!: () => void;
  const all = new Promise<void>((resolve) => (tell = resolve));
  const step: StepFunction = () => {
    begun++;
    if (begun === wanted) tell();
    return new Promise<never>(() => {});
  };
  return { step, all };
}

/** Starts one execution and dies when half of its nodes have completed. */
export async function interruptLarge({ folder, nodes }: Large): Promise<null> {
  const [each] = casesOf({ shapes: ['layered'], nodes: [nodes], width: Math.min(WIDTH, nodes / 10) });
  const { shape: _, file: __, ...size } = each;
  const workflow = workflowOf(each, graphOf('layered', size));
  const runtime = await createRuntime({ store: `lmdb:${folder}`, pool: { threads: THREADS } });
  await runtime.start(workflow);
  for (let completed = 0; completed < nodes / 2;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    completed = (await runtime.metrics()).nodes.completed;
  }
  dieWhenAnswered();
  return null;
}

/** Seconds from opening the store until a node of it has started. Dies afterwards. */
export async function recoverLarge({ folder }: Pick<Large, 'folder'>): Promise<number> {
  let tell!: () => void;
  const started = new Promise<void>((resolve) => (tell = resolve));
  const sinceMs = performance.now();
  await createRuntime({
    store: `lmdb:${folder}`,
    pool: { threads: THREADS },
    onEvent: ({ event_type }) => {
      if (event_type === 'node_started') tell();
    },
  });
  await started;
  const seconds = (performance.now() - sinceMs) / 1000;
  dieWhenAnswered();
  return seconds;
}
