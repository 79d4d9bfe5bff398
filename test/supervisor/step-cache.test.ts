import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workflowFromSpec, type CacheSpec, type NodeSpec, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { outliving } from '../support/outliving-kv.js';
import { buryOwners, crashing, simulate, SimulatedClock, type Fate } from '../support/simulation.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'maestro-cache-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const TTL = { ttl_seconds: 3600 };
/** before gives `{n}`; cached makes something of it. */
const workflowOf = (cache: CacheSpec = TTL, more: Partial<NodeSpec> = {}, id = 'w'): Workflow =>
  workflowFromSpec(
    {
      workflow: { id, name: 'w' },
      nodes: [
        { id: 'before', name: 'before', type: 'custom', run: 'before' },
        { id: 'kept', name: 'kept', type: 'custom', run: 'make', dependencies: ['before'], cache, ...more },
      ],
    },
    { baseDir: folder },
  );

/** A store, and workflows that are run there one after the other; `n` is what the first node gives. */
function series(kv = outliving(new MemoryKv())) {
  const clock = new SimulatedClock();
  let count = 0;
  const play = async (
    workflow: Workflow,
    {
      n = 1,
      context = {},
      cache,
      output = { made: 1 },
      fails = false,
    }: {
      n?: number;
      context?: Record<string, unknown>;
      cache?: boolean;
      output?: unknown;
      fails?: boolean;
    } = {},
  ) => {
    const fateOf = (nodeId: string): Fate => ({
      outcome: fails && nodeId === 'kept' ? 'fail' : 'ok',
      durationMs: 10,
      output: JSON.stringify(nodeId === 'before' ? { n } : output),
    });
    const { runtime, pool } = await simulate(kv, {
      seed: 1,
      workflows: [workflow],
      slots: 10,
      lossRate: 0,
      fateOf,
      clock,
    });
    const executionId = `e${count++}`;
    const execution = await clock.run(runtime.start(workflow, context, { executionId, cache }));
    await clock.run(execution.result);
    const document = (await clock.run(runtime.get(executionId)))!;
    const events: string[] = [];
    for await (const { event_type, node_id } of runtime.events(executionId))
      if (node_id === 'kept') events.push(event_type);
    await clock.run(runtime.close());
    const hasRun = pool.dispatched.some(({ call }) => call.nodeId === 'kept');
    return { document, hasRun, events, output: document.node_outputs.kept };
  };
  const later = (ms: number): Promise<void> => clock.run(new Promise((done) => clock.setTimer(ms, done)));
  return { play, later, kv, clock };
}

