import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { defineWorkflow, isMaestroError, type ExecutionEvent } from '../../src/runtime/index.js';
import {
  createRemoteRuntime,
  type RemoteRuntime,
  type RemoteRuntimeOptions,
} from '../../src/runtime/remote/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { collect, until } from './support/runtimes.js';

const baseDir = join(import.meta.dirname, '../fixtures/steps');
const uses = (name: string) => `./runtime-steps.js#${name}`;
const tempDir = tempDirs('maestro-remote');

const opened: RemoteRuntime[] = [];
afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((runtime) => runtime.close({ drainMs: 0 })));
});

/** A runtime, and its thread as Node tells of it. */
async function open(
  options: RemoteRuntimeOptions & { onEvent?: (event: ExecutionEvent) => void } = {},
): Promise<{ runtime: RemoteRuntime; thread: Worker }> {
  const threads: Worker[] = [];
  const note = (worker: Worker): void => void threads.push(worker);
  process.on('worker', note);
  try {
    const pool = { graceMs: 50, threads: 1 };
    const runtime = await createRemoteRuntime({ store: 'memory:', pool, ...options });
    opened.push(runtime);
    return { runtime, thread: threads[0] };
  } finally {
    process.off('worker', note);
  }
}

const chain = () =>
  defineWorkflow({ id: 'chain' })
    .node('first', { uses: uses('quick') })
    .node('wait', { dependsOn: ['first'], uses: uses('wait'), config: { ms: 400 } })
    .node('last', { dependsOn: ['wait'], uses: uses('quick') })
    .build({ baseDir });

const endless = () =>
  defineWorkflow({ id: 'endless' })
    .node('n', { uses: uses('never') })
    .build({ baseDir });

