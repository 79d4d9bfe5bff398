import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import { queueLimits, UNKNOWN_QUEUE } from '../../src/policy/queue.js';
import { defineWorkflow, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { dagArbitrary } from '../support/random-dag.js';
import { buryOwners, quiet, simulate, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';

const QUEUES = { gpu: 3, api: { size: 2, rate: '5/s' } } as const;
const NAMES = ['gpu', 'api', 'unknown', undefined] as const;
const LIMITS = queueLimits(QUEUES);
const sizeOf = (queue: string): number => (LIMITS.get(queue) ?? UNKNOWN_QUEUE).size;

interface Scenario {
  workflows: Workflow[];
  seed: number;
  mode: 'dag_parallel' | 'linear';
  lossRate: number;
  cancels: number[];
}

const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    dags: fc.array(dagArbitrary(12), { minLength: 1, maxLength: 4 }),
    seed: fc.integer(),
    mode: fc.constantFrom('dag_parallel' as const, 'dag_parallel' as const, 'linear' as const),
    lossRate: fc.constantFrom(0, 0.2),
    cancels: fc.array(fc.nat({ max: 60 }), { maxLength: 2 }),
  })
  .map(({ dags, seed, ...rest }) => {
    const random = seededRandom(seed);
    const workflows = dags.map(({ nodes }, k) => {
      const builder = defineWorkflow<Record<string, unknown>>({ id: `w${k}`, onFailure: 'continue' });
      const byNumber = [...nodes].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
      for (const { id, dependencies } of byNumber) {
        const queue = NAMES[Math.floor(random() * NAMES.length)];
        const wish = queue && {
          queue,
          slots: 1 + Math.floor(random() * 4),
          priority: Math.floor(random() * 3),
        };
        const retry = { maxAttempts: 2, delaySeconds: 0.05 };
        builder.node(id, { dependsOn: [...dependencies], retry, execute: () => null, ...wish });
      }
      return builder.build();
    });
    return { workflows, seed, ...rest };
  });

const fates =
  (seed: number) =>
  (nodeId: string, attempt: number): Fate => {
    const random = seededRandom(seed + Number(nodeId.slice(1)) * 7 + attempt);
    return { outcome: random() < 0.2 ? 'fail' : 'ok', durationMs: Math.floor(random() * 200), output: '{}' };
  };

describe('queues over random workflows that run at once', () => {
  it('never exceed their limits, and everything ends, also when executions are cancelled', async () => {
    const property = fc.asyncProperty(scenarios, async ({ workflows, seed, mode, lossRate, cancels }) => {
      const kv = new MemoryKv();
      const { runtime, clock } = await simulate(kv, {
        ...{ seed, workflows, mode, lossRate, slots: 5, queues: QUEUES, fateOf: fates(seed) },
      });
      const results = await Promise.all(
        workflows.map(async (workflow, k) => {
          const { result } = await clock.run(runtime.start(workflow, {}, { executionId: `e${k}` }));
          return { result };
        }),
      );
      const isWithin = async (): Promise<void> => {
        for (const { queue, used, size } of (await runtime.metrics()).queues) {
          expect(used).toBeGreaterThanOrEqual(0);
          expect(used, queue).toBeLessThanOrEqual(size);
          expect(size).toBe(sizeOf(queue));
        }
      };
      for (const [k, timers] of cancels.entries()) {
        for (let n = 0; n < timers; n++) {
          await quiet();
          await isWithin();
          clock.advance();
        }
        await clock.run(runtime.cancel(`e${k % workflows.length}`).catch(() => undefined));
      }
      for (const { result } of results) await clock.run(result);
      await isWithin();
      for (const { used, waiting } of (await runtime.metrics()).queues)
        expect({ used, waiting }).toEqual({ used: 0, waiting: 0 });
      await clock.run(runtime.close());
    });
    await fc.assert(property, { numRuns: 40 });
  }, 120_000);

  it('are filled again by whoever goes on after a crash', async () => {
    const property = fc.asyncProperty(scenarios, fc.nat({ max: 30 }), async (scenario, timers) => {
      const { workflows, seed, mode } = scenario;
      const kv = new MemoryKv();
      const given = { seed, workflows, mode, lossRate: 0, slots: 5, queues: QUEUES, fateOf: fates(seed) };
      const first = await simulate(kv, given);
      for (const [k, workflow] of workflows.entries())
        void first.runtime.start(workflow, {}, { executionId: `e${k}` }).catch(() => {});
      for (let n = 0; n < timers; n++) {
        await quiet();
        first.clock.advance();
      }
      await quiet();
      await buryOwners(kv);
      const second = await simulate(kv, given);
      await second.runtime.recoverInterrupted();
      for (const k of workflows.keys()) {
        const known = await second.runtime.get(`e${k}`);
        if (known === undefined || known.status === 'completed' || known.status === 'failed') continue;
        await second.clock.run(toEnd(second.runtime, `e${k}`));
        expect(['completed', 'failed']).toContain((await second.runtime.get(`e${k}`))!.status);
      }
    });
    await fc.assert(property, { numRuns: 25 });
  }, 120_000);
});

