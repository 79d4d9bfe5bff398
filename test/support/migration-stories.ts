import type { ExecutionDocument, Runtime } from '../../src/runtime/types.js';
import { workflowFromSpec, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { buryOwners, quiet, simulate, type Fate, type SimulatedClock } from './simulation.js';

export type Nodes = readonly Readonly<Record<string, unknown>>[];
export type Header = Readonly<Record<string, unknown>>;

export const step = (id: string, more: object = {}) => ({
  id,
  name: id,
  type: 'custom',
  run: 'true',
  ...more,
});
export const after = (id: string, ...dependencies: string[]) => step(id, { dependencies });
export const wait = (id: string, signal: string, more: object = {}) => ({
  ...{ id, name: id, type: 'custom', wait_for: { signal } },
  ...more,
});
export const of = (nodes: Nodes, header: Header = {}, more: object = {}): Workflow =>
  workflowFromSpec({ workflow: { id: 'w', name: 'w', ...header }, nodes, ...more });

export interface World {
  runtime: Runtime;
  clock: SimulatedClock;
  dispatched: () => string[];
}

let lives = 0;

/** A process over the store, in which nodes take as long and end as is said; by default well, after 10 ms. */
export async function live(
  kv: MemoryKv,
  workflow: Workflow,
  fates: Record<string, Partial<Fate>> = {},
): Promise<World> {
  const { runtime, clock, pool } = await simulate(kv, {
    ...{ seed: ++lives, workflows: [workflow], slots: 100, lossRate: 0 },
    fateOf: (id) => ({ outcome: 'ok', durationMs: 10, output: JSON.stringify(id), ...fates[id] }),
  });
  return { runtime, clock, dispatched: () => pool.dispatched.map(({ call }) => call.nodeId) };
}

export interface Story {
  workflow: Workflow;
  fates?: Record<string, Partial<Fate>>;
  /** Sent once the execution has begun. */
  then?: (runtime: Runtime) => Promise<unknown>;
  /** Lets that many milliseconds pass, then its process is killed, or it is paused; by default it comes to its end. */
  killedAfterMs?: number;
  pausedAfterMs?: number;
}

/** An execution `e` of the workflow that nobody runs. */
export async function stopped({
  workflow,
  fates,
  then,
  killedAfterMs,
  pausedAfterMs,
}: Story): Promise<MemoryKv> {
  const kv = new MemoryKv();
  const { runtime, clock } = await live(kv, workflow, fates);
  const { result } = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
  await clock.run(then?.(runtime) ?? Promise.resolve());
  const ms = killedAfterMs ?? pausedAfterMs;
  if (ms === undefined) await clock.run(result);
  else {
    const late = clock.nowMs() + ms;
    await clock.run(new Promise<void>((done) => clock.setTimer(late - clock.nowMs(), done)));
    await quiet();
  }
  if (pausedAfterMs !== undefined) {
    await clock.run(runtime.pause('e'));
    await clock.run(result);
  }
  clock.forget();
  await buryOwners(kv);
  return kv;
}

export async function finish({ runtime, clock }: World): Promise<ExecutionDocument> {
  for (let left = 3; left > 0; left--) {
    const { status } = (await runtime.get('e'))!;
    if (status === 'completed') break;
    const again = status === 'failed' ? runtime.retry('e') : runtime.resume('e');
    await clock.run((await clock.run(again)).result);
  }
  return (await runtime.get('e'))!;
}

export const FAILS = { outcome: 'fail' as const };
export const SLOW = { durationMs: 10_000 };
export const NODES: Nodes = [step('a'), after('b', 'a'), after('c', 'b')];
export const LIST = { output: '[1,2,3]' };
export const MAPPED: Nodes = [step('list'), after('work', 'list')].map((node) =>
  node.id === 'work' ? { ...node, map: 'outputs.list' } : node,
);
export const LOOP = { repeat: { until: 'node.iteration == 3', max: 3, delay_seconds: 60 } };
export const CHILD = workflowFromSpec({ workflow: { id: 'child', name: 'child' }, nodes: [step('x')] });
