import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  createRuntime,
  defineWorkflow,
  workflowFromSpec,
  type Runtime,
  type Workflow,
} from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const tempDir = tempDirs('maestro-workers');
const baseDir = join(import.meta.dirname, '../fixtures/steps');
const uses = (name: string) => `./steps.js#${name}`;

const workflowOf = (spec: object): Workflow => workflowFromSpec(spec, { baseDir });
/** In document form, as files have it: what is wrong with a step is all that differs. */
const node = (id: string, more: object) => ({ id, name: id, type: 'custom', ...more });

async function states(runtime: Runtime, id: string) {
  return (await runtime.get(id))!.node_states;
}

const late = { timeout_seconds: 0.2 };
const everywhere = {
  'process.exit': [{ uses: uses('exit') }, 'WORKER_LOST'],
  'an uncaught error': [{ uses: uses('throwOutside') }, 'WORKER_LOST'],
  'an unhandled rejection': [{ uses: uses('rejectOutside') }, 'WORKER_LOST'],
  'an endless loop': [{ uses: uses('loop'), ...late }, 'STEP_TIMEOUT'],
  'a step that ignores its signal': [{ uses: uses('ignore'), ...late }, 'STEP_TIMEOUT'],
  'a blocked event loop that sends no heartbeats': [
    { uses: uses('loop'), heartbeat_timeout_seconds: 0.2 },
    'STEP_HEARTBEAT',
  ],
  'a result that has no JSON': [{ uses: uses('cycle') }, 'OUTPUT_NOT_SERIALIZABLE'],
} as const;
const onlyProcesses = {
  'a native crash': [{ uses: uses('abort') }, 'WORKER_LOST'],
  'too much memory': [{ uses: uses('hoard'), resources: { max_heap_mb: 32 } }, 'WORKER_LOST'],
} as const;

describe.each([
  ['thread', everywhere],
  ['process', { ...everywhere, ...onlyProcesses }],
])('on a %s', (isolation, faults) => {
  it.each(Object.entries(faults))(
    '%s costs its node the attempts of its policy, and nobody else one',
    async (_, [fault, code]) => {
      const runtime = await open({ pool: { threads: 2, processes: 2, echo: false } });
      const retry_policy = { max_attempts: 2, retry_delay_seconds: 0 };
      const neighbours = Array.from({ length: 6 }, (_, i) =>
        node(`n${i}`, { uses: uses('wait'), config: { ms: 30 } }),
      );
      const workflow = workflowOf({
        workflow: { id: 'faults', name: 'Faults', on_failure: 'continue', isolation },
        nodes: [...neighbours.slice(3), node('bad', { ...fault, retry_policy }), ...neighbours.slice(0, 3)],
      });
      const { id, result } = await runtime.start(workflow);
      expect(await result).toMatchObject({ status: 'failed', failed_node: 'bad', error: { code } });
      const { bad, ...others } = await states(runtime, id);
      expect(bad).toMatchObject({ status: 'failed', attempt_count: 2 });
      for (const other of Object.values(others))
        expect(other).toMatchObject({ status: 'completed', attempt_count: 1 });
      const after = workflowOf({
        workflow: { id: 'after', name: 'After', isolation },
        nodes: [node('n', { uses: uses('quick') })],
      });
      expect((await (await runtime.start(after)).result).status).toBe('completed');
    },
  );
});

it('a thread that outgrows the heap costs its node an attempt, or ends the process, whose successor goes on', async () => {
  const store = `lmdb:${join(tempDir(), 'store')}`;
  const program = join(import.meta.dirname, '../fixtures/runtime/hoarder.mjs');
  // How V8 ends it differs from run to run: both ways are right, a hang or a lost result is not.
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=96',
    program,
    store,
    baseDir,
  ]).catch((error: { stdout: string; signal: string | null; code: number | null }) => {
    expect(error.signal === 'SIGABRT' || error.code === 134).toBe(true);
    return error;
  });
  const runtime = await createRuntime({ store, recover: false });
  const document = (await runtime.get('e'))!;
  expect(document.node_states.before).toMatchObject({ status: 'completed', attempt_count: 1 });
  if (stdout === '') {
    expect(document).toMatchObject({ status: 'running', interrupted: true });
    await runtime.cancel('e');
    expect(await runtime.get('e')).toMatchObject({ status: 'cancelled' });
  } else {
    expect(document).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' } });
    expect(document.node_states.beside).toMatchObject({ status: 'completed', attempt_count: 1 });
  }
  await runtime.close();
}, 120_000);

