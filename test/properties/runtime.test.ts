import { idempotencyKeyOf } from '../../src/pool/port.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { type Durability, type ExecutionMode, type FailureMode } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import { defineWorkflow, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { dagArbitrary } from '../support/random-dag.js';
import { buryOwners, crashing, quiet, simulate, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';

interface Scenario {
  workflow: Workflow;
  dependencies: Map<string, readonly string[]>;
  fateOf: (nodeId: string, attempt: number) => Fate;
  seed: number;
  mode: ExecutionMode;
  durability: Durability;
  slots: number;
  lossRate: number;
}

const LARGE = 70_000;

/** A random workflow whose nodes succeed, fail, are retried, are skipped, or have large outputs. */
function scenarioArbitrary(onFailure: readonly FailureMode[], maxNodes = 60): fc.Arbitrary<Scenario> {
  return fc
    .record({
      dag: dagArbitrary(maxNodes),
      seed: fc.integer(),
      onFailure: fc.constantFrom(...onFailure),
      mode: fc.constantFrom<ExecutionMode>('dag_parallel', 'dag_parallel', 'dag_linear', 'linear'),
      durability: fc.constantFrom<Durability>('sync', 'async', 'exit'),
      slots: fc.constantFrom(1, 3, 100),
      failureRate: fc.constantFrom(0, 0.1, 0.5),
      lossRate: fc.constantFrom(0, 0.2),
    })
    .map(({ dag, seed, onFailure, failureRate, ...rest }) => {
      const builder = defineWorkflow<Record<string, unknown>>({ id: 'random', onFailure });
      const random = seededRandom(seed);
      const fates = new Map<string, Fate[]>();
      const dependencies = new Map<string, readonly string[]>();
      // The builder wants dependencies first; the ids keep their random order in the plan.
      for (const { id, dependencies: dependsOn } of [...dag.nodes].sort(byNumber)) {
        dependencies.set(id, dependsOn);
        const condition = random() < 0.15 ? conditionOn(dependsOn, random()) : undefined;
        const retry = {
          maxAttempts: 1 + Math.floor(random() * 3),
          delaySeconds: 0.05,
          jitter: 'full' as const,
        };
        builder.node(id, { dependsOn: [...dependsOn], condition, retry, execute: () => null });
        const text = random() < 0.05 ? 'x'.repeat(LARGE) : id;
        const attempts = [1, 2, 3].map((): Fate => {
          const outcome = random() >= failureRate ? 'ok' : random() < 0.3 ? 'crash' : 'fail';
          return { outcome, durationMs: Math.floor(random() * 100), output: JSON.stringify({ id, text }) };
        });
        fates.set(id, attempts);
      }
      const fateOf = (id: string, attempt: number): Fate => fates.get(id)![attempt - 1];
      return { ...rest, seed, dependencies, fateOf, workflow: builder.build() };
    });
}

const byNumber = (a: { id: string }, b: { id: string }): number =>
  Number(a.id.slice(1)) - Number(b.id.slice(1));

/** True, false, or about the output of a dependency, which is an error when that was skipped. */
function conditionOn(dependsOn: readonly string[], choice: number): string {
  if (dependsOn.length === 0 || choice < 0.5) return String(choice < 0.3);
  return `outputs['${dependsOn[0]}'].id == '${dependsOn[0]}'`;
}

interface Ended {
  document: ExecutionDocument;
  live: ExecutionEvent[];
  stored: ExecutionEvent[];
  dispatched: { nodeId: string; attempt: number; key: string; inputs: string[] }[];
  maxBusy: number;
}

async function runToEnd(scenario: Scenario, kv = new MemoryKv()): Promise<Ended> {
  const live: ExecutionEvent[] = [];
  const options = {
    ...scenario,
    workflows: [scenario.workflow],
    onEvent: (e: ExecutionEvent) => live.push(e),
  };
  const { runtime, clock, pool } = await simulate(kv, options);
  const execution = await clock.run(runtime.start(scenario.workflow, {}, { executionId: 'e' }));
  await clock.run(execution.result);
  const document = (await runtime.get('e'))!;
  const stored: ExecutionEvent[] = [];
  for await (const event of runtime.events('e')) stored.push(event);
  await clock.run(runtime.close());
  const dispatched = pool.dispatched.map(({ call }) => ({
    nodeId: call.nodeId,
    attempt: call.attempt,
    key: idempotencyKeyOf(call),
    inputs: Object.keys(JSON.parse(call.dependencyOutputs) as object),
  }));
  return { document, live, stored, dispatched, maxBusy: pool.maxBusy };
}

/** What must be the same however often the process died: everything but times. */
function essence({ status, node_states, node_outputs, completed_nodes }: ExecutionDocument): unknown {
  const nodes = Object.values(node_states).map(({ node_id, status, attempt_count, error_message }) => {
    return { node_id, status, attempt_count, error_message };
  });
  return { status, nodes, node_outputs: { ...node_outputs }, completed_nodes };
}

describe('a whole runtime over random workflows', () => {
  it('keeps the order, ends every node once, and tells what it stores', async () => {
    const property = fc.asyncProperty(scenarioArbitrary(['fail_fast', 'continue']), async (scenario) => {
      const { document, live, stored, dispatched, maxBusy } = await runToEnd(scenario);
      expect(live).toEqual(stored);
      expect(maxBusy).toBeLessThanOrEqual(scenario.mode === 'dag_parallel' ? scenario.slots : 1);

      const ended = new Map<string, string>();
      const running = new Set<string>();
      let failedForGood = false;
      for (const { event_type, node_id = '', data } of stored) {
        if (event_type === 'node_started') {
          for (const id of scenario.dependencies.get(node_id)!) expect(ended.has(id)).toBe(true);
          expect(ended.has(node_id)).toBe(false);
          if (document.node_states[node_id].metadata.error === undefined) running.add(node_id);
          const fails = (document.node_states[node_id].metadata.error as { code?: string })?.code;
          // A condition that cannot be evaluated charges its node an attempt that never ran.
          if (failedForGood && fails !== 'CONDITION_FAILED') expect(failFast(scenario)).toBe(false);
        }
        const terminal = /^node_(?:completed|skipped|blocked)$/.test(event_type);
        if (terminal || (event_type === 'node_failed' && data.will_retry === false)) {
          expect(ended.has(node_id)).toBe(false);
          ended.set(node_id, event_type);
          if (event_type === 'node_failed') failedForGood = true;
        }
      }
      for (const { node_id, status } of Object.values(document.node_states)) {
        expect(status).toBe(ended.get(node_id)?.slice('node_'.length) ?? status);
        if (!failFast(scenario) || document.status === 'completed') expect(ended.has(node_id)).toBe(true);
      }
      expect(document.status).toBe(failedForGood ? 'failed' : 'completed');

      for (const { nodeId, inputs } of dispatched) {
        const completed = scenario.dependencies
          .get(nodeId)!
          .filter((id) => ended.get(id) === 'node_completed');
        expect(inputs.sort()).toEqual([...completed].sort());
      }
      for (const [id, output] of Object.entries(document.node_outputs)) {
        expect(JSON.stringify(output)).toBe(scenario.fateOf(id, 1).output);
      }
    });
    await fc.assert(property, { numRuns: 80 });
  }, 120_000);

  it('ends alike after a crash at any commit, and repeats nothing that it had told', async () => {
    const arbitrary = fc.record({
      scenario: scenarioArbitrary(['continue']),
      crashes: fc.array(fc.record({ commits: fc.nat({ max: 60 }), applyLast: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      }),
    });
    const property = fc.asyncProperty(arbitrary, async ({ scenario, crashes }) => {
      const whole = await runToEnd(scenario);
      const kv = new MemoryKv();
      await openStore(kv);
      const told = new Set<string>();
      const keys = new Map<string, string>();
      const options = {
        ...scenario,
        workflows: [scenario.workflow],
        onEvent: ({ event_type, node_id }: ExecutionEvent) => {
          if (event_type === 'node_completed') told.add(node_id!);
        },
      };
      for (const [life, { commits, applyLast }] of crashes.entries()) {
        const store = crashing(kv, commits, applyLast);
        const before = new Set(told);
        const { runtime, clock, pool } = await simulate(store, { ...options, seed: scenario.seed + life });
        const live = (async () => {
          if (life > 0) await runtime.recoverInterrupted();
          const known = await runtime.get('e');
          if (known === undefined)
            await (
              await runtime.start(scenario.workflow, {}, { executionId: 'e' })
            ).result;
          else if (known.status !== 'completed' && known.status !== 'failed') await toEnd(runtime);
        })();
        await clock.run(Promise.race([store.dead, live]));
        await quiet();
        for (const { call } of pool.dispatched) {
          if (scenario.durability !== 'exit') expect(before.has(call.nodeId)).toBe(false);
          const key = idempotencyKeyOf(call);
          expect(keys.get(call.nodeId) ?? key).toBe(key);
          keys.set(call.nodeId, key);
        }
        await buryOwners(kv);
      }
      const { runtime, clock } = await simulate(kv, { ...options, seed: scenario.seed - 1 });
      await runtime.recoverInterrupted();
      const known = await runtime.get('e');
      // What was not acknowledged may be unknown.
      if (known === undefined) return;
      if (known.status === 'running' || known.status === 'pending') await clock.run(toEnd(runtime));
      expect(essence((await runtime.get('e'))!)).toEqual(essence(whole.document));
    });
    await fc.assert(property, { numRuns: 100 });
  }, 120_000);

  it('ends alike when it is paused and resumed at any time', async () => {
    const arbitrary = fc.record({
      scenario: scenarioArbitrary(['continue'], 30),
      pauses: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 4 }),
    });
    const property = fc.asyncProperty(arbitrary, async ({ scenario, pauses }) => {
      const whole = await runToEnd(scenario);
      const { workflow } = scenario;
      const { runtime, clock } = await simulate(new MemoryKv(), { ...scenario, workflows: [workflow] });
      let { result } = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
      for (const timers of pauses) {
        for (let i = 0; i < timers; i++) {
          await quiet();
          clock.advance();
        }
        const paused = await clock.run(
          runtime.pause('e').then(
            () => true,
            () => false,
          ),
        );
        if (!paused) break;
        await quiet();
        if ((await clock.run(result)).status !== 'paused') break;
        ({ result } = await clock.run(runtime.resume('e')));
      }
      await clock.run(result);
      expect(essence((await runtime.get('e'))!)).toEqual(essence(whole.document));
    });
    await fc.assert(property, { numRuns: 60 });
  }, 120_000);

  it('stays cancelled when it is cancelled at any time, and starts nothing more', async () => {
    const arbitrary = fc.record({
      scenario: scenarioArbitrary(['continue'], 30),
      timers: fc.nat({ max: 60 }),
    });
    const property = fc.asyncProperty(arbitrary, async ({ scenario, timers }) => {
      const { workflow } = scenario;
      const { runtime, clock, pool } = await simulate(new MemoryKv(), { ...scenario, workflows: [workflow] });
      const { result } = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
      for (let i = 0; i < timers; i++) {
        await quiet();
        clock.advance();
      }
      const cancelled = await clock.run(
        runtime.cancel('e').then(
          () => true,
          () => false,
        ),
      );
      const { status } = await clock.run(result);
      const started = pool.dispatched.length;
      if (cancelled && status !== 'cancelled') expect(['completed', 'failed']).toContain(status);
      for (let i = 0; i < 50; i++) {
        await quiet();
        clock.advance();
      }
      expect(pool.dispatched.length).toBe(started);
      const document = (await runtime.get('e'))!;
      expect(document.status).toBe(status);
      const open = Object.values(document.node_states).filter(({ status: node }) =>
        ['pending', 'ready', 'running'].includes(node),
      );
      expect(open).toEqual([]);
    });
    await fc.assert(property, { numRuns: 60 });
  }, 120_000);
});

function failFast({ workflow }: Scenario): boolean {
  return workflow.spec.workflow.on_failure === 'fail_fast';
}
