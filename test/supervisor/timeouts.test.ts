import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import { workflowFromSpec, type NodeSpec, type Workflow, type WorkflowHeader } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { outliving } from '../support/outliving-kv.js';
import { buryOwners, crashing, quiet, simulate, SimulatedClock, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';

type World = Awaited<ReturnType<typeof simulate>>;

const ok = (durationMs: number): Fate => ({ outcome: 'ok', durationMs, output: '{}' });
const fail = (durationMs: number): Fate => ({ outcome: 'fail', durationMs, output: '' });

const workflowOf = (nodes: Partial<NodeSpec>[], header: Partial<WorkflowHeader> = {}): Workflow =>
  workflowFromSpec({
    workflow: { id: 'w', name: 'w', on_failure: 'continue', ...header },
    nodes: nodes.map((node) => {
      const waits = 'sleep' in node || 'wait_for' in node || node.type === 'human_review';
      return { name: node.id!, type: 'custom', ...(!waits && { run: 'simulated' }), ...node };
    }),
  });

const world = (
  workflow: Workflow,
  fateOf: (id: string, attempt: number) => Fate,
  kv: Kv = new MemoryKv(),
  clock = new SimulatedClock(),
): Promise<World> => simulate(kv, { seed: 1, workflows: [workflow], slots: 10, lossRate: 0, fateOf, clock });

/** Lets time pass. */
const later = (clock: SimulatedClock, ms: number): Promise<void> =>
  clock.run(new Promise((done) => clock.setTimer(ms, done)));

/** Seconds from the start of a node to its end. */
function secondsOf({ node_states }: ExecutionDocument, id: string): number {
  const { start_time, end_time } = node_states[id];
  return (Date.parse(end_time!) - Date.parse(start_time!)) / 1000;
}

async function play(
  workflow: Workflow,
  fateOf: (id: string, attempt: number) => Fate,
  meanwhile: (world: World) => Promise<unknown> = () => Promise.resolve(),
): Promise<{ document: ExecutionDocument; sent: string[] }> {
  const played = await world(workflow, fateOf);
  const { runtime, clock, pool } = played;
  const execution = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
  await meanwhile(played);
  await clock.run(execution.result);
  const document = (await clock.run(runtime.get('e')))!;
  await clock.run(runtime.close());
  return { document, sent: pool.dispatched.map(({ call }) => `${call.nodeId}/${call.attempt}`) };
}

const codeOf = (document: ExecutionDocument, id: string): unknown =>
  (document.node_states[id].metadata.error as { code?: string } | undefined)?.code;

describe('the time of a node over all its attempts', () => {
  const retry_policy = { max_attempts: 10, retry_delay_seconds: 2 };

  it('ends the attempt that runs', async () => {
    const { document } = await play(workflowOf([{ id: 'a', total_timeout_seconds: 3 }]), () => ok(60_000));
    expect(document).toMatchObject({ status: 'failed', failed_node: 'a', error: { code: 'NODE_TIMEOUT' } });
    expect(document.node_states.a.error_message).toBe(
      'node "a" took longer than 3 s over all its attempts (total_timeout_seconds)',
    );
    expect(secondsOf(document, 'a')).toBe(3);
  });

  it('ends the wait for the next attempt, and says what the last one failed of', async () => {
    const workflow = workflowOf([{ id: 'a', total_timeout_seconds: 6, retry_policy }]);
    const { document, sent } = await play(workflow, () => fail(1_000));
    // Attempts from 0 to 1 s, 3 to 4 s, and then from 6 s on.
    expect(sent.slice(0, 2)).toEqual(['a/1', 'a/2']);
    expect(codeOf(document, 'a')).toBe('NODE_TIMEOUT');
    expect(secondsOf(document, 'a')).toBe(6);
    const early = workflowOf([{ id: 'a', total_timeout_seconds: 5, retry_policy }]);
    const { node_states } = (await play(early, () => fail(1_000))).document;
    expect(node_states.a.error_message).toContain('; attempt 2 had failed: a failed');
  });

  it('leaves alone what ends in time, however many attempts that takes', async () => {
    const workflow = workflowOf([{ id: 'a', total_timeout_seconds: 10, retry_policy }]);
    const { document } = await play(workflow, (_, attempt) => (attempt < 3 ? fail(1_000) : ok(1_000)));
    expect(document.status).toBe('completed');
    expect(secondsOf(document, 'a')).toBe(7);
  });

  it.each<[string, Partial<NodeSpec>]>([
    ['a sleep', { sleep: { seconds: 100 } }],
    ['a wait for a signal', { wait_for: { signal: 's' } }],
    ['a review', { type: 'human_review' }],
  ])('ends %s', async (_, wait) => {
    const { document } = await play(workflowOf([{ id: 'a', total_timeout_seconds: 4, ...wait }]), () =>
      ok(1),
    );
    expect(codeOf(document, 'a')).toBe('NODE_TIMEOUT');
    expect(secondsOf(document, 'a')).toBe(4);
  });

  it('goes on while the execution is paused, and begins anew with a retry', async () => {
    const workflow = workflowOf([{ id: 'a', total_timeout_seconds: 5 }]);
    const { runtime, clock } = await world(workflow, (_, attempt) => ok(attempt > 0 ? 8_000 : 0));
    const { result } = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
    await clock.run(runtime.pause('e'));
    expect((await clock.run(result)).status).toBe('paused');
    expect(codeOf((await clock.run(runtime.get('e')))!, 'a')).toBe('NODE_TIMEOUT');
    expect((await clock.run((await clock.run(runtime.resume('e'))).result)).status).toBe('failed');
    await later(clock, 1_000_000);
    const again = await clock.run(runtime.retry('e'));
    expect((await clock.run(again.result)).error?.code).toBe('NODE_TIMEOUT');
    expect(secondsOf((await clock.run(runtime.get('e')))!, 'a')).toBe(5);
    await clock.run(runtime.close());
  });

  it('does not count time in which the execution had ended', async () => {
    const nodes: Partial<NodeSpec>[] = [
      { id: 'a', total_timeout_seconds: 5, retry_policy: { max_attempts: 2, retry_delay_seconds: 3 } },
      { id: 'b' },
    ];
    const workflow = workflowOf(nodes, { on_failure: 'fail_fast' });
    let isFirst = true;
    const { runtime, clock } = await world(workflow, (id, attempt) =>
      id === 'b' ? (isFirst ? fail(2_000) : ok(1)) : attempt === 1 ? fail(1_000) : ok(1_000),
    );
    const { result } = await clock.run(runtime.start(workflow, {}, { executionId: 'e' }));
    expect((await clock.run(result)).failed_node).toBe('b');
    expect((await clock.run(runtime.get('e')))!.node_states.a.metadata.retry_at).toBeDefined();
    await later(clock, 100_000);
    isFirst = false;
    const again = await clock.run(runtime.retry('e'));
    expect((await clock.run(again.result)).status).toBe('completed');
    await clock.run(runtime.close());
  });

  it('starts a member of a group over like any other failure', async () => {
    const nodes: Partial<NodeSpec>[] = [
      { id: 'a', total_timeout_seconds: 6 },
      { id: 'g', type: 'parallel_group', run: undefined, members: ['a'], supervision: { max_restarts: 1 } },
    ];
    let starts = 0;
    const { document } = await play(workflowOf(nodes), () => ok(++starts === 1 ? 60_000 : 100));
    expect(document.status).toBe('completed');
    expect(document.node_states.a.metadata.run).toBe(1);
  });
});

describe('the time of an execution', () => {
  const long = workflowOf([{ id: 'a' }, { id: 'b', dependencies: ['a'] }, { id: 'c' }], {
    timeout_seconds: 10,
  });

  it('cancels what is left and fails it, saying so', async () => {
    const { document, sent } = await play(long, (id) => ok(id === 'c' ? 60_000 : 6_000));
    expect(document).toMatchObject({
      status: 'failed',
      failed_node: null,
      error: { code: 'WORKFLOW_TIMEOUT' },
    });
    expect(document.error?.message).toBe('the execution took longer than 10 s (workflow.timeout_seconds)');
    const statuses = Object.values(document.node_states).map(({ status }) => status);
    expect(statuses).toEqual(['completed', 'cancelled', 'cancelled']);
    expect(sent).toEqual(['a/1', 'c/1', 'b/1']);
    expect(Date.parse(document.completed_at!) - Date.parse(document.started_at!)).toBe(10_000);
  });

  it('leaves alone what ends in time', async () => {
    expect((await play(long, () => ok(4_999))).document.status).toBe('completed');
  });

  it('ends waits, and counts while it is paused and at rest: that is found when it is taken up', async () => {
    const waits = workflowOf([{ id: 'w', wait_for: { signal: 's' } }], { timeout_seconds: 10 });
    expect((await play(waits, () => ok(1))).document.node_states.w.status).toBe('cancelled');
    const { runtime, clock, pool } = await world(long, () => ok(3_000));
    const { result } = await clock.run(runtime.start(long, {}, { executionId: 'e' }));
    await clock.run(runtime.pause('e'));
    expect((await clock.run(result)).status).toBe('paused');
    await later(clock, 20_000);
    const sent = pool.dispatched.length;
    const { error } = await clock.run((await clock.run(runtime.resume('e'))).result);
    expect(error?.code).toBe('WORKFLOW_TIMEOUT');
    expect(pool.dispatched.length).toBe(sent);
    // A retry has all the time again.
    expect((await clock.run((await clock.run(runtime.retry('e'))).result)).status).toBe('completed');
    await clock.run(runtime.close());
  });

  it('hears a signal that was sent in time before it looks at the time', async () => {
    const waits = workflowOf([{ id: 'w', wait_for: { signal: 's' } }], { timeout_seconds: 10 });
    const kv = outliving(new MemoryKv());
    const first = await world(waits, () => ok(1), kv);
    const { clock } = first;
    const { result } = await clock.run(first.runtime.start(waits, {}, { executionId: 'e' }));
    result.catch(() => undefined);
    await clock.run(first.runtime.close());
    const second = await world(waits, () => ok(1), kv, clock);
    await clock.run(second.runtime.signal('e', 's', 1));
    await later(clock, 20_000);
    await clock.run(second.runtime.recoverInterrupted());
    await quiet();
    expect((await clock.run(second.runtime.get('e')))!.status).toBe('completed');
    await clock.run(second.runtime.close());
  });
});

describe('an attempt that a crash cut off', () => {
  it.each([
    ['the time of its node', { total_timeout_seconds: 3 }, {}, 'failed', ['node_failed']],
    ['the time of its execution', {}, { timeout_seconds: 3 }, 'cancelled', ['node_cancelled']],
    ['neither time', { total_timeout_seconds: 90 }, { timeout_seconds: 90 }, 'completed', undefined],
  ] as const)('counts as one when %s passes while nobody runs it', async (_, node, header, ends, last) => {
    const kv = outliving(new MemoryKv());
    const clock = new SimulatedClock();
    const retry_policy = { max_attempts: 3, retry_delay_seconds: 0.5 };
    const workflow = workflowOf([{ id: 'a', retry_policy, ...node }], header);
    const first = await world(
      workflow,
      (_id, attempt) => (attempt === 1 ? fail(100) : ok(60_000)),
      kv,
      clock,
    );
    await clock.run(first.runtime.start(workflow, {}, { executionId: 'e' }));
    await later(clock, 1_000);
    expect((await first.runtime.get('e'))!.node_states.a).toMatchObject({
      status: 'running',
      attempt_count: 2,
    });
    clock.forget();
    await buryOwners(kv);
    await later(clock, 10_000);
    const { runtime, pool } = await world(workflow, () => ok(1), kv, clock);
    await clock.run(runtime.recoverInterrupted());
    await later(clock, 1_000);
    expect((await runtime.get('e'))!.node_states.a).toMatchObject({ status: ends, attempt_count: 2 });
    const events: string[] = [];
    for await (const { event_type, node_id } of runtime.events('e')) if (node_id) events.push(event_type);
    if (last !== undefined) expect(events.slice(events.lastIndexOf('node_started') + 1)).toEqual(last);
    expect(pool.dispatched).toHaveLength(last === undefined ? 1 : 0);
  });
});

describe('deadlines and crashes at any commit', () => {
  const scripts = fc.record({
    nodes: fc.array(
      fc.record({
        seconds: fc.constantFrom(1, 2, 5),
        attempts: fc.array(fc.record({ fails: fc.boolean(), ms: fc.integer({ min: 1, max: 3_000 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    workflowSeconds: fc.option(fc.constantFrom(2, 4), { nil: undefined }),
    lives: fc.array(
      fc.record({ commits: fc.nat({ max: 20 }), applyLast: fc.boolean(), downMs: fc.nat(4_000) }),
      {
        maxLength: 3,
      },
    ),
  });

  it('are kept to the moment while somebody runs it, fire once, and never hit what ended in time', async () => {
    const property = fc.asyncProperty(scripts, async ({ nodes, workflowSeconds, lives }) => {
      const retry_policy = { max_attempts: 4, retry_delay_seconds: 0.5 };
      const workflow = workflowOf(
        nodes.map(({ seconds }, k) => ({ id: `n${k}`, total_timeout_seconds: seconds, retry_policy })),
        workflowSeconds === undefined ? {} : { timeout_seconds: workflowSeconds },
      );
      const fateOf = (id: string, attempt: number): Fate => {
        const { attempts } = nodes[Number(id.slice(1))];
        const { fails, ms } = attempts[Math.min(attempt, attempts.length) - 1];
        return fails ? fail(ms) : ok(ms);
      };
      const kv = new MemoryKv();
      await openStore(kv);
      const clock = new SimulatedClock();
      /** When nobody ran it. */
      const gaps: [from: number, to: number][] = [];
      for (const [life, { commits, applyLast, downMs }] of [...lives, null].map(
        (each, k) => [k, each ?? { commits: Infinity, applyLast: false, downMs: 0 }] as const,
      )) {
        const store = crashing(kv, commits, applyLast);
        const { runtime } = await world(workflow, fateOf, store, clock);
        const live = (async () => {
          if (life > 0) await runtime.recoverInterrupted();
          const known = await runtime.get('e');
          if (known === undefined) await (await runtime.start(workflow, {}, { executionId: 'e' })).result;
          else if (!isWorkflowStatusEnded(known.status)) await toEnd(runtime);
        })();
        live.catch(() => undefined);
        await clock.run(Promise.race([store.dead, live]));
        if (commits === Infinity) break;
        await quiet();
        const from = clock.nowMs();
        clock.forget();
        await later(clock, downMs);
        gaps.push([from, clock.nowMs()]);
        await buryOwners(kv);
      }
      const { runtime } = await world(workflow, fateOf, kv, clock);
      const document = (await runtime.get('e'))!;
      expect(isWorkflowStatusEnded(document.status)).toBe(true);
      const wasUp = (atMs: number): boolean => gaps.every(([from, to]) => atMs < from || atMs > to);
      nodes.forEach(({ seconds }, k) => {
        const id = `n${k}`;
        const { status, start_time, end_time } = document.node_states[id];
        if (start_time === null) return;
        const due = Date.parse(start_time) + seconds * 1000;
        const ended = Date.parse(end_time!);
        if (codeOf(document, id) === 'NODE_TIMEOUT') {
          expect(ended).toBeGreaterThanOrEqual(due);
          if (wasUp(due)) expect(ended).toBe(due);
        } else if (status === 'completed' && wasUp(due)) expect(ended).toBeLessThanOrEqual(due);
      });
      if (document.error?.code === 'WORKFLOW_TIMEOUT') {
        const due = Date.parse(document.started_at!) + workflowSeconds! * 1000;
        const ended = Date.parse(document.completed_at!);
        expect(ended).toBeGreaterThanOrEqual(due);
        if (wasUp(due)) expect(ended).toBe(due);
      }
      const codes: unknown[] = [];
      for await (const { node_id, data, event_type } of runtime.events('e'))
        if (
          data.error_code === 'NODE_TIMEOUT' ||
          (event_type === 'workflow_failed' && data.failed_node === null)
        )
          codes.push(node_id);
      expect(new Set(codes).size).toBe(codes.length);
    });
    await fc.assert(property, { numRuns: 150 });
  }, 120_000);
});
