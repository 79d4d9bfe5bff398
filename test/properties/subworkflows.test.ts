import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWorkflowStatusEnded, type Durability } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument, Runtime } from '../../src/runtime/types.js';
import { defineWorkflow, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { buryOwners, crashing, quiet, simulate, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';

interface Scenario {
  workflow: Workflow;
  seed: number;
  durability: Durability;
  slots: number;
  lossRate: number;
  maxActiveExecutions: number;
  fateOf: (nodeId: string, attempt: number) => Fate;
}

/** Nodes of the innermost workflow that fail, and how often before they succeed; `Infinity`: always. */
interface Shape {
  seed: number;
  depth: number;
  width: number;
  failing: boolean;
  attempts: number;
}

/** before → sub × width (each `depth` deep, with a leaf of two nodes) → after. Ids tell every node from all others. */
function workflowOf({ depth, width, attempts }: Shape, level = 0): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id: `w${level}`, onFailure: 'continue' });
  builder.node(`first${level}`, { execute: () => null });
  const subs: string[] = [];
  for (let k = 0; k < (level < depth ? width : 0); k++) {
    subs.push(`sub${level}-${k}`);
    const workflow = workflowOf({ depth, width, attempts } as Shape, level + 1);
    const retry = { maxAttempts: attempts, delaySeconds: 0.05 };
    builder.node(subs[k], { dependsOn: [`first${level}`], workflow, retry, with: { k } });
  }
  builder.node(`last${level}`, { dependsOn: [`first${level}`, ...subs], execute: () => null });
  return builder.build();
}

const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    seed: fc.integer(),
    depth: fc.integer({ min: 1, max: 2 }),
    width: fc.integer({ min: 1, max: 2 }),
    failing: fc.boolean(),
    attempts: fc.integer({ min: 1, max: 2 }),
    durability: fc.constantFrom<Durability>('sync', 'async', 'exit'),
    slots: fc.constantFrom(1, 100),
    lossRate: fc.constantFrom(0, 0.2),
    maxActiveExecutions: fc.constantFrom(1, 3, 100),
  })
  .map(({ depth, width, failing, attempts, ...rest }) => ({
    ...rest,
    workflow: workflowOf({ depth, width, failing, attempts, seed: rest.seed }),
    fateOf: (nodeId: string): Fate => {
      const outcome = failing && nodeId === `last${depth}` ? 'fail' : 'ok';
      return { outcome, durationMs: nodeId.length * 3, output: JSON.stringify({ nodeId }) };
    },
  }));

async function allDocuments(runtime: Runtime): Promise<ExecutionDocument[]> {
  const { records } = await runtime.list({ limit: 1000 });
  return Promise.all(records.map(async ({ executionId }) => (await runtime.get(executionId))!));
}

/** What must be the same however often the process died. */
function essence(documents: readonly ExecutionDocument[]): unknown {
  return documents
    .map(({ execution_id, status, parent, children, node_states, node_outputs }) => {
      const nodes = Object.values(node_states).map(
        ({ node_id, status: state, attempt_count, error_message }) => {
          // Of several that fail at once, which is the first is a matter of time.
          return { node_id, state, attempt_count, error: error_message?.replace(/ at node.*/, '') };
        },
      );
      return { execution_id, status, parent, children, nodes, node_outputs: { ...node_outputs } };
    })
    .sort((a, b) => (a.execution_id < b.execution_id ? -1 : 1));
}

async function whole(scenario: Scenario): Promise<ExecutionDocument[]> {
  const { runtime, clock } = await simulate(new MemoryKv(), { ...scenario, workflows: [scenario.workflow] });
  await clock.run((await clock.run(runtime.start(scenario.workflow, {}, { executionId: 'e' }))).result);
  return allDocuments(runtime);
}

const crashes = fc.array(fc.record({ commits: fc.nat({ max: 60 }), applyLast: fc.boolean() }), {
  minLength: 1,
  maxLength: 3,
});

