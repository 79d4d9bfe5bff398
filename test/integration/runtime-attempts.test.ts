import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineWorkflow, type ExecutionEvent, type Runtime } from '../../src/runtime/index.js';
import { collect, runtimes, storeKinds } from './support/runtimes.js';

const open = runtimes();
const baseDir = join(import.meta.dirname, '../fixtures/steps');
const uses = (name: string) => `./runtime-steps.js#${name}`;

/** Throws so often, then succeeds. */
const flaky = (failures: number) => () => {
  if (failures-- > 0) throw new TypeError('not yet');
  return 'at last';
};

async function eventsOf(
  runtime: Runtime,
  id: string,
  type: ExecutionEvent['event_type'],
): Promise<unknown[]> {
  return (await collect(runtime.events(id))).filter((e) => e.event_type === type).map(({ data }) => data);
}

describe.each(storeKinds())('retries on %s', (_, create) => {
  it('wait longer each time, and stop at success', async () => {
    const runtime = await open({ store: create()() });
    const retry = { maxAttempts: 5, delaySeconds: 0.02, exponentialBackoff: true, maxDelaySeconds: 0.05 };
    const workflow = defineWorkflow({ id: 'flaky' })
      .node('n', { retry, execute: flaky(3) })
      .build();
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_states.n).toMatchObject({ attempt_count: 4, error_message: null });
    expect(await eventsOf(runtime, id, 'node_retry')).toEqual([
      { attempt: 2, delay: 0.02, error: 'not yet' },
      { attempt: 3, delay: 0.04, error: 'not yet' },
      { attempt: 4, delay: 0.05, error: 'not yet' },
    ]);
    const times = (await collect(runtime.events(id))).filter(({ event_type }) =>
      /started|retry/.test(event_type),
    );
    const at = (index: number) => Date.parse(times.filter((e) => e.node_id === 'n')[index].timestamp);
    // started, retry, started, retry, ...: an attempt never starts before its delay is over.
    expect(at(2) - at(1)).toBeGreaterThanOrEqual(20);
    expect(at(4) - at(3)).toBeGreaterThanOrEqual(40);
    expect(at(6) - at(5)).toBeGreaterThanOrEqual(50);
  });

  it('end when the attempts do', async () => {
    const runtime = await open({ store: create()() });
    const workflow = defineWorkflow({ id: 'hopeless' })
      .node('n', { retry: { maxAttempts: 3, delaySeconds: 0 }, execute: flaky(9) })
      .build();
    const { id, result } = await runtime.start(workflow);
    expect(await result).toMatchObject({
      status: 'failed',
      failed_node: 'n',
      error: { name: 'TypeError', message: 'not yet' },
    });
    expect((await runtime.get(id))!.node_states.n).toMatchObject({
      status: 'failed',
      attempt_count: 3,
      error_message: 'not yet',
    });
  });
});

