import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/model.js';
import type { Job } from '../../src/pool/index.js';
import { workflowFromSpec, type Workflow } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { simulate } from '../support/simulation.js';

interface Played {
  /** What the pool was told, in order, and the commits of the store. */
  readonly story: ('commit' | 'committed' | { staged: readonly Job[] } | { sent: readonly Job[] })[];
  readonly status: string;
}

/** A store whose commits take a while, so that other things happen meanwhile. */
function slow(kv: Kv, story: Played['story']): Kv {
  return {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    async commit(ops, guards) {
      story.push('commit');
      await kv.commit(ops, guards);
      for (let i = 0; i < 5; i++) await Promise.resolve();
      story.push('committed');
    },
    close: () => kv.close(),
  };
}

function workflowOf(dependencies: readonly (readonly number[])[], conditions: ReadonlySet<number>): Workflow {
  const nodes = dependencies.map((before, node) => ({
    id: `n${node}`,
    name: `n${node}`,
    type: 'custom' as const,
    dependencies: before.map((each) => `n${each}`),
    ...(conditions.has(node) && { condition: 'true' }),
  }));
  const functions = new Map(nodes.map(({ id }) => [id, () => null]));
  return workflowFromSpec({ workflow: { id: 'w', name: 'w', on_failure: 'continue' }, nodes }, { functions });
}

async function play(
  workflow: Workflow,
  { durability, failing, seed }: { durability: Durability; failing: ReadonlySet<string>; seed: number },
): Promise<Played> {
  const story: Played['story'] = [];
  const { runtime, clock, pool } = await simulate(slow(new MemoryKv(), story), {
    seed,
    durability,
    workflows: [workflow],
    slots: 100,
    lossRate: 0.1,
    fateOf: (id) => ({ outcome: failing.has(id) ? 'fail' : 'ok', durationMs: 1, output: '{}' }),
  });
  const dispatch = pool.dispatch.bind(pool);
  pool.dispatch = (jobs) => {
    story.push({ sent: [...jobs] });
    dispatch(jobs);
  };
  pool.stage = (jobs) => void story.push({ staged: jobs });
  story.length = 0;
  const execution = await clock.run(runtime.start(workflow, {}));
  const { status } = await clock.run(execution.result);
  await clock.run(runtime.close());
  return { story, status };
}

const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 25 })
  .map((given) =>
    given.map((before, node) => (node === 0 ? [] : [...new Set(before.map((each) => each % node))])),
  );

describe('attempts that wait for a commit', () => {
  it('are staged while it is under way, and sent after it, as the very jobs that were staged', async () => {
    await fc.assert(
      fc.asyncProperty(
        graphs,
        fc.uniqueArray(fc.nat(24), { maxLength: 5 }),
        fc.uniqueArray(fc.nat(24), { maxLength: 5 }),
        fc.nat(),
        async (dependencies, conditions, failing, seed) => {
          const workflow = workflowOf(dependencies, new Set(conditions));
          const ids = new Set(failing.map((node) => `n${node}`));
          const { story } = await play(workflow, { durability: 'sync', failing: ids, seed });
          let open = 0;
          let staged: readonly Job[] = [];
          const sent = new Set<number>();
          for (const event of story) {
            if (event === 'commit') open++;
            else if (event === 'committed') open--;
            else if ('staged' in event) {
              expect(open).toBe(1);
              staged = event.staged;
              for (const { id } of staged) expect(sent.has(id)).toBe(false);
            } else {
              // Nothing was cancelled: what was staged is just what is sent first.
              expect(event.sent.slice(0, staged.length)).toEqual(staged);
              staged.forEach((job, index) => expect(event.sent[index]).toBe(job));
              expect(open).toBe(0);
              for (const { id } of event.sent) expect(sent.has(id)).toBe(false);
              for (const { id } of event.sent) sent.add(id);
              staged = [];
            }
          }
          expect(staged).toEqual([]);
          expect(sent.size).toBeGreaterThan(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are not sent when they are cancelled meanwhile, although they are staged', async () => {
    const workflow = workflowOf([[], [0], [0]], new Set());
    const story: Played['story'] = [];
    const { runtime, clock, pool } = await simulate(slow(new MemoryKv(), story), {
      seed: 1,
      durability: 'sync',
      workflows: [workflow],
      slots: 100,
      lossRate: 0,
      fateOf: () => ({ outcome: 'ok', durationMs: 1, output: '{}' }),
    });
    const staged: string[] = [];
    let cancelled: Promise<unknown> | undefined;
    pool.stage = (jobs) => {
      staged.push(...jobs.map(({ call }) => call.nodeId));
      if (jobs.some(({ call }) => call.nodeId === 'n1')) cancelled = runtime.cancel(execution.id);
    };
    const execution = await clock.run(runtime.start(workflow, {}));
    const { status } = await clock.run(execution.result);
    await clock.run(cancelled!);
    await clock.run(runtime.close());
    expect(staged).toEqual(['n0', 'n1', 'n2']);
    expect(pool.dispatched.map(({ call }) => call.nodeId)).toEqual(['n0']);
    expect(status).toBe('cancelled');
  });

  it.each(['async', 'exit'] as const)('there are none under %s', async (durability) => {
    const workflow = workflowOf([[], [0], [1], [0, 2]], new Set());
    const { story, status } = await play(workflow, { durability, failing: new Set(), seed: 1 });
    expect(status).toBe('completed');
    expect(story.filter((event) => typeof event === 'object' && 'staged' in event)).toEqual([]);
  });
});
