import { createRuntime, workflowFromSpec, type Runtime, type Workflow } from '../../src/runtime/index.js';
import type { StoreUse } from './types.js';

interface Stored {
  readonly folder: string;
}

/** Executions that are started before the first of them is waited for. */
const AT_ONCE = 1000;
/** How often each thing is done; the median counts. */
const TIMES = 301;
const OPENINGS = 101;

function oneNode(): Workflow {
  return workflowFromSpec(
    {
      workflow: { id: 'stored', name: 'stored' },
      nodes: [{ id: 'a', name: 'a', type: 'custom', dependencies: [] }],
    },
    { functions: new Map([['a', () => ({})]]) },
  );
}

/** Executions of one node that have completed. */
export async function fillStore({ folder, executions }: Stored & { executions: number }): Promise<null> {
  const runtime = await createRuntime({ store: `lmdb:${folder}`, durability: 'async', events: false });
  const workflow = oneNode();
  for (let done = 0; done < executions; done += AT_ONCE) {
    const count = Math.min(AT_ONCE, executions - done);
    await Promise.all(Array.from({ length: count }, async () => (await runtime.start(workflow)).result));
  }
  await runtime.close();
  return null;
}

/** How long it takes to open a store, to start an execution (until it is stored) and to list the newest hundred. */
export async function useStore({ folder }: Stored): Promise<StoreUse> {
  const open = (): Promise<Runtime> => createRuntime({ store: `lmdb:${folder}` });
  const openMs = await medianOf(async () => {
    const beforeMs = performance.now();
    const opened = await open();
    const tookMs = performance.now() - beforeMs;
    await opened.close();
    return tookMs;
  }, OPENINGS);
  const runtime = await open();
  const workflow = oneNode();
  const start = async (): Promise<number> => {
    const beforeMs = performance.now();
    const execution = await runtime.start(workflow);
    const tookMs = performance.now() - beforeMs;
    await execution.result;
    return tookMs;
  };
  const list = async (): Promise<number> => {
    const beforeMs = performance.now();
    await runtime.list({ limit: 100 });
    return performance.now() - beforeMs;
  };
  const startMs = await medianOf(start);
  const listMs = await medianOf(list);
  await runtime.close();
  return { openMs, startMs, listMs };
}

/** Of what is warm: a third as often before. */
async function medianOf(measure: () => Promise<number>, times = TIMES): Promise<number> {
  for (let k = 0; k < times / 3; k++) await measure();
  const all = new Float64Array(times);
  for (let k = 0; k < times; k++) all[k] = await measure();
  return all.sort()[times >> 1];
}
