import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Execution } from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, until } from './support/runtimes.js';

const open = runtimes();

/** Lets so many microtasks pass: everything on a memory store happens in them. */
async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

function two(gate: Gate, ran: Counter) {
  return defineWorkflow({ id: 'two' })
    .node('first', { execute: () => (ran.note('first'), gate.passed) })
    .node('second', { dependsOn: ['first'], execute: () => ran.note('second') })
    .build();
}

const MOMENTS = Array.from({ length: 60 }, (_, i) => i);

describe('a request that meets an execution just as it', () => {
  it.each(['resume', 'cancel'] as const)('comes to rest, paused: %s', async (request) => {
    const runtime = await open();
    for (const moment of MOMENTS) {
      const [gate, ran] = [new Gate(), new Counter()];
      const workflow = two(gate, ran);
      const execution = await runtime.start(workflow);
      await until(() => ran.of('first') === 1, 'first runs');
      await runtime.pause(execution.id);
      gate.open();
      await microtasks(moment);
      if (request === 'resume') {
        const resumed = await runtime.resume(execution.id, { workflow });
        expect([moment, (await resumed.result).status]).toEqual([moment, 'completed']);
      } else {
        await runtime.cancel(execution.id);
        await until(
          async () => (await runtime.get(execution.id))!.status === 'cancelled',
          `cancelled (${moment})`,
        );
      }
      expect(ran.of('second')).toBe(request === 'resume' ? 1 : 0);
    }
  });

  it.each(['pause', 'cancel', 'resume'] as const)('ends: %s', async (request) => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'one' })
      .node('n', { execute: () => 1 })
      .build();
    const allowed = { pause: 'paused', cancel: 'cancelled', resume: 'completed' }[request];
    for (const moment of MOMENTS) {
      const execution = await runtime.start(workflow);
      // The step runs in a later turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      await microtasks(moment);
      const asked: Promise<Execution | void> = runtime[request](execution.id);
      const outcome = await asked.then(
        (again) => again?.result,
        (error: { code: string }) => void expect(error.code).toBe('EXECUTION_STATE'),
      );
      expect([allowed, 'completed', undefined]).toContain(outcome?.status);
      expect([allowed, 'completed']).toContain((await execution.result).status);
      const { status } = (await runtime.get(execution.id))!;
      expect([allowed, 'completed']).toContain(status);
    }
  });

  it('is retried twice', async () => {
    const runtime = await open();
    for (let i = 0; i < 10; i++) {
      const ran = new Counter();
      const workflow = defineWorkflow({ id: 'once' })
        .node('n', {
          execute: () => {
            ran.note('n');
            if (ran.of('n') === 1) throw new Error('once');
          },
        })
        .build();
      const { id, result } = await runtime.start(workflow);
      await result;
      const both = await Promise.allSettled([
        runtime.retry(id, { workflow }),
        runtime.retry(id, { workflow }),
      ]);
      for (const outcome of both) {
        if (outcome.status === 'fulfilled') expect((await outcome.value.result).status).toBe('completed');
        else expect(outcome.reason).toMatchObject({ code: 'EXECUTION_STATE' });
      }
      expect(both[0].status).toBe('fulfilled');
      expect(ran.of('n')).toBe(2);
    }
  });
});
