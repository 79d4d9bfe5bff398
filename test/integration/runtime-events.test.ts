import { describe, expect, it } from 'vitest';
import { defineWorkflow, type ExecutionEvent } from '../../src/runtime/index.js';
import { collect, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

/** One node of each fate: completed, skipped, failed after a retry, blocked. */
function fates() {
  return defineWorkflow({ id: 'fates', onFailure: 'continue', globalContext: { g: 1 } })
    .node('good', { execute: () => ({ ok: true }) })
    .node('unwanted', { dependsOn: ['good'], condition: 'outputs.good.ok == false', execute: () => 1 })
    .node('bad', {
      dependsOn: ['good'],
      retry: { maxAttempts: 2, delaySeconds: 0.02 },
      execute: () => Promise.reject(Object.assign(new RangeError('too far'), { code: 'E_FAR' })),
    })
    .node('victim', { dependsOn: ['bad'], execute: () => 1 })
    .build();
}

const brief = ({ event_type, node_id }: ExecutionEvent): string =>
  node_id === undefined ? event_type : `${event_type} ${node_id}`;

describe.each(storeKinds())('events on %s', (_, create) => {
  it('have the canonical names, order and payloads, live as stored', async () => {
    const live: ExecutionEvent[] = [];
    const runtime = await open({ store: create()(), onEvent: (event) => live.push(event) });
    const execution = await runtime.start(fates(), { h: 2 });
    expect((await execution.result).status).toBe('failed');
    const stored = await collect(runtime.events(execution.id));
    expect(live).toEqual(stored);
    for (const event of stored) {
      expect(event).toMatchObject({ workflow_id: 'fates', execution_id: execution.id });
      expect(new Date(event.timestamp).toISOString()).toBe(event.timestamp);
      expect(event.event_id).toMatch(/^\d+-\d+$/);
    }
    const of = (id: string | undefined) =>
      stored.filter(({ node_id }) => node_id === id).map(({ event_type, data }) => [event_type, data]);
    const seconds = expect.any(Number) as number;
    expect(of(undefined)).toEqual([
      ['workflow_started', { initial_context: { g: 1, h: 2 } }],
      ['workflow_failed', { failed_node: 'bad', error: 'too far' }],
    ]);
    expect(of('good')).toEqual([
      ['node_ready', {}],
      ['node_started', { attempt: 1, max_attempts: 1 }],
      ['node_completed', { output: { ok: true }, attempt: 1, execution_time_seconds: seconds }],
    ]);
    expect(of('unwanted')).toEqual([['node_skipped', { condition: 'outputs.good.ok == false' }]]);
    const failure = { error: 'too far', error_code: 'E_FAR' };
    expect(of('bad')).toEqual([
      ['node_ready', {}],
      ['node_started', { attempt: 1, max_attempts: 2 }],
      ['node_failed', { ...failure, attempts: 1, will_retry: true }],
      ['node_retry', { attempt: 2, delay: 0.02, error: 'too far' }],
      ['node_started', { attempt: 2, max_attempts: 2 }],
      ['node_failed', { ...failure, attempts: 2, will_retry: false }],
    ]);
    expect(of('victim')).toEqual([['node_blocked', { by: 'bad' }]]);
  });

  it('are told only once they are stored', async () => {
    const place = create()();
    const early: string[] = [];
    let reading = Promise.resolve();
    const runtime = await open({
      store: place,
      onEvent: (event) => {
        const { event_id, execution_id } = event;
        reading = reading.then(async () => {
          const stored = await collect(runtime.events(execution_id));
          if (!stored.some((other) => other.event_id === event_id)) early.push(brief(event));
        });
      },
    });
    const workflow = defineWorkflow({ id: 'chain' })
      .node('a', { execute: () => 1 })
      .node('b', { dependsOn: ['a'], execute: () => 2 })
      .build();
    await (
      await runtime.start(workflow)
    ).result;
    await reading;
    expect(early).toEqual([]);
  });
});

describe('events', () => {
  it('of pause, resume, cancel and retry', async () => {
    const live: ExecutionEvent[] = [];
    const runtime = await open({ onEvent: (event) => live.push(event) });
    const gate = new Gate();
    let tries = 0;
    const workflow = defineWorkflow({ id: 'steered' })
      .node('a', { execute: () => gate.passed })
      .node('b', {
        dependsOn: ['a'],
        execute: ({ signal }) =>
          tries++ > 0 ||
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stop')))),
      })
      .build();
    const paused = await runtime.start(workflow);
    await until(() => live.map(brief).includes('node_started a'), 'a runs');
    await runtime.pause(paused.id);
    gate.open();
    expect((await paused.result).status).toBe('paused');
    const cancelled = await runtime.resume(paused.id, { workflow });
    await until(() => tries === 1, 'b runs');
    await runtime.cancel(paused.id, 'enough');
    expect((await cancelled.result).status).toBe('cancelled');
    expect((await (await runtime.retry(paused.id, { workflow })).result).status).toBe('completed');
    expect(live.map(brief)).toEqual([
      ...['workflow_started', 'node_ready a', 'node_started a', 'workflow_paused'],
      ...['node_completed a', 'node_ready b', 'workflow_resumed', 'node_started b'],
      ...['workflow_cancelled', 'node_cancelled b', 'workflow_resumed', 'node_recovered b'],
      ...['node_ready b', 'node_started b', 'node_completed b', 'workflow_completed'],
    ]);
    const data = (name: string) => live.filter((event) => brief(event) === name).map((event) => event.data);
    expect(data('workflow_cancelled')).toEqual([{ reason: 'enough' }]);
    expect(data('workflow_resumed')).toEqual([{}, { retry: true }]);
    expect(data('node_started b').map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(await collect(runtime.events(paused.id))).toEqual(live);
  });

  it('of progress are told live and not stored', async () => {
    const live: ExecutionEvent[] = [];
    const runtime = await open({ onEvent: (event) => live.push(event) });
    const workflow = defineWorkflow({ id: 'progress' })
      .node('n', { execute: (step) => (step.progress(0.5, 'half'), step.progress(1)) })
      .build();
    const { id, result } = await runtime.start(workflow);
    await result;
    const told = live.filter(({ event_type }) => event_type === 'node_progress');
    expect(told.map(({ data }) => data)).toEqual([{ fraction: 0.5, message: 'half' }, { fraction: 1 }]);
    expect(told.every((event) => event.node_id === 'n' && event.event_id === undefined)).toBe(true);
    const stored = await collect(runtime.events(id));
    expect(stored).toEqual(live.filter((event) => !told.includes(event)));
  });

  it('do not disturb the run when their handler throws; it is logged', async () => {
    const warnings: string[] = [];
    const nothing = () => undefined;
    const runtime = await open({
      logger: { debug: nothing, info: nothing, error: nothing, warn: (_, message) => warnings.push(message) },
      onEvent: () => {
        throw new Error('bad handler');
      },
    });
    const { id, result } = await runtime.start(fates());
    expect((await result).completed_nodes).toBe(1);
    const thrown = warnings.filter((message) => message === 'an event handler threw');
    expect(thrown).toHaveLength((await collect(runtime.events(id))).length);
  });

  it('can be switched off; the history is stored all the same', async () => {
    const live: ExecutionEvent[] = [];
    const runtime = await open({ events: false, onEvent: (event) => live.push(event) });
    const { id, result } = await runtime.start(fates());
    await result;
    expect(live).toEqual([]);
    expect((await collect(runtime.events(id))).length).toBeGreaterThan(10);
  });

  it('of a slow follower who stops early disturb nobody', async () => {
    const runtime = await open();
    const execution = await runtime.start(fates());
    for await (const event of execution.events()) if (event.event_type === 'node_ready') break;
    expect((await execution.result).status).toBe('failed');
    expect((await collect(execution.events())).at(-1)?.event_type).toBe('workflow_failed');
  });
});
