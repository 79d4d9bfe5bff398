import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineWorkflow, type StepContext, type Workflow } from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const baseDir = join(import.meta.dirname, '../fixtures/steps');

const tempDir = tempDirs('maestro-steering');

const runs = (ran: Counter, node: string) => until(() => ran.of(node) > 0, `${node} runs`);

/** first waits at the gate; the others follow one after the other. */
function chain(gate: Gate, ran: Counter): Workflow {
  const execute = ({ nodeId }: { nodeId: string }) => ran.note(nodeId);
  return defineWorkflow({ id: 'chain' })
    .node('first', { execute: () => (ran.note('first'), gate.passed) })
    .node('second', { dependsOn: ['first'], execute })
    .node('third', { dependsOn: ['second'], execute })
    .build();
}

describe.each(storeKinds())('pausing on %s', (_, create) => {
  it('lets running nodes finish, starts nothing new, and goes on after resume', async () => {
    const runtime = await open({ store: create()() });
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = chain(gate, ran);
    const execution = await runtime.start(workflow);
    await runs(ran, 'first');
    await runtime.pause(execution.id);
    expect((await runtime.get(execution.id))!).toMatchObject({
      status: 'paused',
      node_states: { first: { status: 'running' } },
    });
    gate.open();
    expect(await execution.result).toMatchObject({ status: 'paused', completed_nodes: 1 });
    expect((await runtime.get(execution.id))!.node_states).toMatchObject({
      first: { status: 'completed' },
      second: { status: 'ready' },
      third: { status: 'pending' },
    });
    await expect(runtime.pause(execution.id)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    // Its functions are known here: this runtime started it.
    const resumed = await runtime.resume(execution.id);
    expect((await resumed.result).status).toBe('completed');
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 1, second: 1, third: 1 });
  });

  it('outlives its runtime: another one resumes it when told, not by itself', async () => {
    const place = create()();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = chain(gate, ran);
    const first = await open({ store: place });
    const execution = await first.start(workflow);
    await runs(ran, 'first');
    await first.pause(execution.id);
    gate.open();
    await execution.result;
    await first.close();
    const second = await open({ store: place, workflows: [workflow] });
    expect(second.recovered).toEqual([]);
    expect((await second.get(execution.id))!).toMatchObject({ status: 'paused', interrupted: false });
    expect((await (await second.resume(execution.id)).result).status).toBe('completed');
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 1, second: 1, third: 1 });
  });

  it('can be taken back while nodes still finish', async () => {
    const runtime = await open({ store: create()() });
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = chain(gate, ran);
    const execution = await runtime.start(workflow);
    await runs(ran, 'first');
    await runtime.pause(execution.id);
    const same = await runtime.resume(execution.id);
    gate.open();
    expect((await same.result).status).toBe('completed');
    expect(await execution.result).toEqual(await same.result);
  });
});