describe('a result that is kept', () => {
  it('is taken by the next execution, which says so', async () => {
    const { play } = series();
    const first = await play(workflowOf());
    expect(first.hasRun).toBe(true);
    expect(first.document.node_states.kept.metadata.cached).toBeUndefined();
    const second = await play(workflowOf(), { output: { made: 2 } });
    expect(second).toMatchObject({ hasRun: false, output: { made: 1 } });
    expect(second.document.node_states.kept.metadata.cached).toMatch(/^[0-9a-f]{64}$/);
    expect(second.events).toEqual(['node_ready', 'node_started', 'node_cached', 'node_completed']);
  });

  it.each<[string, Workflow | (() => Workflow), Parameters<ReturnType<typeof series>['play']>[1], boolean]>([
    ['nothing', () => workflowOf(), {}, false],
    ['its workflow', () => workflowOf(TTL, {}, 'other'), {}, false],
    ['what its dependency gives', () => workflowOf(), { n: 2 }, true],
    ['its context', () => workflowOf(), { context: { x: 1 } }, true],
    ['its config', () => workflowOf(TTL, { config: { y: 1 } }), {}, true],
    ['its command', () => workflowOf(TTL, { run: 'make again' }), {}, true],
    ['its environment', () => workflowOf(TTL, { env: { A: 'b' } }), {}, true],
    ['its version', () => workflowOf({ ...TTL, version: '2' }), {}, true],
    ['that it is told to', () => workflowOf(), { cache: false }, true],
  ])(
    'is made again when %s changes: it is asked for with the same otherwise',
    async (_, next, options, runs) => {
      const { play } = series();
      await play(workflowOf());
      expect((await play(typeof next === 'function' ? next() : next, options)).hasRun).toBe(runs);
    },
  );

  it('depends on its key instead, if it has one', async () => {
    const { play } = series();
    const keyed = workflowOf({ ...TTL, key: '[outputs.before.n > 1, node.id]' });
    await play(keyed);
    expect((await play(keyed, { n: 0, context: { other: true } })).hasRun).toBe(false);
    expect((await play(keyed, { n: 2 })).hasRun).toBe(true);
  });

  it('fails its node when the key cannot be evaluated', async () => {
    const { play } = series();
    const { document, hasRun } = await play(workflowOf({ ...TTL, key: 'outputs.before.n.x' }));
    expect(hasRun).toBe(false);
    expect(document.error?.code).toBe('EXPRESSION_FAILED');
  });

  it('depends on the source of the step', async () => {
    const { play } = series();
    const file = join(folder, 'step.mjs');
    const uses = { run: undefined, uses: './step.mjs#make' };
    writeFileSync(file, 'export const make = () => 1;');
    await play(workflowOf(TTL, uses));
    expect((await play(workflowOf(TTL, uses))).hasRun).toBe(false);
    writeFileSync(file, 'export const make = () => 2;');
    expect((await play(workflowOf(TTL, uses))).hasRun).toBe(true);
  });

  it('is forgotten after its time, and removed by the collection', async () => {
    const { play, later, kv, clock } = series();
    await play(workflowOf());
    await later(3600 * 1000 - 1000);
    expect((await play(workflowOf())).hasRun).toBe(false);
    await later(1000);
    expect(await (await openStore(kv)).cached.removeExpired(clock.nowMs(), true)).toBe(1);
    expect((await play(workflowOf())).hasRun).toBe(true);
    await later(3600 * 1000);
    const store = await openStore(kv);
    expect(await store.cached.removeExpired(clock.nowMs(), false)).toBe(1);
    expect(await store.cached.removeExpired(clock.nowMs(), false)).toBe(0);
  });

  it('is never a failure, and may be large', async () => {
    const { play } = series();
    expect((await play(workflowOf(), { fails: true })).document.status).toBe('failed');
    const large = { text: 'x'.repeat(100_000) };
    expect((await play(workflowOf(), { output: large })).hasRun).toBe(true);
    expect(await play(workflowOf())).toMatchObject({ hasRun: false, output: large });
  });

  it('outlives its execution, and is stored with its success: a crash at any commit keeps both or none', async () => {
    for (let commits = 0; commits < 12; commits++) {
      const kv = outliving(new MemoryKv());
      await openStore(kv);
      const workflow = workflowOf();
      const clock = new SimulatedClock();
      const fateOf = (): Fate => ({ outcome: 'ok', durationMs: 10, output: '{"n":1}' });
      const options = { seed: 1, workflows: [workflow], slots: 10, lossRate: 0, fateOf, clock };
      const store = crashing(kv, commits, commits % 2 === 0);
      const first = await simulate(store, options);
      const live = first.runtime.start(workflow, {}, { executionId: 'x' }).then(({ result }) => result);
      live.catch(() => undefined);
      await clock.run(Promise.race([store.dead, live]));
      clock.forget();
      await buryOwners(kv);
      const { runtime } = await simulate(kv, options);
      const document = await runtime.get('x');
      const isDone = document?.node_states.kept.status === 'completed';
      await runtime.close();
      if (document !== undefined) {
        const opened = await openStore(kv);
        await opened.delete('x');
      }
      expect((await series(kv).play(workflow)).hasRun, `after ${commits} commits`).toBe(!isDone);
    }
  });

  it('is refused where it makes no sense', () => {
    expect(() => workflowOf(TTL, { repeat: { until: 'true', max: 2 } })).toThrow(/"cache" and "repeat"/);
    expect(() => workflowOf(TTL, { run: undefined, sleep: { seconds: 1 } })).toThrow(
      /"cache" would have no effect/,
    );
    expect(() => workflowOf({ ...TTL, key: 'outputs.nobody' })).toThrow(/the cache of node "kept"/);
  });
});