describe('a runtime in a thread of its own', () => {
  it('runs workflows, tells events live and stored, and answers questions', async () => {
    const live: ExecutionEvent[] = [];
    const { runtime } = await open({ onEvent: (event) => live.push(event) });
    expect(runtime.recovered).toEqual([]);
    const execution = await runtime.start(chain(), { a: 1 }, { executionId: 'mine' });
    expect([execution.id, execution.workflowId]).toEqual(['mine', 'chain']);
    const following = collect(execution.events());
    expect(await execution.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    const stored = await collect(runtime.events('mine'));
    expect(stored.at(-1)?.event_type).toBe('workflow_completed');
    expect(await following).toEqual(stored);
    await until(() => live.length === stored.length, 'all events are told');
    expect(live).toEqual(stored);
    expect(await collect(runtime.events('mine', { after: stored[2].event_id }))).toEqual(stored.slice(3));
    expect((await runtime.get('mine'))!).toMatchObject({
      global_context: { a: 1 },
      node_outputs: { first: { done: true }, wait: 'waited' },
    });
    expect((await runtime.list()).records).toMatchObject([{ executionId: 'mine', status: 'completed' }]);
    expect(await runtime.get('other')).toBeUndefined();
  });

  it('follows and watches until it is told to stop', async () => {
    const { runtime } = await open();
    const stop = new AbortController();
    const { signal } = stop;
    const watching = collect(runtime.watch('endless', { signal }));
    await runtime.start(endless(), {}, { executionId: 'mine' });
    const seen: ExecutionEvent[] = [];
    for await (const event of runtime.events('mine', { follow: true, signal })) {
      seen.push(event);
      if (event.event_type === 'node_started') stop.abort();
    }
    expect(seen.map(({ event_type }) => event_type)).toContain('workflow_started');
    expect(await watching).toEqual(seen.slice(0, (await watching).length));
    // Leaving early waits for nothing that may never come.
    for await (const { event_type } of runtime.events('mine', { follow: true }))
      if (event_type === 'node_started') break;
  });

  it('pauses, resumes, cancels and retries', async () => {
    const { runtime } = await open();
    const execution = await runtime.start(chain());
    await runtime.pause(execution.id);
    expect((await execution.result).status).toBe('paused');
    const resumed = await runtime.resume(execution.id);
    await runtime.cancel(execution.id, 'enough');
    expect((await resumed.result).status).toBe('cancelled');
    const retried = await runtime.retry(execution.id);
    expect((await retried.result).status).toBe('completed');
  });

  it('runs one node again, with or without what depends on it, and forks', async () => {
    const { runtime } = await open();
    const { id, result } = await runtime.start(chain());
    await result;
    const alone = await runtime.rerun(id, 'first', { cascade: false });
    expect(await alone!.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    const cascaded = await runtime.rerun(id, 'wait');
    expect((await cascaded!.result).status).toBe('completed');
    const { node_states } = (await runtime.get(id))!;
    const runs = Object.entries(node_states).map(([node, { metadata }]) => [node, metadata.run]);
    expect(Object.fromEntries(runs)).toEqual({ first: 1, wait: 1, last: 1 });
    const fork = await runtime.fork(id, { from: ['last'], context: { a: 1 }, executionId: 'forked' });
    expect([fork.id, (await fork.result).status]).toEqual(['forked', 'completed']);
    expect(await runtime.get('forked')).toMatchObject({
      forked_from: { execution_id: id, nodes: ['last'] },
      global_context: { a: 1 },
    });
    await expect(runtime.rerun(id, 'nope')).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' });
    // It has completed: there is nothing to go on with.
    const { allowed, refusals } = await runtime.migrate(id, chain(), { dryRun: true });
    expect([allowed, refusals]).toEqual([false, ['it is completed: only what can go on is migrated']]);
    await expect(runtime.migrate(id, chain())).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
    await expect(runtime.fork(id, { from: ['nope'] })).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' });
  });

  it('keeps schedules, and starts what is due', async () => {
    const { runtime } = await open({ schedules: true });
    const scheduled = defineWorkflow({ id: 'each', schedule: { cron: '* * * * * *' } })
      .node('n', { uses: uses('quick') })
      .build({ baseDir });
    expect(await runtime.schedules.add(scheduled, { next: 2 })).toMatchObject({
      workflow_id: 'each',
      paused: false,
    });
    await until(
      async () => (await runtime.list({ workflowId: 'each' })).records.length > 0,
      'one has started',
    );
    expect(await runtime.schedules.pause('each')).toMatchObject({ paused: true });
    expect(await runtime.schedules.resume('each')).toMatchObject({ paused: false });
    expect(await runtime.schedules.list()).toMatchObject([{ workflow_id: 'each' }]);
    expect([await runtime.schedules.remove('each'), await runtime.schedules.remove('each')]).toEqual([
      true,
      false,
    ]);
    await expect(runtime.schedules.pause('each')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
  });

  it('counts, collects, deletes and marks stale', async () => {
    const { runtime } = await open();
    for (const executionId of ['a', 'b']) {
      const { id, result } = await runtime.start(chain(), {}, { executionId });
      expect([id, (await result).status]).toEqual([executionId, 'completed']);
    }
    expect(await runtime.counts()).toMatchObject({ completed: 2, running: 0 });
    expect(await runtime.collect({ keep: 1, dryRun: true })).toEqual({ deleted: ['a'], dryRun: true });
    expect(await runtime.collect({ keep: 1 })).toEqual({ deleted: ['a'], dryRun: false });
    expect([await runtime.delete('b'), await runtime.delete('b')]).toEqual([true, false]);
    expect(await runtime.markStale({ olderThanMs: 0 })).toEqual([]);
    await expect(runtime.collect({})).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('passes on errors as they are: code, advice, details, problems', async () => {
    const { runtime } = await open();
    await runtime.start(chain(), {}, { executionId: 'taken' });
    const again = runtime.start(chain(), {}, { executionId: 'taken' });
    await expect(again).rejects.toMatchObject({
      code: 'EXECUTION_EXISTS',
      next: 'Choose another execution id.',
    });
    const missing = await runtime.resume('nope').catch((error: unknown) => error);
    expect(isMaestroError(missing, 'EXECUTION_NOT_FOUND')).toBe(true);
    await expect(collect(runtime.events('nope'))).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    const { spec } = chain();
    const broken = { ...chain(), spec: { ...spec, nodes: [{ ...spec.nodes[0], dependencies: ['ghost'] }] } };
    const invalid = (await runtime.start(broken).catch((error: unknown) => error)) as { problems: unknown[] };
    expect(invalid).toMatchObject({ code: 'SPEC_INVALID' });
    expect(invalid.problems).toMatchObject([
      { node_id: 'first', message: expect.stringContaining('ghost') as string },
    ]);
    await expect(open({ mode: 'fast' as never })).rejects.toMatchObject({ code: 'CONFIG_CONFLICT' });
    await expect(open({ store: `lmdb:${import.meta.filename}` })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });

  it('refuses inline functions, naming the nodes', async () => {
    const { runtime } = await open();
    const workflow = defineWorkflow({ id: 'inline' })
      .node('here', { execute: () => 1 })
      .build();
    await expect(runtime.start(workflow)).rejects.toMatchObject({
      code: 'EXECUTOR_MISSING',
      message: expect.stringContaining('here') as string,
    });
  });

  it('leaves the event loop of the application free', async () => {
    const { runtime } = await open({ store: `lmdb:${tempDir()}` });
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'wide' });
    for (let i = 0; i < 2000; i++)
      builder.node(`n${i}`, { uses: uses('quick'), dependsOn: i < 50 ? [] : [`n${i - 50}`] });
    const workflow = builder.build({ baseDir });
    await (
      await runtime.start(chain())
    ).result;
    const execution = await runtime.start(workflow);
    let isOver = false;
    const result = execution.result.finally(() => (isOver = true));
    const before = performance.eventLoopUtilization();
    for (let turns = 0; !isOver; turns++) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(await result).toMatchObject({ status: 'completed', completed_nodes: 2000 });
    // Busy in this thread would be 1: scheduling, commits and encoding happened elsewhere.
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  });

  it('rejects all that waits when its thread dies, and all that comes later', async () => {
    const { runtime, thread } = await open();
    const execution = await runtime.start(endless());
    const waiting = [execution.result, collect(execution.events())];
    await thread.terminate();
    const died = { code: 'RUNTIME_DIED' };
    for (const promise of waiting) await expect(promise).rejects.toMatchObject(died);
    await expect(runtime.get(execution.id)).rejects.toMatchObject(died);
    await expect(runtime.start(chain())).rejects.toMatchObject(died);
    await expect(runtime.close()).rejects.toMatchObject(died);
  });

  it('closes, once, with its thread; what it left is resumed by the next one', async () => {
    const store = `lmdb:${tempDir()}`;
    const { runtime, thread } = await open({ store });
    const { id, result } = await runtime.start(chain());
    const gone = new Promise((resolve) => thread.once('exit', resolve));
    const [first, second] = [runtime.close({ drainMs: 0 }), runtime.close()];
    await Promise.all([first, second, gone]);
    await expect(result).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
    await expect(runtime.list()).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
    const next = (await open({ store })).runtime;
    expect(next.recovered).toEqual([{ executionId: id }]);
    expect((await (await next.resume(id)).result).status).toBe('completed');
  });
});