describe('cancelling', () => {
  const listens = ({ signal, nodeConfig }: StepContext) => {
    writeFileSync(nodeConfig.started as string, '');
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
  };
  const deaf = ({ nodeConfig }: StepContext) => {
    writeFileSync(nodeConfig.started as string, '');
    return new Promise(() => undefined);
  };
  const long = {
    'a function that listens': { execute: listens },
    'a function that does not': { execute: deaf },
    'a thread that listens': { uses: './runtime-steps.js#honour' },
    'a thread that is busy': { uses: './runtime-steps.js#loop' },
    'a command': { run: 'touch "$STARTED"; sleep 60' },
  };

  it.each(Object.entries(long))('ends %s', async (_, step) => {
    const runtime = await open();
    const started = join(tempDir(), 'started');
    const executor = 'run' in step ? { ...step, env: { STARTED: started } } : (step as { uses: string });
    const workflow = defineWorkflow({ id: 'long' })
      .node('done', { execute: () => 1 })
      .node('n', { dependsOn: ['done'], config: { started }, ...executor })
      .node('after', { dependsOn: ['n'], execute: () => 1 })
      .build({ baseDir });
    const execution = await runtime.start(workflow);
    await until(() => existsSync(started), 'n runs');
    await runtime.cancel(execution.id, 'no longer needed');
    expect(await execution.result).toMatchObject({ status: 'cancelled', completed_nodes: 1 });
    expect((await runtime.get(execution.id))!).toMatchObject({
      status: 'cancelled',
      node_states: {
        done: { status: 'completed' },
        n: { status: 'cancelled', attempt_count: 1 },
        after: { status: 'cancelled', attempt_count: 0 },
      },
    });
    await expect(runtime.cancel(execution.id)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    // What was cancelled has left the pool: something else runs.
    const next = defineWorkflow({ id: 'next' })
      .node('n', { uses: './runtime-steps.js#quick' })
      .build({ baseDir });
    expect((await (await runtime.start(next)).result).status).toBe('completed');
  });

  it('ends what waits for a retry, and what is paused', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'waits' })
      .node('n', {
        retry: { maxAttempts: 2, delaySeconds: 3600 },
        execute: () => Promise.reject(new Error('no')),
      })
      .build();
    const waits = await runtime.start(workflow);
    await until(() => waits.node('n').getSnapshot().matches({ failed: 'retrying' }), 'n waits for its retry');
    await runtime.cancel(waits.id);
    expect((await waits.result).status).toBe('cancelled');

    const paused = await runtime.start(workflow);
    await until(
      () => paused.node('n').getSnapshot().matches({ failed: 'retrying' }),
      'n waits for its retry',
    );
    await runtime.pause(paused.id);
    expect((await paused.result).status).toBe('paused');
    await runtime.cancel(paused.id);
    await until(async () => (await runtime.get(paused.id))!.status === 'cancelled', 'it is cancelled');
    expect((await runtime.get(paused.id))!.node_states.n.status).toBe('cancelled');
  });

  it('can be made good: a retry runs what was cancelled', async () => {
    const runtime = await open();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = chain(gate, ran);
    const execution = await runtime.start(workflow);
    await runs(ran, 'first');
    await runtime.cancel(execution.id);
    expect((await execution.result).status).toBe('cancelled');
    gate.open();
    const retried = await runtime.retry(execution.id, { workflow });
    expect(await retried.result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    expect(Object.fromEntries(ran.counts)).toEqual({ first: 2, second: 1, third: 1 });
  });
});

describe('a retry right after a cancel', () => {
  it('waits until the cancelled attempt has really stopped: two attempts of a node never overlap', async () => {
    const runtime = await open({ pool: { graceMs: 5_000 } });
    let [inside, most, attempts] = [0, 0, 0];
    const stopped = new Gate();
    const workflow = defineWorkflow({ id: 'slow-to-stop' })
      .node('n', {
        execute: async ({ signal }) => {
          most = Math.max(most, ++inside);
          // The first attempt is told to stop, and takes its time.
          if (++attempts === 1) {
            await new Promise<void>((told) => signal.addEventListener('abort', () => told()));
            await stopped.passed;
          }
          inside--;
          return attempts;
        },
      })
      .build();
    const execution = await runtime.start(workflow);
    await until(() => attempts === 1, 'n runs');
    await runtime.cancel(execution.id);
    expect(await runtime.get(execution.id)).toMatchObject({ status: 'cancelled' });
    const retried = runtime.retry(execution.id, { workflow });
    // Long enough for a retry that does not wait to start its attempt.
    await new Promise((later) => setTimeout(later, 100));
    expect(attempts).toBe(1);
    stopped.open();
    expect(await execution.result).toMatchObject({ status: 'cancelled' });
    expect(await (await retried).result).toMatchObject({ status: 'completed' });
    expect([most, attempts]).toEqual([1, 2]);
  });
});