describe('retries', () => {
  const once = async (runtime: Runtime, options: { retries?: boolean }, retry: object) => {
    const workflow = defineWorkflow({ id: 'once' })
      .node('n', { retry, execute: flaky(1) })
      .build();
    const { id, result } = await runtime.start(workflow, {}, options);
    const { status } = await result;
    const started = await eventsOf(runtime, id, 'node_started');
    return { status, started };
  };
  const retry = { maxAttempts: 2, delaySeconds: 0 };

  it('can be switched off for a runtime, and for an execution', async () => {
    const off = await open({ retries: false });
    const [attempt, two] = [{ attempt: 1, max_attempts: 1 }, { status: 'completed' }];
    expect(await once(off, {}, retry)).toEqual({ status: 'failed', started: [attempt] });
    expect(await once(off, { retries: true }, retry)).toMatchObject(two);
    const on = await open();
    expect(await once(on, { retries: false }, retry)).toEqual({ status: 'failed', started: [attempt] });
    expect(await once(on, {}, retry)).toMatchObject(two);
  });

  it('are not made for errors that are declared final, nor against the policy', async () => {
    const runtime = await open();
    expect((await once(runtime, {}, { ...retry, nonRetryable: ['TypeError'] })).status).toBe('failed');
    expect((await once(runtime, {}, { ...retry, onFailure: false })).status).toBe('failed');
    expect((await once(runtime, {}, { ...retry, nonRetryable: ['RangeError'] })).status).toBe('completed');
  });

  it('keep the idempotency key, also on a thread', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'keys' })
      .node('n', { retry: { maxAttempts: 3, delaySeconds: 0 }, uses: uses('keyOf') })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    const key = (await runtime.get(id))!.node_outputs.n as string;
    expect(key).toContain(id);
    const failures = (await eventsOf(runtime, id, 'node_failed')) as { error: string }[];
    expect(failures.map(({ error }) => error)).toEqual([key, key]);
  });

  it('go on after a step that ends its thread; the attempt is charged', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'exits', onFailure: 'continue' })
      .node('exit', { retry: { maxAttempts: 2, delaySeconds: 0 }, uses: uses('exit') })
      .node('quick', { uses: uses('quick') })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect(await result).toMatchObject({
      status: 'failed',
      failed_node: 'exit',
      error: { code: 'WORKER_LOST' },
    });
    expect((await runtime.get(id))!.node_states).toMatchObject({
      exit: { attempt_count: 2 },
      quick: { status: 'completed' },
    });
  });
});

describe('an attempt that takes too long', () => {
  const timeoutSeconds = 0.2;
  const steps = {
    'an inline function that listens': {
      execute: ({ signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    },
    'an inline function that does not': { execute: () => new Promise(() => undefined) },
    'a thread that listens': { uses: uses('honour') },
    'a thread that waits': { uses: uses('never') },
    'a thread that is busy': { uses: uses('loop') },
    'a command': { run: 'sleep 60' },
    'a command with children that ignore SIGTERM': {
      run: `trap '' TERM; sh -c "trap '' TERM; sleep 60" & wait`,
    },
  };

  it.each(Object.entries(steps))('is ended: %s', async (_, step) => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'slow' })
      .node('n', { timeoutSeconds, retry: { maxAttempts: 2, delaySeconds: 0 }, ...(step as { run: string }) })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect(await result).toMatchObject({ status: 'failed', error: { code: 'STEP_TIMEOUT' } });
    const failures = (await eventsOf(runtime, id, 'node_failed')) as { error: string }[];
    expect(failures.map(({ error }) => error)).toEqual([
      'attempt 1 of node "n" took longer than 0.2 s',
      'attempt 2 of node "n" took longer than 0.2 s',
    ]);
  });

  it('is told from one that is in time', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'in-time' })
      .node('inline', { timeoutSeconds: 30, execute: () => 1 })
      .node('thread', { timeoutSeconds: 30, uses: uses('quick') })
      .node('command', { timeoutSeconds: 30, run: 'true' })
      .build({ baseDir });
    expect((await (await runtime.start(workflow)).result).status).toBe('completed');
  });
});

describe('an attempt that must send heartbeats', () => {
  it('is ended when none come, however long it may take', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'silent', onFailure: 'continue' })
      .node('thread', { timeoutSeconds: 60, heartbeatTimeoutSeconds: 0.2, uses: uses('never') })
      .node('inline', { heartbeatTimeoutSeconds: 0.2, execute: () => new Promise(() => undefined) })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    await result;
    const { node_states } = (await runtime.get(id))!;
    const error = { code: 'STEP_HEARTBEAT' };
    expect(node_states.thread).toMatchObject({
      status: 'failed',
      error_message: 'attempt 1 of node "thread" sent no heartbeat for 0.2 s',
      metadata: { error },
    });
    expect(node_states.inline).toMatchObject({ status: 'failed', metadata: { error } });
  });

  it('lives while they do', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'beating' })
      .node('n', { timeoutSeconds: 60, heartbeatTimeoutSeconds: 0.5, uses: uses('beat') })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_outputs.n).toBe('alive');
  });
});