/** Starts of nodes in the order and at the times (ms after the first) at which they happened. */
async function starts(
  workflows: readonly [Workflow, Record<string, unknown>?][],
  options: { queues: Record<string, number | { rate: string }>; mode?: 'linear' },
): Promise<{ id: string; atMs: number }[]> {
  const told: { id: string; atMs: number }[] = [];
  const { runtime, clock } = await simulate(new MemoryKv(), {
    ...{ seed: 1, workflows: workflows.map(([workflow]) => workflow), lossRate: 0, slots: 100, ...options },
    fateOf: () => ({ outcome: 'ok', durationMs: 100, output: '{}' }),
    onEvent: ({ event_type, execution_id, node_id, timestamp }: ExecutionEvent) => {
      if (event_type === 'node_started')
        told.push({ id: `${execution_id}/${node_id}`, atMs: Date.parse(timestamp) });
    },
  });
  const begun = workflows.map(([workflow, context], k) =>
    runtime.start(workflow, context ?? {}, { executionId: `e${k}` }),
  );
  for (const one of begun) await clock.run(one.then(({ result }) => result));
  await clock.run(runtime.close());
  return told.map(({ id, atMs }) => ({ id, atMs: atMs - told[0].atMs }));
}

const many = (id: string, count: number, options: object = {}, workflow: object = {}): Workflow => {
  const builder = defineWorkflow<Record<string, unknown>>({ id, ...workflow });
  for (let n = 0; n < count; n++) builder.node(`n${n}`, { execute: () => null, queue: 'q', ...options });
  return builder.build();
};

describe('a queue', () => {
  it.each(['y', undefined])(
    'gives way in topological order to what comes before, in queue %s',
    async (queue) => {
      const workflow = defineWorkflow<Record<string, unknown>>({ id: 'w' })
        .node('a', { execute: () => null, queue: 'x' })
        .node('b', { execute: () => null, dependsOn: ['a'], queue })
        .node('c', { execute: () => null, queue: 'x' })
        .build();
      // c stands in line while a runs, and b, which comes before it, is not there yet.
      const told = await starts([[workflow]], { queues: { x: 1 }, mode: 'linear' });
      expect(told.map(({ id }) => id)).toEqual(['e0/a', 'e0/b', 'e0/c']);
    },
  );

  it('lets what has a higher priority go first', async () => {
    const told = await starts(
      [[many('low', 3)], [many('high', 3, {}, { priority: 5 })], [many('mixed', 1, { priority: 9 })]],
      { queues: { q: 1 } },
    );
    const order = told.map(({ id }) => id.split('/')[0]);
    // The first one was there before the others.
    expect(order.filter((id) => id !== 'e0')).toEqual(['e2', 'e1', 'e1', 'e1']);
    expect(order.slice(-2)).toEqual(['e0', 'e0']);
  });

  it('shares by key, however much one of them asks for', async () => {
    const fair = (id: string, count: number): Workflow => many(id, count, {}, { fairKey: 'tenant' });
    const told = await starts(
      [
        [fair('a1', 6), { tenant: 'a' }],
        [fair('a2', 6), { tenant: 'a' }],
        [fair('b', 4), { tenant: 'b' }],
      ],
      { queues: { q: 1 } },
    );
    const order = told.map(({ id }) => (id.startsWith('e2') ? 'b' : 'a')).join('');
    expect(order.slice(0, 8).replaceAll('a', '')).toHaveLength(4);
  });

  it('spaces starts by its rate, and takes all slots for who wants more than there are', async () => {
    const spaced = await starts([[many('w', 4)]], { queues: { q: { rate: '2/s' } } });
    expect(spaced.map(({ atMs }) => atMs)).toEqual([0, 500, 1000, 1500]);
    const large = await starts([[many('w', 3, { slots: 9 })]], { queues: { q: 4 } });
    expect(large.map(({ atMs }) => atMs)).toEqual([0, 100, 200]);
    const pairs = await starts([[many('w', 4, { slots: 2 })]], { queues: { q: 4 } });
    expect(pairs.map(({ atMs }) => atMs)).toEqual([0, 0, 100, 100]);
  });
});
