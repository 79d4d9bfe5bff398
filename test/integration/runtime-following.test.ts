import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineWorkflow, type ExecutionEvent, type Runtime } from '../../src/runtime/index.js';
import { failFirst, manyEntries } from './support/checkpoints.js';
import { collect, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

/** Waits at the gate, fails once, and succeeds. */
function gated(gate: Gate) {
  let tries = 0;
  return defineWorkflow({ id: 'gated' })
    .node('first', { execute: () => gate.passed.then(() => ({ n: 1 })) })
    .node('flaky', {
      dependsOn: ['first'],
      retry: { maxAttempts: 2, delaySeconds: 0.01 },
      execute: () => (tries++ === 0 ? Promise.reject(new Error('once')) : 2),
    })
    .build();
}

const quick = (id = 'quick') =>
  defineWorkflow({ id })
    .node('only', { execute: () => 1 })
    .build();

/** Reads on in the background. */
function reader(events: AsyncIterable<ExecutionEvent>) {
  const seen: ExecutionEvent[] = [];
  const ended = (async () => {
    for await (const event of events) seen.push(event);
  })();
  ended.catch(() => {});
  return { seen, ended, types: () => seen.map(({ event_type }) => event_type) };
}

describe.each(storeKinds())('a reader that is overtaken by a deletion, on %s', (_, create) => {
  /** Reads one event, deletes the execution, and reads on. */
  async function deletedUnder(attempts: number, read: 'stored' | 'followed' | 'handle') {
    const runtime = await open({ store: create()() });
    const workflow = defineWorkflow({ id: 'often' })
      .node('only', {
        retry: { maxAttempts: attempts, delaySeconds: 0 },
        execute: ({ attempt }) => (attempt < attempts ? Promise.reject(new Error('again')) : 1),
      })
      .build();
    const execution = await runtime.start(workflow);
    const live = execution.events()[Symbol.asyncIterator]();
    const first = await live.next();
    await execution.result;
    const stored = runtime.events(execution.id, { follow: read === 'followed' })[Symbol.asyncIterator]();
    const events = read === 'handle' ? live : stored;
    const told: ExecutionEvent[] = [read === 'handle' ? first.value : (await events.next()).value];
    const all = await collect(runtime.events(execution.id));
    await runtime.delete(execution.id);
    const rest = (async () => {
      for (let next = await events.next(); !next.done; next = await events.next()) told.push(next.value);
    })();
    return { rest, told, all };
  }

  it.each(['stored', 'followed', 'handle'] as const)('is told so: %s', async (read) => {
    const { rest, told, all } = await deletedUnder(200, read);
    await expect(rest).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    expect(told.length).toBeLessThan(all.length);
    expect(all.slice(0, told.length)).toEqual(told);
  });

  it.each(['stored', 'followed'] as const)('that has all of it already is told nothing: %s', async (read) => {
    const { rest, told, all } = await deletedUnder(2, read);
    await rest;
    expect(told).toEqual(all);
  });
});

describe.each(storeKinds())('events after a given one on %s', (_, create) => {
  it('are the rest of all events, from any of them, retried and run again or not', async () => {
    const runtime = await open({ store: create()() });
    let bad = true;
    const workflow = defineWorkflow({ id: 'again', onFailure: 'continue' })
      .node('good', { execute: () => 1 })
      .node('bad', {
        retry: { maxAttempts: 2, delaySeconds: 0.001 },
        execute: () => (bad ? Promise.reject(new Error('no')) : 2),
      })
      .node('after', { dependsOn: ['good', 'bad'], execute: () => 3 })
      .build();
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('failed');
    bad = false;
    expect((await (await runtime.retry(id, { workflow })).result).status).toBe('completed');
    const all = await collect(runtime.events(id));
    expect(new Set(all.map(({ event_id }) => event_id)).size).toBe(all.length);
    for (const [index, { event_id }] of all.entries())
      expect(await collect(runtime.events(id, { after: event_id }))).toEqual(all.slice(index + 1));
    expect(await collect(runtime.events(id, { after: '999999-0' }))).toEqual([]);
  });

  it('are the same before and after a checkpoint', async () => {
    const runtime = await open({ store: create()(), pool: { inline: 1000 } });
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'many' });
    // A chain of groups, so that there are many commits; so many entries that there is a checkpoint.
    for (let i = 0; i < 1000; i++)
      builder.node(`n${i}`, {
        dependsOn: i < 100 ? [] : [`n${i - 100}`],
        ...manyEntries,
        execute: ({ attempt }) => {
          failFirst({ attempt });
          return i;
        },
      });
    const { id, result } = await runtime.start(builder.build());
    expect((await result).status).toBe('completed');
    const all = await collect(runtime.events(id));
    const anyEvent = fc.nat({ max: all.length - 1 });
    await fc.assert(
      fc.asyncProperty(anyEvent, async (index) => {
        const rest = await collect(runtime.events(id, { after: all[index].event_id }));
        expect(rest).toEqual(all.slice(index + 1));
      }),
      { numRuns: 30 },
    );
  });

  it.each(['', 'x', '1', '-1-0', '1-', '1-0-0', '9999999999999999-0', `${'1'.repeat(100)}-0`])(
    'refuse %j, which is no event id',
    async (after) => {
      const runtime = await open({ store: create()() });
      const { id, result } = await runtime.start(quick());
      await result;
      await expect(collect(runtime.events(id, { after }))).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});

describe.each(storeKinds())('following on %s', (_, create) => {
  /** One that runs, and one on the same store that only looks. */
  async function two(): Promise<{ here: Runtime; other: Runtime }> {
    const place = create();
    return { here: await open({ store: place() }), other: await open({ store: place(), recover: false }) };
  }

  it.each(['here', 'other'] as const)(
    'tells what comes, in the process that runs it or another, until the end (%s)',
    async (which) => {
      const both = await two();
      const gate = new Gate();
      const { id, result } = await both.here.start(gated(gate));
      const following = reader(both[which].events(id, { follow: true }));
      await until(() => following.types().includes('node_started'), 'the beginning is told');
      const late = reader(both[which].events(id, { follow: true, after: following.seen.at(-1)!.event_id }));
      const told = following.seen.length;
      gate.open();
      await Promise.all([result, following.ended, late.ended]);
      const stored = await collect(both.here.events(id));
      expect(following.seen).toEqual(stored);
      expect(late.seen).toEqual(stored.slice(told));
      expect(await collect(both[which].events(id, { follow: true, after: stored.at(-1)!.event_id }))).toEqual(
        [],
      );
    },
  );

  it('goes on over a pause, and when another process resumes it', async () => {
    const { here, other } = await two();
    const gate = new Gate();
    const workflow = gated(gate);
    const { id, result } = await here.start(workflow);
    const followers = [reader(here.events(id, { follow: true })), reader(other.events(id, { follow: true }))];
    await here.pause(id);
    gate.open();
    expect((await result).status).toBe('paused');
    expect((await (await other.resume(id, { workflow })).result).status).toBe('completed');
    await Promise.all(followers.map(({ ended }) => ended));
    const stored = await collect(here.events(id));
    for (const { seen } of followers) expect(seen).toEqual(stored);
    expect(stored.map(({ event_type }) => event_type)).toContain('workflow_resumed');
  });

  it('ends when told so, or with the runtime', async () => {
    const { here, other } = await two();
    const { id } = await here.start(gated(new Gate()));
    const stop = new AbortController();
    const { signal } = stop;
    const ended = [
      reader(here.events(id, { follow: true, signal })),
      reader(other.events(id, { follow: true, signal })),
      reader(here.watch('gated', { signal })),
    ];
    await until(() => ended.slice(0, 2).every(({ seen }) => seen.length > 1), 'both follow');
    stop.abort();
    await Promise.all(ended.map((each) => each.ended));
    const cut = [reader(here.events(id, { follow: true })), reader(here.watch('gated'))];
    await until(() => cut[0].seen.length > 1, 'it follows');
    await here.close({ drainMs: 0 });
    for (const each of cut) await expect(each.ended).rejects.toMatchObject({ code: 'RUNTIME_CLOSED' });
    await expect(collect(other.events('nope', { follow: true }))).rejects.toMatchObject({
      code: 'EXECUTION_NOT_FOUND',
    });
  });
});

describe.each(storeKinds())('watching a workflow on %s', (_, create) => {
  it.each(['here', 'other'] as const)(
    'tells every execution from now on, each in order and once (%s)',
    async (which) => {
      const place = create();
      const both = {
        here: await open({ store: place() }),
        other: await open({ store: place(), recover: false }),
      };
      const gate = new Gate();
      await both.here.start(gated(new Gate()), {}, { executionId: 'silent' });
      await (
        await both.here.start(quick('gated'), {}, { executionId: 'before' })
      ).result;
      const early = await both.here.start(gated(gate), {}, { executionId: 'early' });
      const stored = (id: string) => collect(both.here.events(id));
      const isWaiting = async (id: string) => (await stored(id)).at(-1)?.event_type === 'node_started';
      await until(async () => (await isWaiting('silent')) && (await isWaiting('early')), 'both wait');
      const lastEarly = (await stored('early')).at(-1)!;
      // What was before is not told, by the clock: it must have moved on.
      await until(() => Date.now() > Date.parse(lastEarly.timestamp), 'time passes');
      const stop = new AbortController();
      const watching = reader(both[which].watch('gated', { signal: stop.signal }));
      await (
        await both.here.start(quick('other'))
      ).result;
      for (const executionId of ['a', 'b', 'c'])
        await (
          await both.here.start(quick('gated'), {}, { executionId })
        ).result;
      gate.open();
      await early.result;
      const wanted = ['a', 'b', 'c'];
      const rest = await collect(both.here.events('early', { after: lastEarly.event_id }));
      const of = (id: string) => watching.seen.filter(({ execution_id }) => execution_id === id);
      await until(() => of('early').length >= rest.length, 'the rest of early is told');
      expect(of('early')).toEqual(rest);
      for (const id of wanted) {
        const all = await stored(id);
        await until(() => of(id).length >= all.length, `${id} is told`);
        expect(of(id)).toEqual(all);
      }
      expect(new Set(watching.seen.map(({ execution_id }) => execution_id))).toEqual(
        new Set([...wanted, 'early']),
      );
      stop.abort();
      await watching.ended;
    },
  );

  it('tells of an execution that goes on after its end only what is new', async () => {
    const runtime = await open({ store: create()() });
    let bad = true;
    const workflow = defineWorkflow({ id: 'retried' })
      .node('bad', { execute: () => (bad ? Promise.reject(new Error('no')) : 1) })
      .build();
    const stop = new AbortController();
    const watching = reader(runtime.watch('retried', { signal: stop.signal }));
    const { id, result } = await runtime.start(workflow);
    await result;
    await until(() => watching.types().includes('workflow_failed'), 'its failure is told');
    bad = false;
    await (
      await runtime.retry(id, { workflow })
    ).result;
    await until(() => watching.types().includes('workflow_completed'), 'its end is told');
    expect(watching.seen).toEqual(await collect(runtime.events(id)));
    stop.abort();
    await watching.ended;
  });
});
