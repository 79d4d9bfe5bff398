import { afterEach, describe, expect, it } from 'vitest';
import { createRuntime, defineWorkflow, openKv, type Kv, type Runtime } from '../../src/runtime/index.js';
import { Steering } from '../../src/runtime/steering.js';

const open: Runtime[] = [];
afterEach(async () => {
  for (const runtime of open.splice(0)) await runtime.close({ drainMs: 0 });
});

/** A memory store that outlives the runtimes on it. */
async function lastingStore(): Promise<Kv> {
  const kv = await openKv('memory:');
  return {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    commit: (ops, guards) => kv.commit(ops, guards),
    close: () => Promise.resolve(),
  };
}

/** A workflow whose second node waits, and an execution of it that a closed runtime left behind. */
async function leftBehind(): Promise<{
  reopen: (options?: { recover?: boolean }) => Promise<Runtime>;
  id: string;
  runs: () => number;
  release: () => void;
}> {
  let runs = 0;
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const workflow = defineWorkflow({ id: 'waits' })
    .node('first', { execute: () => ({}) })
    .node('second', {
      dependsOn: ['first'],
      execute: async ({ signal }) => {
        runs++;
        const stop = new Promise((resolve) => signal.addEventListener('abort', resolve));
        await Promise.race([gate, stop]);
        return {};
      },
    })
    .build();
  const store = await lastingStore();
  const reopen = async (options: { recover?: boolean } = {}): Promise<Runtime> => {
    const runtime = await createRuntime({ store, workflows: [workflow], pool: { graceMs: 10 }, ...options });
    open.push(runtime);
    return runtime;
  };
  const before = await reopen();
  const { id } = await before.start(workflow);
  await expect.poll(() => runs).toBe(1);
  await before.close({ drainMs: 0 });
  runs = 0;
  return { reopen, id, runs: () => runs, release };
}

describe('an execution that is just being read from the store', () => {
  it.each([true, false])('comes into memory once, whoever asks for it (recovery: %s)', async (recover) => {
    const { reopen, id, runs, release } = await leftBehind();
    const runtime = await reopen({ recover });
    const [one, two] = await Promise.all([runtime.resume(id), runtime.resume(id)]);
    expect(one).toBe(two);
    await expect.poll(runs).toBe(1);
    release();
    expect(await one.result).toMatchObject({ status: 'completed', completed_nodes: 2 });
    expect(runs()).toBe(1);
    expect(await runtime.get(id)).toMatchObject({ status: 'completed' });
  });

  it('takes a pause', async () => {
    const { reopen, id, release } = await leftBehind();
    const runtime = await reopen();
    const execution = runtime.resume(id);
    await runtime.pause(id);
    release();
    expect(await (await execution).result).toMatchObject({ status: 'paused' });
  });

  it('takes a cancellation', async () => {
    const { reopen, id } = await leftBehind();
    const runtime = await reopen();
    await runtime.cancel(id, 'not wanted');
    expect(await runtime.get(id)).toMatchObject({ status: 'cancelled' });
  });
});

describe('an execution that has its turn in the very moment in which somebody asks for it', () => {
  it('hears the request when it has arrived, and is not brought in a second time', async () => {
    const active = new Map<string, object>();
    const heard: string[] = [];
    let arrivals = 0;
    const residents = {
      // It is in line when it is looked for first, and has come when it is looked for again.
      arrival: async () => void (++arrivals === 2 && active.set('e', {})),
      bringNow: async () => false,
      isHere: () => true,
    };
    const supervisor = {
      active,
      request: async (_: object, { type }: { type: string }) => void heard.push(type),
    };
    const steering = new Steering({ residents, supervisor } as unknown as Steering['host']);
    expect(await steering.apply('e', { type: 'cancelRequested' }, [])).toBe(true);
    expect(heard).toEqual(['cancelRequested']);
  });
});