describe('workflows in workflows', () => {
  it('end alike after a crash at any commit: every child is started once and heard once', async () => {
    const property = fc.asyncProperty(scenarios, crashes, async (scenario, lives) => {
      const expected = essence(await whole(scenario));
      const kv = new MemoryKv();
      await openStore(kv);
      const told = new Map<string, number>();
      const onEvent = ({ event_type, execution_id, node_id, data }: ExecutionEvent): void => {
        if (event_type !== 'node_completed' && event_type !== 'node_failed') return;
        const key = `${execution_id}/${node_id}/${String(data.attempt ?? data.attempts)}`;
        told.set(key, (told.get(key) ?? 0) + 1);
      };
      const options = { ...scenario, workflows: [scenario.workflow], onEvent };
      for (const [life, { commits, applyLast }] of lives.entries()) {
        const store = crashing(kv, commits, applyLast);
        const { runtime, clock } = await simulate(store, { ...options, seed: scenario.seed + life });
        const live = (async () => {
          if (life > 0) await runtime.recoverInterrupted();
          const known = await runtime.get('e');
          if (known === undefined)
            await (
              await runtime.start(scenario.workflow, {}, { executionId: 'e' })
            ).result;
          else if (!isWorkflowStatusEnded(known.status)) await toEnd(runtime);
        })();
        await clock.run(Promise.race([store.dead, live]));
        await quiet();
        await buryOwners(kv);
      }
      const { runtime, clock } = await simulate(kv, { ...options, seed: scenario.seed - 1 });
      await runtime.recoverInterrupted();
      const known = await runtime.get('e');
      if (known === undefined) return;
      if (!isWorkflowStatusEnded(known.status)) await clock.run(toEnd(runtime));
      expect(essence(await allDocuments(runtime))).toEqual(expected);
      // Under `exit` what was told is not stored before the end.
      if (scenario.durability !== 'exit') for (const times of told.values()) expect(times).toBe(1);
    });
    await fc.assert(property, { numRuns: 100 });
  }, 120_000);

  it('leave nothing running when the outermost is cancelled at any moment, and the process dies at any commit', async () => {
    const property = fc.asyncProperty(
      scenarios,
      fc.nat({ max: 30 }),
      fc.record({ commits: fc.nat({ max: 40 }), applyLast: fc.boolean() }),
      async (given, timers, { commits, applyLast }) => {
        const scenario = { ...given, durability: 'sync' as const };
        const kv = new MemoryKv();
        await openStore(kv);
        const store = crashing(kv, commits, applyLast);
        const options = { ...scenario, workflows: [scenario.workflow] };
        const first = await simulate(store, options);
        const unlessDead = (work: Promise<unknown>): Promise<unknown> =>
          first.clock.run(Promise.race([store.dead, work.catch(() => {})]));
        await unlessDead(first.runtime.start(scenario.workflow, {}, { executionId: 'e' }));
        for (let i = 0; i < timers; i++) {
          await quiet();
          first.clock.advance();
        }
        await unlessDead(first.runtime.cancel('e'));
        for (let i = 0; i < 50; i++) {
          await quiet();
          first.clock.advance();
        }
        await buryOwners(kv);
        const { runtime, clock } = await simulate(kv, { ...options, seed: scenario.seed + 1 });
        await runtime.recoverInterrupted();
        const known = await runtime.get('e');
        if (known === undefined) return;
        if (!isWorkflowStatusEnded(known.status)) await clock.run(toEnd(runtime));
        for (let i = 0; i < 300 && (await isAnyOpen(runtime)); i++) {
          await quiet();
          clock.advance();
        }
        expect(await isAnyOpen(runtime)).toBe(false);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  }, 120_000);
});

async function isAnyOpen(runtime: Runtime): Promise<boolean> {
  const { pending, running, paused } = await runtime.counts();
  return pending + running + paused > 0;
}
