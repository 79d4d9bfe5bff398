import { beforeAll, describe, expect, it } from 'vitest';
import { isMaestroError } from '../../src/base/errors.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument, Runtime } from '../../src/runtime/types.js';
import { exportSnapshot, importSnapshot, verifyStore } from '../../src/snapshot/index.js';
import { defineWorkflow } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { TimedKv } from '../../src/store/timed-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { FAULTS, faulty, type Fault } from '../support/faulty-kv.js';
import { buryOwners, crashing, quiet, simulate, type Fate, SimulatedClock } from '../support/simulation.js';
import { outliving } from '../support/outliving-kv.js';

/*
 * As SQLite tests: in each scenario the first call of the store goes wrong, then in another run the second, and so on
 * until a run needs no more calls. After each the healthy store is opened again, and the promises must hold.
 */

const builder = defineWorkflow<Record<string, unknown>>({ id: 'w', onFailure: 'continue' });
for (const [id, dependsOn] of [
  ['a', []],
  ['b', ['a']],
  ['c', ['a']],
  ['flaky', ['a']],
  ['large', ['b', 'c']],
  ['z', ['large', 'flaky']],
] as const)
  builder.node(id, {
    dependsOn: [...dependsOn],
    retry: { maxAttempts: 2, delaySeconds: 1 },
    execute: () => null,
  });
const workflow = builder.build();

/** `z` fails for good while `broken`; `flaky` fails once. */
const fateOf =
  (broken: boolean) =>
  (nodeId: string, attempt: number): Fate => {
    const fails = (nodeId === 'flaky' && attempt === 1) || (nodeId === 'z' && broken);
    const text = nodeId === 'large' ? 'x'.repeat(70_000) : nodeId;
    return { outcome: fails ? 'fail' : 'ok', durationMs: 10, output: JSON.stringify({ text }) };
  };

/** What a user of the runtime was told, which must hold afterwards. */
interface Told {
  started: boolean;
  cancelled: boolean;
  deleted: boolean;
  imported: boolean;
  readonly completed: Set<string>;
}

interface Scenario {
  name: string;
  /** Node z fails. */
  broken?: boolean;
  /** What is in the store before; nothing in it goes wrong. */
  before?: (kv: Kv) => Promise<void>;
  act: (runtime: Runtime, told: Told, clock: SimulatedClock, kv: Kv) => Promise<void>;
}

async function opened(
  kv: Kv,
  told?: Told,
  broken = false,
  clock = new SimulatedClock(),
): Promise<Awaited<ReturnType<typeof simulate>>> {
  return simulate(kv, {
    clock,
    seed: 1,
    workflows: [workflow],
    slots: 2,
    lossRate: 0,
    fateOf: fateOf(broken),
    onEvent: ({ event_type, node_id }: ExecutionEvent) => {
      if (event_type === 'node_completed') told?.completed.add(node_id!);
    },
  });
}

const start = async (runtime: Runtime, told: Told): ReturnType<Runtime['start']> => {
  const execution = await runtime.start(workflow, {}, { executionId: 'e' });
  told.started = true;
  return execution;
};

/** An execution that ended, well or not. */
const ended =
  (broken: boolean) =>
  async (kv: Kv): Promise<void> => {
    const { runtime, clock } = await opened(kv, undefined, broken);
    await clock.run(runtime.start(workflow, {}, { executionId: 'e' }).then(({ result }) => result));
    await clock.run(runtime.close());
  };

/** An execution whose process died. */
async function interrupted(kv: Kv): Promise<void> {
  const dying = crashing(kv, 7, true);
  const { runtime, clock } = await opened(dying);
  void runtime.start(workflow, {}, { executionId: 'e' }).catch(() => undefined);
  await clock.run(dying.dead);
  await buryOwners(kv);
}

/** The lines of an export of an execution that has ended. */
const exported: string[] = [];
beforeAll(async () => {
  const source = outliving(new MemoryKv());
  await ended(false)(source);
  for await (const line of exportSnapshot(source)) exported.push(line.replace(/\n$/, ''));
});

