import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Workflow } from '../../src/runtime/index.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();

/** One node that waits to be told to stop, and stops when the gate opens. */
function stubborn(gate: Gate, ran: Counter, id = 'child'): Workflow {
  return defineWorkflow({ id })
    .node('work', {
      execute: async ({ signal }) => {
        ran.note('begun');
        await new Promise((stop) => signal.addEventListener('abort', stop));
        ran.note('told');
        await gate.passed;
        ran.note('stopped');
      },
    })
    .build();
}

/** The workflow as a node of another one. */
const around = (workflow: Workflow, id: string): Workflow =>
  defineWorkflow({ id }).node('sub', { workflow }).build();

describe.each(storeKinds())('a parent with compensation, on %s', (_, create) => {
  it.each([
    ['child', (child: Workflow) => child],
    ['grandchild', (child: Workflow) => around(child, 'middle')],
  ])('undoes nothing before the %s that it has cancelled has stopped', async (_name, inner) => {
    const runtime = await open({ store: create()(), pool: { graceMs: 30_000 } });
    const gate = new Gate();
    const ran = new Counter();
    const workflow = defineWorkflow({ id: 'parent', compensate: 'always' })
      .node('made', { execute: () => 1, compensate: { execute: () => ran.note('undone') } })
      .node('sub', { dependsOn: ['made'], workflow: inner(stubborn(gate, ran)) })
      .build();
    const { id, result } = await runtime.start(workflow, {}, { executionId: 'p' });
    await until(() => ran.of('begun') > 0, 'the child works');
    await runtime.cancel(id);
    await until(() => ran.of('told') > 0, 'the child is told to stop');
    await new Promise((later) => setTimeout(later, 100));
    expect(ran.of('undone')).toBe(0);
    expect(await runtime.get(id)).toMatchObject({ status: 'running' });
    gate.open();
    expect((await result).status).toBe('cancelled');
    expect([ran.of('stopped'), ran.of('undone')]).toEqual([1, 1]);
    expect(await runtime.get(id)).toMatchObject({ compensation: { completed: ['made'] } });
  });
});

describe.each(storeKinds())('pausing a parent, on %s', (_, create) => {
  it('is done when all below it are paused, too', async () => {
    const runtime = await open({ store: create()() });
    const gate = new Gate();
    const ran = new Counter();
    const child = defineWorkflow({ id: 'child' })
      .node('work', { execute: () => (ran.note('begun'), gate.passed) })
      .node('more', { dependsOn: ['work'], execute: () => ran.note('more') })
      .build();
    const workflow = around(around(child, 'middle'), 'parent');
    const { result } = await runtime.start(workflow, {}, { executionId: 'p' });
    await until(() => ran.of('begun') > 0, 'the innermost works');
    await runtime.pause('p');
    const ids = ['p', 'p+sub.0.1', 'p+sub.0.1+sub.0.1'];
    for (const id of ids) expect((await runtime.get(id))!.status, id).toBe('paused');
    gate.open();
    expect((await result).status).toBe('paused');
    expect(ran.of('more')).toBe(0);
    expect((await (await runtime.resume('p', { workflow })).result).status).toBe('completed');
    expect(ran.of('more')).toBe(1);
  });
});