it('those that share a batch with a step that ends their thread lose no attempt', async () => {
  const runtime = await open({ pool: { threads: 1, echo: false } });
  const nodes = (exits: boolean) =>
    Array.from({ length: 60 }, (_, i) =>
      node(`n${i}`, { uses: uses('usuallyShortExit'), config: { ms: exits && i === 30 ? 1 : 0 } }),
    );
  const header = { id: 'batch', name: 'Batch', on_failure: 'continue' };
  const run = async (exits: boolean) => {
    const execution = await runtime.start(workflowOf({ workflow: header, nodes: nodes(exits) }));
    return { id: execution.id, status: (await execution.result).status };
  };
  // From this run it is known how short the step is: the next one travels in batches.
  expect((await run(false)).status).toBe('completed');
  const { id, status } = await run(true);
  expect(status).toBe('failed');
  const { n30, ...others } = await states(runtime, id);
  expect(n30).toMatchObject({ status: 'failed', attempt_count: 1 });
  expect(Object.values(others).filter((state) => state.status !== 'completed')).toEqual([]);
  expect(Object.values(others).filter((state) => state.attempt_count !== 1)).toEqual([]);
});

describe.each(storeKinds())('a cancelled execution on %s', (_, create) => {
  it('has nothing left that runs, waits or sleeps, and stays cancelled whatever still comes', async () => {
    const store = create()();
    const runtime = await open({ store, pool: { graceMs: 20, threads: 2, processes: 2, echo: false } });
    const gate = new Gate();
    let outlived = false;
    const folder = tempDir();
    const builder = defineWorkflow({ id: 'cancelled', onFailure: 'continue' })
      .node('inline', {
        execute: async () => {
          await gate.passed;
          outlived = true;
          return 'too late';
        },
      })
      .node('thread', { uses: './runtime-steps.js#loop', config: { started: join(folder, 'thread') } })
      .node('process', {
        uses: './runtime-steps.js#loop',
        isolation: 'process',
        config: { started: join(folder, 'process') },
      })
      .node('command', { run: `trap '' TERM; touch '${join(folder, 'command')}'; sleep 60 & wait; sleep 60` })
      .node('retrying', {
        retry: { maxAttempts: 3, delaySeconds: 0.3 },
        execute: () => {
          throw new Error('again');
        },
      })
      .node('sleeping', { sleepSeconds: 3600 })
      .node('after', { dependsOn: ['inline'], execute: () => 'never' });
    const { id, result } = await runtime.start(builder.build({ baseDir }));
    const begun = () => ['thread', 'process', 'command'].every((name) => existsSync(join(folder, name)));
    await until(begun, 'all of them run');
    await until(
      async () => (await states(runtime, id)).retrying.status === 'failed',
      'one waits to be retried',
    );
    await runtime.cancel(id, 'enough');
    expect((await result).status).toBe('cancelled');
    const document = (await runtime.get(id))!;
    const statuses = Object.values(document.node_states).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set(['cancelled']));
    // What could only be asked goes on, and its end changes nothing; nor does the moment of the retry.
    gate.open();
    await until(() => outlived, 'the function in this thread has ended');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await runtime.get(id)).toEqual(document);
    await runtime.close();
    const next = await open({ store });
    expect([next.recovered, (await next.get(id))!.status]).toEqual([[], 'cancelled']);
  });
});

describe('too many deaths', () => {
  const flag = "test -e '$FLAG' || kill -9 $$";
  it.each([
    ['worker threads', { uses: './runtime-steps.js#exitUnless' }],
    ['worker processes', { uses: './runtime-steps.js#exitUnless', isolation: 'process' }],
    ['commands', { run: flag }],
  ])('of %s stop the runtime with a clear error, and everything can be resumed', async (what, step) => {
    const [folder, store] = [tempDir(), `lmdb:${tempDir()}`];
    const file = join(folder, 'mended');
    const pool = { restart: { maxRestarts: 2, withinMs: 600_000 }, echo: false };
    const first = await open({ store, pool });
    const retry_policy = { max_attempts: 100, retry_delay_seconds: 0 };
    const step_ = 'run' in step ? { run: step.run.replace('$FLAG', file) } : { ...step, config: { file } };
    const workflow = workflowOf({
      workflow: { id: 'deadly', name: 'Deadly' },
      nodes: [
        node('done', { uses: uses('quick'), isolation: 'inline' }),
        node('deadly', { ...step_, retry_policy, dependencies: ['done'] }),
        node('after', { uses: uses('quick'), dependencies: ['deadly'] }),
      ],
    });
    const { id, result } = await first.start(workflow);
    const stopped = {
      code: 'POOL_STOPPED',
      message: expect.stringContaining(`${what} keep dying (more than 2 within 600 s)`) as string,
    };
    await expect(result).rejects.toMatchObject(stopped);
    expect(first.failure).toMatchObject(stopped);
    await expect(first.start(workflow)).rejects.toMatchObject(stopped);
    await first.close();

    writeFileSync(file, '');
    const second = await open({ store, pool });
    expect(second.recovered).toEqual([{ executionId: id }]);
    expect(await (await second.resume(id)).result).toMatchObject({ status: 'completed', completed_nodes: 3 });
    expect((await states(second, id)).done.attempt_count).toBe(1);
  });
});