const SCENARIOS: Scenario[] = [
  {
    name: 'start to end',
    act: async (runtime, told) => {
      await (
        await start(runtime, told)
      ).result;
    },
  },
  {
    name: 'pause and resume',
    act: async (runtime, told, clock) => {
      const { result } = await start(runtime, told);
      clock.advance();
      await runtime.pause('e');
      await result;
      await (
        await runtime.resume('e')
      ).result;
    },
  },
  {
    name: 'cancel',
    act: async (runtime, told) => {
      const { result } = await start(runtime, told);
      await runtime.cancel('e');
      told.cancelled = true;
      await result;
    },
  },
  {
    name: 'retry',
    before: ended(true),
    act: async (runtime) => {
      await (
        await runtime.retry('e')
      ).result;
    },
  },
  {
    name: 'recover',
    before: interrupted,
    act: async (runtime) => {
      const [recovered] = await runtime.recover();
      if (recovered?.error === undefined) await (await runtime.resume('e')).result;
    },
  },
  {
    name: 'delete and collect',
    before: ended(false),
    act: async (runtime, told) => {
      told.deleted = (await runtime.collect({ keep: 0 })).deleted.length === 1;
    },
  },
  {
    name: 'import',
    act: async (_runtime, told, clock, kv) => {
      await importSnapshot(new TimedKv(kv, clock), async function* () {
        yield* exported;
      });
      told.imported = true;
    },
  },
];

/** Everything but times, and attempts: inputs that cannot be read cost one. */
function essence({ status, node_states, node_outputs }: ExecutionDocument): unknown {
  const nodes = Object.values(node_states).map((each) => [each.node_id, each.status]);
  return { status, nodes, outputs: { ...node_outputs } };
}

/** One run with a fault; what comes after it on the healthy store. @returns whether the fault was met */
async function survives(scenario: Scenario, call: number, fault: Fault, clean: unknown): Promise<boolean> {
  const kv = outliving(new MemoryKv());
  await scenario.before?.(kv);
  const clock = new SimulatedClock();
  const store = faulty(kv, clock, call, fault);
  const told: Told = {
    started: false,
    cancelled: false,
    deleted: false,
    imported: false,
    completed: new Set(),
  };
  let failure: unknown;
  try {
    const simulation = await clock.run(opened(store, told, scenario.broken, clock));
    await clock.run(scenario.act(simulation.runtime, told, clock, store));
    await clock.run(simulation.runtime.close({ drainMs: 0 }));
  } catch (error) {
    failure = error;
  }
  await quiet();
  // Every failure is an error of ours, with what to do next.
  if (failure !== undefined) expect(isMaestroError(failure), String((failure as Error).stack)).toBe(true);
  await buryOwners(kv);

  const again = await opened(kv);
  await again.runtime.recoverInterrupted();
  let document = await again.runtime.get('e');
  if (told.started || told.imported || scenario.name === 'retry' || scenario.name === 'recover')
    expect(document).toBeDefined();
  if (told.deleted) expect(document).toBeUndefined();
  if (document !== undefined && !isWorkflowStatusEnded(document.status)) {
    const toEnd = again.runtime.resume('e').then(({ result }) => result);
    await again.clock.run(toEnd.catch(() => undefined));
    document = (await again.runtime.get('e'))!;
    expect(isWorkflowStatusEnded(document.status)).toBe(true);
  }
  for (const { call: each } of again.pool.dispatched) expect(told.completed.has(each.nodeId)).toBe(false);
  for (const id of told.completed)
    if (document !== undefined) expect(document.node_states[id].status).toBe('completed');
  if (told.cancelled) expect(document!.status).toBe('cancelled');
  if (document?.status === 'completed') expect(essence(document)).toEqual(clean);
  expect((await verifyStore(kv)).damage).toEqual([]);
  return store.hit;
}

/** How a run without faults ends. */
async function withoutFaults(): Promise<unknown> {
  const kv = outliving(new MemoryKv());
  await ended(false)(kv);
  return essence((await (await opened(kv)).runtime.get('e'))!);
}

describe('every call of the store in turn goes wrong', () => {
  for (const scenario of SCENARIOS) {
    it.each(FAULTS)(`${scenario.name}: %s`, { timeout: 300_000 }, async (fault) => {
      const clean = await withoutFaults();
      let call = 1;
      while (await survives(scenario, call, fault, clean)) call++;
      expect(call).toBeGreaterThan(5);
    });
  }
});
