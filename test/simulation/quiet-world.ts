import { SimulatedDisk } from '../../src/simulation/disk.js';
import { SimulatedPool, type SimulatedAttempt } from '../../src/simulation/pool.js';
import type { Job } from '../../src/pool/index.js';
import type { KvOp } from '../../src/store/kv.js';
import { Timeline } from '../../src/simulation/timeline.js';
import { World, type BootOptions, type SimulatedProcess } from '../../src/simulation/world.js';
import { workflowFromSpec, type NodeSpec, type Workflow } from '../../src/spec/index.js';

/** A world with one or more processes, in which nothing goes wrong by itself. */
export function quietWorld(
  workflow: Workflow,
  attemptOf: (nodeId: string, attempt: number, call: Job['call']) => SimulatedAttempt,
  more: Partial<BootOptions<SimulatedPool>> = {},
  /** Told what is on disk from then on. */
  applied: (ops: readonly KvOp[]) => void = () => {},
) {
  const timeline = new Timeline();
  const world = new World(timeline);
  const disk = new SimulatedDisk(timeline, {
    latencyMs: () => 1,
    faultOf: () => undefined,
    applied: (_, ops) => applied(ops),
  });
  const sent: string[] = [];
  /** What was sent, and with `-` what has ended. */
  const story: string[] = [];
  const options: BootOptions<SimulatedPool> = {
    seed: 1,
    workflows: [workflow],
    graceMs: 1_000,
    openDisk: (user) => disk.open(user),
    poolOf: ({ clock }) =>
      new SimulatedPool({
        clock,
        slots: 10,
        attemptOf: ({ call }) => {
          sent.push(`${call.executionId}/${call.nodeId}`);
          story.push(call.nodeId);
          return attemptOf(call.nodeId, call.attempt, call);
        },
        settled: ({ call }) => story.push(`-${call.nodeId}`),
      }),
    ...more,
  };
  const boot = async (): Promise<SimulatedProcess<SimulatedPool>> => {
    const process = world.create('p', options);
    await during(world.start(process, options));
    return process;
  };
  /** Lets time pass until the work is done. */
  async function during<T>(work: Promise<T>, untilMs?: number): Promise<T> {
    let settled = false;
    work.then(
      () => (settled = true),
      () => (settled = true),
    );
    if (!(await timeline.run(() => settled, { untilMs })))
      throw new Error('it did not come to an end in time');
    return work;
  }
  const pass = (ms: number): Promise<boolean> => timeline.run(() => false, { untilMs: timeline.nowMs + ms });
  const damage = async (key: string): Promise<void> => {
    const value = Uint8Array.from((await disk.rows.get(key))!);
    value[value.length - 1] ^= 0x40;
    await disk.rows.commit([{ op: 'put', key, value }]);
  };
  return { timeline, world, boot, during, pass, damage, sent, story };
}

/** Nodes `n0`, `n1`, … that run commands, unless they say otherwise. */
export function workflowOf(...nodes: Partial<NodeSpec>[]): Workflow {
  const all = nodes.map((node, k) => ({
    id: `n${k}`,
    name: `n${k}`,
    type: 'custom' as const,
    run: 'x',
    ...node,
  }));
  return workflowFromSpec({ workflow: { id: 'w', name: 'w' }, nodes: all });
}

export const succeeds = (durationMs: number): SimulatedAttempt => ({
  durationMs,
  outcome: { ok: true, output: '{}', artifacts: [], durationMs },
});
export const fails: SimulatedAttempt = {
  durationMs: 10,
  outcome: { ok: false, kind: 'error', error: { name: 'Error', message: 'no' }, durationMs: 10 },
};
