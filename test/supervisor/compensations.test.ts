import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import { workflowFromSpec, type NodeSpec, type Workflow, type WorkflowHeader } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { buryOwners, crashing, simulate, SimulatedClock, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';

type World = Awaited<ReturnType<typeof simulate>>;

const ok = (durationMs: number, output: unknown = {}): Fate => {
  return { outcome: 'ok', durationMs, output: JSON.stringify(output) };
};
const fail = (durationMs: number): Fate => ({ outcome: 'fail', durationMs, output: '' });
const undo = { run: 'undo' };

const workflowOf = (nodes: Partial<NodeSpec>[], header: Partial<WorkflowHeader> = {}): Workflow =>
  workflowFromSpec({
    workflow: { id: 'w', name: 'w', ...header },
    nodes: nodes.map((node) => ({ name: node.id!, type: 'custom', run: 'simulated', ...node })),
  });

const world = (
  workflow: Workflow,
  fateOf: (id: string, attempt: number) => Fate,
  options: { kv?: Kv; clock?: SimulatedClock; onEvent?: (event: ExecutionEvent) => void } = {},
): Promise<World> => {
  const { kv = new MemoryKv(), clock = new SimulatedClock(), onEvent } = options;
  return simulate(kv, { seed: 1, workflows: [workflow], slots: 10, lossRate: 0, fateOf, clock, onEvent });
};

/** a → b → bad, and beside it c; a, b and c can be undone. */
const chain = (header: Partial<WorkflowHeader> = {}, last: Partial<NodeSpec> = {}): Workflow =>
  workflowOf(
    [
      { id: 'a', compensate: undo, config: { of: 'a' } },
      { id: 'b', dependencies: ['a'], compensate: { ...undo, config: { own: true } } },
      { id: 'c', compensate: undo },
      { id: 'bad', dependencies: ['b', 'c'], compensate: undo, ...last },
    ],
    header,
  );
const chainFate = (id: string): Fate => {
  if (id === 'bad') return fail(100);
  return ok(id === 'c' ? 50 : 100, { by: id });
};

async function play(
  workflow: Workflow,
  fateOf: (id: string, attempt: number) => Fate,
  meanwhile: (world: World) => Promise<unknown> = () => Promise.resolve(),
) {
  const told: string[] = [];
  const played = await world(workflow, fateOf, {
    onEvent: ({ event_type, node_id, data }) => {
      if (event_type.startsWith('workflow_'))
        told.push(`${event_type} ${(data.after as string | undefined) ?? ''}`.trim());
      if (node_id?.startsWith('compensate:') === true && /started|completed|failed/.test(event_type))
        told.push(`${event_type.slice(5)} ${node_id.slice(11)}`);
    },
  });
  const { runtime, clock, pool } = played;
  const execution = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
  await meanwhile(played);
  const { status } = await clock.run(execution.result);
  const document = (await clock.run(runtime.get('e')))!;
  return { ...played, status, document, told, pool };
}

const later = (clock: SimulatedClock, ms: number): Promise<void> =>
  clock.run(new Promise((done) => clock.setTimer(ms, done)));

describe('compensation after a failure', () => {
  it('undoes what completed, the last first, one after the other, and then the execution has failed', async () => {
    const { status, document, told, pool } = await play(chain(), chainFate);
    expect(status).toBe('failed');
    expect(told).toEqual([
      'workflow_started',
      'workflow_compensating failed',
      ...['b', 'a', 'c'].flatMap((id) => [`started ${id}`, `completed ${id}`]),
      'workflow_failed',
    ]);
    expect(document).toMatchObject({
      failed_node: 'bad',
      compensation: { after: 'failed', completed: ['a', 'b', 'c'], failed: [], open: [] },
    });
    expect(document.node_states['compensate:bad'].status).toBe('pending');
    expect(document.node_states['compensate:b'].metadata.compensates).toBe('b');
    const calls = new Map(pool.dispatched.map(({ call }) => [call.nodeId, call]));
    // The inputs of its node, and that node's output; its config, or one of its own.
    expect(JSON.parse(calls.get('compensate:b')!.dependencyOutputs)).toEqual({
      a: { by: 'a' },
      b: { by: 'b' },
    });
    expect(calls.get('compensate:b')!.nodeConfig).toBe('{"own":true}');
    expect(calls.get('compensate:a')!.nodeConfig).toBe('{"of":"a"}');
  });

  it('is not needed when the execution completes, and says so', async () => {
    const { document, told } = await play(chain(), () => ok(10));
    expect(document.status).toBe('completed');
    expect(told).toEqual(['workflow_started', 'workflow_completed']);
    expect(document.node_states['compensate:a']).toMatchObject({
      status: 'skipped',
      metadata: { skipped_because: 'the execution completed: there is nothing to compensate' },
    });
    expect(document.progress_percent).toBe(100);
    expect(document.compensation).toBeUndefined();
  });

  it('is retried as its policy says, and a failed one stops no other', async () => {
    const retry_policy = { max_attempts: 2, retry_delay_seconds: 1 };
    const workflow = workflowOf([
      { id: 'a', compensate: { ...undo, retry_policy } },
      { id: 'b', dependencies: ['a'], compensate: { ...undo, retry_policy } },
      { id: 'bad', dependencies: ['b'] },
    ]);
    const { status, told, document } = await play(workflow, (id, attempt) =>
      id === 'bad' || id === 'compensate:b' || (id === 'compensate:a' && attempt === 1) ? fail(1) : ok(1),
    );
    expect(status).toBe('failed');
    expect(told.slice(2)).toEqual([
      ...['started b', 'failed b', 'started b', 'failed b'],
      ...['started a', 'failed a', 'started a', 'completed a'],
      'workflow_failed',
    ]);
    expect(document).toMatchObject({
      failed_node: 'bad',
      compensation: { completed: ['a'], failed: ['b'], open: [] },
    });
  });

  it('comes after what runs after failures', async () => {
    const workflow = workflowOf([
      { id: 'a', compensate: undo },
      { id: 'bad', dependencies: ['a'] },
      { id: 'clean', dependencies: ['bad'], trigger_rule: 'all_done', compensate: undo },
    ]);
    const { told } = await play(workflow, chainFate);
    expect(told.slice(1)).toEqual([
      'workflow_compensating failed',
      ...['clean', 'a'].flatMap((id) => [`started ${id}`, `completed ${id}`]),
      'workflow_failed',
    ]);
  });

  it.each(['on_failure', 'always'] as const)(
    'is what %s asks for, also when its time is over',
    async (compensate) => {
      const workflow = chain({ compensate, timeout_seconds: 1 });
      const { document } = await play(workflow, (id) => (id === 'bad' ? ok(60_000) : ok(100)));
      expect(document).toMatchObject({ status: 'failed', error: { code: 'WORKFLOW_TIMEOUT' } });
      expect(document.compensation).toMatchObject({ after: 'failed', completed: ['a', 'b', 'c'] });
    },
  );

  it('is not what on_cancel asks for', async () => {
    const { told } = await play(chain({ compensate: 'on_cancel' }), chainFate);
    expect(told).toEqual(['workflow_started', 'workflow_failed']);
  });

  it('waits while the execution is paused', async () => {
    const workflow = chain({}, {});
    const { runtime, clock, told } = await play(
      workflow,
      chainFate,
      async ({ runtime: asked, clock: time }) => {
        await later(time, 320);
        await time.run(asked.pause('e'));
      },
    );
    expect((await clock.run(runtime.get('e')))!.status).toBe('paused');
    const before = told.filter((each) => each.startsWith('started')).length;
    expect(before).toBeLessThan(3);
    expect((await clock.run((await clock.run(runtime.resume('e'))).result)).status).toBe('failed');
    expect(told.filter((each) => each.startsWith('started'))).toHaveLength(3);
  });
});

describe('compensation when somebody cancels', () => {
  const slow = (id: string): Fate => ok(id === 'bad' ? 60_000 : 100);
  const cancelAt =
    (ms: number, compensate?: boolean) =>
    async ({ runtime, clock }: World) => {
      await later(clock, ms);
      await clock.run(runtime.cancel('e', 'changed my mind', { compensate }));
    };

  it.each([
    ['on_failure', undefined, false],
    ['on_failure', true, true],
    ['on_cancel', undefined, true],
    ['always', undefined, true],
  ] as const)('with %s, asked %s: %s', async (compensate, asked, expected) => {
    const { status, told, document } = await play(chain({ compensate }), slow, cancelAt(250, asked));
    expect(status).toBe('cancelled');
    expect(told.includes('workflow_compensating cancelled')).toBe(expected);
    expect(document.compensation?.completed ?? []).toEqual(expected ? ['a', 'b', 'c'] : []);
    expect(document.node_states.bad.status).toBe('cancelled');
    expect(told.at(-1)).toBe('workflow_cancelled');
  });

  it('begins when what ran has stopped', async () => {
    const { pool, clock } = await play(chain({ compensate: 'always' }), slow, cancelAt(250));
    const at = pool.dispatched.findIndex(({ call }) => call.nodeId.startsWith('compensate:'));
    expect(at).toBe(4);
    // The cancelled attempt takes its grace of 5 s; then come three of 0.1 s.
    expect(clock.nowMs() - Date.UTC(2030, 0, 1)).toBeGreaterThanOrEqual(250 + 5_000 + 300);
  });

  it('ends at once when somebody cancels again', async () => {
    const { status, document } = await play(chain({ compensate: 'always' }), slow, async (played) => {
      await cancelAt(250)(played);
      await later(played.clock, 5_100);
      await played.clock.run(played.runtime.cancel('e'));
    });
    expect(status).toBe('cancelled');
    const undone = Object.values(document.node_states).filter(
      ({ node_id, status: each }) => node_id.startsWith('compensate:') && each === 'completed',
    );
    expect(undone.length).toBeLessThan(3);
  });
});

describe('what runs again after compensation', () => {
  it('is everything that was undone, and what came after it; the rest keeps its results', async () => {
    let isBad = true;
    const workflow = workflowOf([
      { id: 'a', compensate: undo },
      { id: 'b', dependencies: ['a'] },
      { id: 'kept' },
      { id: 'bad', dependencies: ['b', 'kept'] },
    ]);
    const { runtime, clock, pool, told } = await play(workflow, (id) =>
      id === 'bad' && isBad ? fail(1) : ok(1),
    );
    isBad = false;
    const sent = pool.dispatched.length;
    const again = await clock.run(runtime.retry('e'));
    expect((await clock.run(again.result)).status).toBe('completed');
    expect(pool.dispatched.slice(sent).map(({ call }) => call.nodeId)).toEqual(['a', 'b', 'bad']);
    const document = (await clock.run(runtime.get('e')))!;
    expect(document.node_states['compensate:a'].status).toBe('skipped');
    expect(document.compensation).toBeUndefined();
    expect(told.at(-1)).toBe('workflow_completed');
  });

  it('can fail and be undone again; a rerun of one node brings its compensation back', async () => {
    const { runtime, clock, told } = await play(chain(), chainFate);
    await clock.run((await clock.run(runtime.retry('e'))).result);
    expect(told.filter((each) => each === 'completed a')).toHaveLength(2);
    const rerun = await clock.run(runtime.rerun('e', 'a'));
    await clock.run(rerun!.result);
    expect(told.filter((each) => each === 'completed a')).toHaveLength(3);
    await expect(clock.run(runtime.rerun('e', 'compensate:a'))).rejects.toMatchObject({
      code: 'EXECUTION_STATE',
    });
  });

  it('is not carried into a fork', async () => {
    const { runtime, clock } = await play(chain(), chainFate);
    const fork = await clock.run(runtime.fork('e', { from: ['bad'], executionId: 'f' }));
    expect((await clock.run(fork.result)).status).toBe('failed');
    const document = (await clock.run(runtime.get('f')))!;
    expect([...document.compensation!.completed].sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('compensation and crashes at any commit', () => {
  const scripts = fc.record({
    size: fc.integer({ min: 1, max: 7 }),
    picks: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
    onFailure: fc.constantFrom('fail_fast' as const, 'continue' as const),
    lives: fc.array(fc.record({ commits: fc.nat({ max: 25 }), applyLast: fc.boolean() }), { maxLength: 3 }),
  });

  it('undoes each completed node once, in reverse order of completion, whatever crashes', async () => {
    const property = fc.asyncProperty(scripts, async ({ size, picks, onFailure, lives }) => {
      const nodes = Array.from({ length: size }, (_, k): Partial<NodeSpec> => {
        const before = k > 0 && picks[k] % 3 > 0 ? [`n${picks[k] % k}`] : [];
        return { id: `n${k}`, dependencies: before, ...(picks[k + 8] % 4 > 0 && { compensate: undo }) };
      });
      const workflow = workflowOf([...nodes, { id: 'bad', dependencies: [`n${picks[19] % size}`] }], {
        on_failure: onFailure,
      });
      const fateOf = (id: string): Fate => {
        const pick = picks[(id.length + id.charCodeAt(id.length - 1)) % 20];
        if (id === 'bad' || (id.startsWith('compensate:') && pick % 5 === 0)) return fail(1 + (pick % 50));
        return ok(1 + (pick % 90));
      };
      const kv = new MemoryKv();
      await openStore(kv);
      const clock = new SimulatedClock();
      for (const [life, { commits, applyLast }] of [
        ...lives,
        { commits: Infinity, applyLast: false },
      ].entries()) {
        const store = crashing(kv, commits, applyLast);
        const { runtime } = await world(workflow, fateOf, { kv: store, clock });
        const live = (async () => {
          if (life > 0) await runtime.recoverInterrupted();
          const known = await runtime.get('e');
          if (known === undefined) await (await runtime.start(workflow, {}, { executionId: 'e' })).result;
          else if (!isWorkflowStatusEnded(known.status)) await toEnd(runtime);
        })();
        live.catch(() => undefined);
        await clock.run(Promise.race([store.dead, live]));
        clock.forget();
        await buryOwners(kv);
      }
      const { runtime } = await world(workflow, fateOf, { kv, clock });
      const document = (await runtime.get('e'))!;
      expectUndone(document, workflow);
      const ends: string[] = [];
      for await (const { event_type, node_id = '', data } of runtime.events('e'))
        if (
          node_id.startsWith('compensate:') &&
          (event_type === 'node_completed' || data.will_retry === false)
        )
          ends.push(node_id);
      expect(new Set(ends).size).toBe(ends.length);
    });
    await fc.assert(property, { numRuns: 120 });
  }, 120_000);

  function expectUndone({ status, failed_node, node_states }: ExecutionDocument, workflow: Workflow): void {
    expect({ status, failed_node }).toEqual({ status: 'failed', failed_node: 'bad' });
    const of = workflow.spec.nodes.flatMap(({ id, compensates }) =>
      compensates === undefined ? [] : [{ done: node_states[compensates], undone: node_states[id] }],
    );
    const order: { done: number; undone: number }[] = [];
    for (const { done, undone } of of) {
      const isDue = done.status === 'completed';
      expect(isDue ? ['completed', 'failed'] : ['pending']).toContain(undone.status);
      if (isDue) order.push({ done: Date.parse(done.end_time!), undone: Date.parse(undone.start_time!) });
    }
    order.sort((a, b) => a.undone - b.undone);
    for (let k = 1; k < order.length; k++) expect(order[k].done).toBeLessThanOrEqual(order[k - 1].done);
  }
});
