import { describe, expect, it } from 'vitest';
import { fails, quietWorld, succeeds, workflowOf } from './quiet-world.js';

const HOUR_MS = 3_600_000;

describe('time', () => {
  it('passes by the day in moments: retries, timeouts and long attempts of 24 hours', async () => {
    const workflow = workflowOf(
      { retry_policy: { max_attempts: 24, retry_delay_seconds: 3_600 } },
      { timeout_seconds: 12 * 3_600 },
      { dependencies: ['n0'], timeout_seconds: 100 },
    );
    const { timeline, boot, during } = quietWorld(workflow, (nodeId, attempt) => {
      if (nodeId === 'n0') return attempt < 24 ? fails : succeeds(0);
      return succeeds(nodeId === 'n1' ? 12 * HOUR_MS - 1_000 : 99_000);
    });
    const began = timeline.nowMs;
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    expect(await during(result)).toMatchObject({ status: 'completed', completed_nodes: 3 });
    expect(timeline.nowMs - began).toBeGreaterThan(23 * HOUR_MS);
    const { node_states } = (await runtime!.get('e'))!;
    expect(node_states.n0.attempt_count).toBe(24);
  }, 300_000);

  it('a timeout longer than any timer (2^31 ms) does not fire early', async () => {
    const days = 40 * 24 * 3_600;
    const workflow = workflowOf({ timeout_seconds: days });
    const { timeline, boot, during } = quietWorld(workflow, () => succeeds(Infinity));
    const { runtime, clock } = await boot();
    // What looks for requests ten times a second is left out: forty days of it take long.
    const arm = clock.setTimer.bind(clock);
    clock.setTimer = (delayMs, fn) => (delayMs === 100 ? () => {} : arm(delayMs, fn));
    const began = timeline.nowMs;
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    expect(await during(result)).toMatchObject({ status: 'failed', error: { code: 'STEP_TIMEOUT' } });
    expect((timeline.nowMs - began) / 1000).toBeCloseTo(days + 1, 0);
  });

  it.each([HOUR_MS, -HOUR_MS])(
    'a timeout is a span: it does not change when the clock is set by %i ms',
    async (by) => {
      const workflow = workflowOf({ timeout_seconds: 60 });
      const { timeline, boot, during, pass } = quietWorld(workflow, () => succeeds(Infinity));
      const { runtime, clock } = await boot();
      const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
      const began = timeline.nowMs;
      await pass(10_000);
      clock.jump(by);
      expect(await during(result, began + 2 * HOUR_MS)).toMatchObject({ error: { code: 'STEP_TIMEOUT' } });
      expect((timeline.nowMs - began) / 1000).toBeCloseTo(61, 0);
    },
  );

  it('a request of another process is heard soon, also when the clock was set back', async () => {
    const workflow = workflowOf({});
    const { timeline, boot, during, pass } = quietWorld(workflow, () => succeeds(Infinity));
    const first = await boot();
    const { result } = await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    await pass(1_000);
    first.clock.jump(-HOUR_MS);
    const second = await boot();
    const asked = timeline.nowMs;
    await during(second.runtime!.cancel('e'));
    expect(await during(result, asked + 10_000)).toMatchObject({ status: 'cancelled' });
  });

  it('a resume in the middle of a recovery does not bring an execution here twice', async () => {
    const workflow = workflowOf({}, { dependencies: ['n0'] });
    const { boot, during, pass, sent } = quietWorld(workflow, () => succeeds(100));
    const first = await boot();
    await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(first.runtime!.start(workflow, {}, { executionId: 'f' }));
    await pass(10);
    const second = await boot();
    first.die('killed');
    const before = sent.length;
    const recovering = second.runtime!.recover();
    // Its lease and the takeover of the first one take 2 ms each; the second one is under way.
    await pass(3);
    const { result } = await during(second.runtime!.resume('e'));
    await during(recovering);
    expect(await during(result)).toMatchObject({ status: 'completed', completed_nodes: 2 });
    expect(sent.slice(before).filter((name) => name === 'e/n0')).toHaveLength(1);
    expect(second.runtime!.failure).toBeUndefined();
  });

  it('a resume in the middle of a start does not bring an execution here twice', async () => {
    const workflow = workflowOf({}, { dependencies: ['n0'] });
    const { boot, during, pass, sent } = quietWorld(workflow, () => succeeds(100));
    const { runtime } = await boot();
    const starting = runtime!.start(workflow, {}, { executionId: 'e' });
    // The lease takes 2 ms; the record is on disk, and not answered, after one more.
    await pass(2.5);
    const resumed = runtime!.resume('e');
    const { result } = await during(starting);
    await during(resumed);
    expect(await during(result)).toMatchObject({ status: 'completed', completed_nodes: 2 });
    expect(sent).toEqual(['e/n0', 'e/n1']);
  });

  it('a deletion by force in the middle of a recovery does not take away what is being brought here', async () => {
    const workflow = workflowOf({});
    const { boot, during, pass } = quietWorld(workflow, () => succeeds(100));
    const first = await boot();
    await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    const second = await boot();
    first.die('killed');
    const recovering = second.runtime!.recover();
    // Its lease takes 2 ms; the takeover is on disk, and not answered, after one more.
    await pass(2.5);
    const deleted = second.runtime!.delete('e', { force: true });
    await expect(during(deleted)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    await during(recovering);
    await pass(1_000);
    expect(await during(second.runtime!.get('e'))).toMatchObject({ status: 'completed' });
    expect(await during(second.runtime!.delete('e'))).toBe(true);
  });

  it('what is asked to run again just now is not taken for at rest by a collection', async () => {
    const workflow = workflowOf({});
    const { boot, during, pass } = quietWorld(workflow, () => succeeds(100));
    const { runtime } = await boot();
    const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(result);
    await pass(100);
    const again = runtime!.rerun('e', 'n0');
    // The takeover is on disk, and not answered.
    await pass(0.5);
    const collected = runtime!.collect({ olderThanMs: 0, keep: 0 });
    expect(await during(collected)).toMatchObject({ deleted: [] });
    expect(await during((await during(again))!.result)).toMatchObject({ status: 'completed' });
    expect(await during(runtime!.get('e'))).toMatchObject({ status: 'completed' });
  });

  it('what has been cancelled is deleted once its last steps have stopped, not before', async () => {
    const workflow = workflowOf({});
    const { boot, during, pass } = quietWorld(workflow, () => succeeds(Infinity));
    const [first, second] = [await boot(), await boot()];
    const all = { olderThanMs: 0 };
    await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(first.runtime!.cancel('e'));
    for (const { runtime } of [first, second])
      expect(await during(runtime!.collect(all))).toMatchObject({ deleted: [] });
    await expect(during(second.runtime!.delete('e'))).rejects.toMatchObject({ code: 'EXECUTION_OWNED' });
    await pass(2_000);
    expect(await during(second.runtime!.collect(all))).toMatchObject({ deleted: ['e'] });
    await pass(2_000);
    expect(await during(second.runtime!.get('e'))).toBeUndefined();
    expect(await during(second.runtime!.list())).toMatchObject({ records: [] });
  });

  it('a process that was taken for dead writes nothing about what another one has deleted', async () => {
    const workflow = workflowOf({});
    const { world, boot, during, pass } = quietWorld(workflow, () => succeeds(Infinity));
    const first = await boot();
    await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    await during(first.runtime!.cancel('e'));
    world.misjudge(first.pid);
    const second = await boot();
    expect(await during(second.runtime!.delete('e'))).toBe(true);
    await pass(2_000);
    expect(first.runtime!.failure).toMatchObject({ code: 'LEASE_LOST' });
    expect(await during(second.runtime!.list())).toMatchObject({ records: [] });
  });

  it('what a closing process has let go of changes no more, not even by a moment that comes just then', async () => {
    const workflow = workflowOf({ run: undefined, sleep: { seconds: 1 } });
    const { timeline, boot, during } = quietWorld(workflow, () => succeeds(1));
    const { runtime } = await boot();
    await during(runtime!.start(workflow, {}, { executionId: 'e' }));
    const { node_states } = (await during(runtime!.get('e')))!;
    const { until } = node_states.n0.metadata.waiting_for as { until: string };
    const { total_changes: before } = await during(runtime!.replay('e'));
    // Its last commit takes 2 ms: the moment comes while that is under way.
    const closed = timeline
      .sleep(Date.parse(until) - 0.5 - timeline.nowMs)
      .then(() => runtime!.close({ drainMs: 0 }));
    await during(closed);
    const next = await boot();
    const taken = (await during(next.runtime!.get('e')))!;
    expect(taken).toMatchObject({ status: 'running' });
    const recovered = await during(next.runtime!.replay('e'));
    expect(recovered.total_changes).toBe(before);
  });

  it('a process that is wrongly taken for dead ends with LEASE_LOST; the other one goes on', async () => {
    const workflow = workflowOf({}, { dependencies: ['n0'] });
    const { world, boot, during, pass } = quietWorld(workflow, () => succeeds(1_000));
    const first = await boot();
    const { result } = await during(first.runtime!.start(workflow, {}, { executionId: 'e' }));
    const lost = expect(result).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await pass(500);
    world.misjudge(first.pid);
    const second = await boot();
    const taken = await during(second.runtime!.resume('e'));
    expect(await during(taken.result)).toMatchObject({ status: 'completed', completed_nodes: 2 });
    await lost;
    expect(first.runtime!.failure).toMatchObject({ code: 'LEASE_LOST' });
  });
});
